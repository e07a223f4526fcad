"""One decoder process as the pool sees it: start it, ask it one thing at a time, end it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final

import msgspec

from scheduler.imaging.facts import Verdict
from scheduler.imaging.requests import Answer, Question, Request

START_TIMEOUT_S: Final = 30.0
END_TIMEOUT_S: Final = 2.0
ANSWER_BYTES_MAX: Final = 2**20

_ENVIRONMENT: Final = {
    # One thread each: the pool is as wide as it was made, and thread arenas would eat the address space limit.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "LC_ALL": "C.UTF-8",
}
"""All that a child inherits: no secret of the scheduler's environment is within reach of a decoder's bug."""


class ChildLost(Exception):
    """The process died, or said something that is not an answer; the message tells which."""


class DecoderProcess:
    """A running child. It answers one request at a time; a request that is given up makes the process unusable."""

    def __init__(self, process: Process, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self._requests = 0
        self.files = 0

    @staticmethod
    async def start(memory_max_bytes: int, cpu_s: float, pixels_max: int) -> DecoderProcess:
        """Starts a child and waits until it is warm.

        Raises:
            ChildLost: it cannot be started, or does not get ready within `START_TIMEOUT_S`.
        """
        # -I: neither the current folder nor PYTHON* variables decide what the child imports.
        arguments = ("-I", "-X", "utf8", "-m", "scheduler.imaging.child")
        limits = (str(memory_max_bytes), str(cpu_s), str(pixels_max))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                *limits,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=_ENVIRONMENT,
                limit=ANSWER_BYTES_MAX,
                start_new_session=True,
            )
        except OSError as error:
            raise ChildLost(f"it cannot be started: {error.strerror}") from error
        if process.stdin is None or process.stdout is None:
            raise ChildLost("it has no pipes")
        child = DecoderProcess(process, process.stdin, process.stdout)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                if await child._answer() != Answer(0):
                    raise ChildLost("it did not get ready")
        except TimeoutError as error:
            await child.kill()
            raise ChildLost(f"it did not get ready within {START_TIMEOUT_S:.0f} s") from error
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def alive(self) -> bool:
        """Has it not ended yet, as far as the event loop knows?"""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def ask(self, question: Question) -> Verdict:
        """Sends one question and waits for its verdict, however long that takes.

        Raises:
            ChildLost: the child died or talks nonsense.
        """
        self._requests += 1
        number = self._requests
        self._stdin.write(msgspec.json.encode(Request(number, question)) + b"\n")
        try:
            await self._stdin.drain()
        except ConnectionError as error:
            raise ChildLost(await self._cause()) from error
        answer = await self._answer()
        if answer.number != number or answer.verdict is None:
            raise ChildLost("it gave no proper answer")
        return answer.verdict

    async def _answer(self) -> Answer:
        """The next line, with every type checked: a decoder that was broken into may say anything."""
        try:
            line = await self._stdout.readline()
            if line.endswith(b"\n"):
                return msgspec.json.decode(line, type=Answer)
        except (ValueError, msgspec.MsgspecError) as error:
            raise ChildLost("it gave no proper answer") from error
        except ConnectionError as error:
            raise ChildLost(await self._cause()) from error
        raise ChildLost(await self._cause())

    async def _cause(self) -> str:
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                code = await self._process.wait()
        except TimeoutError:
            return "it stopped talking"
        return f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}"

    async def kill(self) -> None:
        """Ends the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        """Closes its stdin, which ends it, and kills it when it does not."""
        self._stdin.close()
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
