"""Workers as child processes of `outfield up`: started, started again when they crash, and drained at the end.

Each has a data folder of its own below the farm's, so that it is the same worker after a restart. The join code goes
through the child's standard input, where no other user of the machine can read it. A child notices by itself when its
parent has died (`parent_pid`), so that `kill -9` of the parent leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from scheduler.settings import workers_environment

RESTART_BASE_S = 0.5
RESTART_CAP_S = 30.0
STEADY_S = 60.0
"""A worker that lived so long was well: its next restart waits the shortest time again."""

STOP_MARGIN_S = 20.0
"""How much longer than its own drain a worker may take before it is killed."""

log = structlog.get_logger()

NewCode = Callable[[str], Awaitable[str]]
"""A fresh join code for the worker of that name."""


@dataclass(frozen=True)
class Crew:
    """Which workers to keep alive: how many, below which folder, for which scheduler. `log_folder`: None is stderr."""

    count: int
    folder: Path
    server: str
    drain_s: float = 60.0
    log_folder: Path | None = None
    names: str = ""
    ca_pin: str = ""

    def name(self, number: int) -> str:
        """What the worker is called in lists."""
        return f"{self.names or platform.node() or 'local'}-{number}"

    def command(self, number: int) -> list[str]:
        """The child's command line; without the join code."""
        own = str(self.folder / str(number))
        options = {"--server": self.server, "--join": "-", "--data": own, "--name": self.name(number)}
        if self.ca_pin:
            options["--ca-pin"] = self.ca_pin
        words = [word for option in options.items() for word in option]
        return [sys.executable, "-m", "scheduler.cli.main", "worker", *words, "--parent-pid", str(os.getpid())]


def restart_delay_s(crashes: int) -> float:
    """How long to wait before a worker that has crashed so many times in a row is started again."""
    return min(RESTART_CAP_S, RESTART_BASE_S * 2.0 ** min(max(crashes - 1, 0), 10))


class LocalWorkers:
    """The running children. Used from one event loop."""

    def __init__(self, crew: Crew, new_code: NewCode) -> None:
        self._crew, self._new_code = crew, new_code
        self._children: dict[int, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._leaving = False

    async def start(self) -> None:
        """Start all of them, and keep each alive."""
        for number in range(1, self._crew.count + 1):
            await self._spawn(number)
            self._keepers.append(asyncio.create_task(self._keep(number), name=f"worker {number}"))

    async def stop(self) -> None:
        """Let every worker finish what it runs, within its own drain time; then end those that are still there."""
        self._leaving = True
        for keeper in self._keepers:
            keeper.cancel()
        for child in self._children.values():
            _signal(child, signal.SIGTERM)
        waits = [asyncio.create_task(child.wait()) for child in self._children.values()]
        if waits:
            await asyncio.wait(waits, timeout=self._crew.drain_s + STOP_MARGIN_S)
        await self.kill()

    def hurry(self) -> None:
        """A second signal: workers give back what they run and go."""
        for child in self._children.values():
            _signal(child, signal.SIGTERM)

    async def kill(self) -> None:
        """End whatever still runs, at once."""
        self._leaving = True
        for keeper in self._keepers:
            keeper.cancel()
        for child in self._children.values():
            _signal(child, signal.SIGKILL)
        for child in self._children.values():
            await child.wait()

    async def _keep(self, number: int) -> None:
        """Start the worker again whenever it ends by itself."""
        loop = asyncio.get_running_loop()
        crashes, since = 0, loop.time()
        while not self._leaving:
            code = await self._children[number].wait()
            if self._leaving:
                return
            crashes = 1 if loop.time() - since >= STEADY_S else crashes + 1
            delay_s = restart_delay_s(crashes)
            log.warning("local_worker.ended", worker=self._crew.name(number), exit_code=code, restart_s=delay_s)
            await asyncio.sleep(delay_s)
            since = loop.time()
            await self._spawn(number)

    async def _spawn(self, number: int) -> None:
        code = await self._new_code(self._crew.name(number))
        (self._crew.folder / str(number)).mkdir(parents=True, exist_ok=True)
        child = await self._start_process(number)
        self._children[number] = child
        log.info("local_worker.started", worker=self._crew.name(number), pid=child.pid)
        if child.stdin is not None:
            with suppress(ConnectionError):  # it died at once; `_keep` will see that
                child.stdin.write(f"{code}\n".encode())
                await child.stdin.drain()
                child.stdin.close()

    async def _start_process(self, number: int) -> asyncio.subprocess.Process:
        """A child leaves Ctrl-C to its parent, which then drains it: see `worker.bootstrap`."""
        command, pipe = self._crew.command(number), asyncio.subprocess.PIPE
        own = workers_environment()
        if self._crew.log_folder is None:
            return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=sys.stderr, env=own)
        with (self._crew.log_folder / f"worker-{number}.log").open("ab") as file:
            return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=file, stderr=file, env=own)


def _signal(child: asyncio.subprocess.Process, number: int) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.send_signal(number)
