"""A child process with everything it starts: its clean environment, its bounded output, its end.

A renderer runs what an artist's file tells it to, so it inherits an allow-list of variables and nothing else. It leads
a process group of its own, which is killed as a whole; and it must not outlive the worker, not even one that was ended
by SIGKILL: it holds a pipe to the worker on stdin, and when that closes, the group goes. A renderer that does not read
stdin itself is started under a tiny watchdog which does (`watched=True`). Which program is run, and what its output
means, is the business of the runners.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

ALLOWED_VARIABLES = frozenset(
    {
        "PATH",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "OCIO",  # the studio's colour configuration: without it the colours are others
        "DISPLAY",
        "XAUTHORITY",
        "CUDA_VISIBLE_DEVICES",
        "NVIDIA_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "ROCR_VISIBLE_DEVICES",
        "ZE_AFFINITY_MASK",
        "SYSTEMROOT",
        "SYSTEMDRIVE",
        "WINDIR",
        "COMSPEC",
        "PATHEXT",
    }
)
"""What a renderer may know of the worker's environment. Tokens, PYTHONPATH and LD_PRELOAD are not among it."""

LINE_MAX_BYTES = 8192
"""A longer line of output is cut; what follows up to its end is dropped."""

MESSAGE_MAX_BYTES = 2**20
"""The same for a stdout that carries messages of a driver."""

TAIL_LINES = 200
"""The last lines of output, kept to explain a failure."""

READ_BYTES = 65_536
END_WAIT_S = 5.0
"""How long a killed process may take to be gone before it is left to the system."""

_WATCHDOG = """
import os, signal, subprocess, sys, threading
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def watch():
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=watch, daemon=True).start()
code = child.wait()
os._exit(code if code >= 0 else 128 - code)
"""


def scrubbed_environment(source: Mapping[str, str], home: Path, also: Collection[str] = ()) -> dict[str, str]:
    """The environment of a renderer: allowed variables of `source`, and private folders below `home`, which are made.

    `also` names further variables that one renderer needs, e.g. the address of its licence server.
    """
    folders = {name: home / name for name in ("home", "tmp", "config", "cache")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in source.items() if name.upper() in ALLOWED_VARIABLES or name in also}
    private = {
        "HOME": folders["home"],
        "USERPROFILE": folders["home"],
        "TMPDIR": folders["tmp"],
        "TEMP": folders["tmp"],
        "TMP": folders["tmp"],
        "XDG_CONFIG_HOME": folders["config"],
        "XDG_CACHE_HOME": folders["cache"],
        "XDG_DATA_HOME": folders["config"],
    }
    return kept | {name: str(folder) for name, folder in private.items()} | {"PYTHONNOUSERSITE": "1"}


class LineSplitter:
    """Cuts a stream of bytes into lines of bounded length; a carriage return ends a line too, as in progress bars."""

    def __init__(self, line_max_bytes: int) -> None:
        self._limit = line_max_bytes
        self._rest = b""
        self._cut = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, without their ends; empty lines are dropped."""
        *whole, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        lines = [self._text(line) for line in whole]
        if len(self._rest) > self._limit:
            # Said at once and not kept: a program that never ends its line must not fill the worker's memory.
            lines.append(self._text(self._rest))
            self._rest, self._cut = b"", True
        return [line for line in lines if line]

    def close(self) -> list[str]:
        """What is left when the stream has ended."""
        line, self._rest = self._text(self._rest), b""
        return [line] if line else []

    def _text(self, line: bytes) -> str:
        if self._cut:
            self._cut = False
            return ""
        return line[: self._limit].decode("utf-8", "replace").rstrip()


class ProcessTree:
    """One running child process and its descendants.

    Lines of output are handed to `on_line` from a thread of this object, stdout and stderr merged; given `on_stdout`,
    stdout goes there and only stderr to `on_line`. Callbacks must be quick and must not raise.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        on_line: Callable[[str], None],
        on_stdout: Callable[[str], None] | None = None,
        watched: bool = False,
    ) -> None:
        """Start `argv` in `folder`; `watched` for a program that does not itself end when its stdin closes.

        Raises:
            OSError: the program cannot be started.
        """
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._on_line = on_line
        prefix = [sys.executable, "-I", "-S", "-c", _WATCHDOG] if watched else []
        self._process = subprocess.Popen(
            [*prefix, *argv],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if on_stdout else subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        self._writing = threading.Lock()
        self._killing = threading.Lock()
        self._finished = False
        assert self._process.stdout is not None
        if on_stdout is None:
            self._readers = [self._read(self._process.stdout.fileno(), self._log, LINE_MAX_BYTES)]
        else:
            assert self._process.stderr is not None
            self._readers = [
                self._read(self._process.stdout.fileno(), on_stdout, MESSAGE_MAX_BYTES),
                self._read(self._process.stderr.fileno(), self._log, LINE_MAX_BYTES),
            ]

    @property
    def pid(self) -> int:
        """The process, which is also its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -n when signal n ended it."""
        return self._process.poll()

    def send(self, line: str) -> bool:
        """Write one line to its stdin; False when it no longer listens."""
        assert self._process.stdin is not None
        with self._writing:
            try:
                self._process.stdin.write(line.encode() + b"\n")
            except (BrokenPipeError, ValueError):
                return False
            return True

    def rss_bytes(self) -> int:
        """Resident memory of the process itself; 0 when it is gone."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for its end, and for its output to be read; its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        code = self._process.wait(timeout_s)
        self._finish()
        return code

    def kill(self) -> None:
        """End the process and everything it has started, at once. Harmless when it has ended already."""
        with self._killing:
            if self._process.poll() is None:
                strays = _descendants(self.pid)  # those that left the group are found only while their parent lives
                _kill_group(self.pid)
                for stray in strays:
                    with suppress(psutil.Error):
                        stray.kill()
                self._process.kill()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_WAIT_S)
            self._finish()

    def _finish(self) -> None:
        """After the leader has gone: its group goes too, and what it has said is read to the end."""
        if self._finished:
            return  # by now the number may name another process
        self._finished = True
        _kill_group(self.pid)
        for reader in self._readers:
            reader.join(END_WAIT_S)
        with self._writing:
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()

    def _read(self, descriptor: int, deliver: Callable[[str], None], line_max_bytes: int) -> threading.Thread:
        def pump() -> None:
            splitter = LineSplitter(line_max_bytes)
            while data := _read_some(descriptor):
                for line in splitter.feed(data):
                    deliver(line)
            for line in splitter.close():
                deliver(line)

        thread = threading.Thread(target=pump, name=f"output of {self.pid}", daemon=True)
        thread.start()
        return thread

    def _log(self, line: str) -> None:
        self.tail.append(line)
        self._on_line(line)


def _read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, READ_BYTES)
    except OSError:
        return b""


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _kill_group(pid: int) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
