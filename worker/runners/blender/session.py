"""One Blender process that stays: it has a file open, and renders one task after another from it.

The session owns the process, its private folder, and the conversation with the driver: a command goes out as one line
of JSON, events come back until "done" or "refused". What commands mean, and when a session is worth keeping, is
decided elsewhere.
"""

from __future__ import annotations

import json
import queue
import secrets
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.clock import Clock
from worker.runners.base import RenderCancelled, RenderFailed, Reporter
from worker.runners.blender import failures
from worker.runners.blender.discovery import Blender
from worker.runners.process_tree import TAIL_LINES, ProcessTree, scrubbed_environment

DRIVER = Path(__file__).with_name("driver") / "start.py"

POLL_S = 0.1
"""How often a running task looks whether it was asked to stop."""

PROGRESS_EVERY_S = 0.25
DEATH_WAIT_S = 5.0
"""How long the exit code of a process may take whose pipes have closed."""

QUEUE_MAX = 20_000
"""Lines of log that may wait for the slot; more are dropped until it has caught up."""

LOG_LINES_MAX = 2000
"""Lines of Blender's output that go into the log of one task."""

RENDERS = ("render", "part", "develop")
"""Commands during which a script of the scene must not fail; on opening, many a rig's script misses the windows."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Identity:
    """What a session is good for: this file as it is now, in this Blender, with these rights."""

    path: Path
    mtime_ns: int
    size: int
    inode: int
    blender: Blender
    trusted: bool
    threads: int


def identify(path: Path, blender: Blender, *, trusted: bool, threads: int) -> Identity:
    """The identity of a file on disk.

    Raises:
        OSError: it is not there.
    """
    stat = path.stat()
    return Identity(path, stat.st_mtime_ns, stat.st_size, stat.st_ino, blender, trusted, threads)


class Watch:
    """What a conversation is measured by: the task's reporter, its deadline, and who hears of lines and time."""

    def __init__(self, reporter: Reporter, clock: Clock, timeout_s: float) -> None:
        self.reporter = reporter
        self.clock = clock
        self.timeout_s = timeout_s
        self.deadline = clock.monotonic() + timeout_s
        self.doing = "starting"
        self.on_line: Callable[[str], None] = lambda _: None
        self.on_time: Callable[[], None] = lambda: None
        self._lines = 0
        self._next_time = 0.0

    def line(self, text: str) -> None:
        """A line of Blender's output: its progress is not logged, and the log is bounded."""
        self.on_line(text)
        if text.startswith("Fra:"):
            return
        self._lines += 1
        if self._lines <= LOG_LINES_MAX:
            self.reporter.log(text)
        elif self._lines == LOG_LINES_MAX + 1:
            self.reporter.log(f"… Blender has said more than {LOG_LINES_MAX} lines; the rest is left out.")

    def tick(self) -> None:
        """Look at the time.

        Raises:
            RenderCancelled: the task was asked to stop.
            RenderFailed: its time is over.
        """
        if self.reporter.cancelled.is_set():
            raise RenderCancelled
        now = self.clock.monotonic()
        if now >= self.deadline:
            raise failures.timed_out(self.timeout_s)
        if now >= self._next_time:
            self._next_time = now + PROGRESS_EVERY_S
            self.on_time()


class BlenderSession:
    """A running Blender under the driver. Used by one thread at a time; `kill` may come from any."""

    def __init__(
        self, blender: Blender, environment: Mapping[str, str], root: Path, *, trusted: bool, threads: int
    ) -> None:
        """Start the process, in a new folder below `root`.

        Raises:
            RenderFailed: it cannot be started.
        """
        root.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="session-", dir=root))
        self._token = secrets.token_hex(16)
        self._queue: queue.SimpleQueue[str | Event] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._commands = 0
        self._killed = False
        self.frame_s: float | None = None
        """What a frame took last."""
        try:
            self._process = ProcessTree(
                blender.command(DRIVER, trusted=trusted, threads=threads),
                environment=_environment(environment, self._folder),
                folder=self._folder,
                on_line=self._on_line,
                on_stdout=self._on_stdout,
            )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise RenderFailed(f"{blender.path} cannot be started: {error}. Reinstall Blender.", "infra") from error
        self._process.send(json.dumps({"token": self._token}))

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.exit_code is None

    def rss_bytes(self) -> int:
        """Memory that the process holds."""
        return self._process.rss_bytes()

    def ask(self, command: Mapping[str, Any], watch: Watch, on_event: Callable[[Event], None] | None = None) -> Event:
        """Send a command and wait for its answer; events on the way go to `on_event`.

        Kills the process on any failure, but for a refusal that has left it unharmed.

        Raises:
            RenderFailed: the driver refused, Blender died, a script of the scene raised, or the time is over.
            RenderCancelled: the task was asked to stop.
        """
        self._commands += 1
        usable = False
        try:
            self._process.send(json.dumps({**command, "id": self._commands}))
            lines: list[str] = []
            answer = self._converse(self._commands, watch, on_event or (lambda _: None), lines)
            raised = failures.script_raised(lines) if command["op"] in RENDERS else None
            usable = answer.get("reusable", True) and raised is None
            if answer["event"] == "refused":
                raise failures.refused(answer["code"], answer["data"])
            if raised is not None:
                raise raised
            return answer
        finally:
            if not usable:
                self.kill()

    def kill(self) -> None:
        """End the process and all it has started, and remove its folder."""
        self._killed = True
        self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _converse(self, number: int, watch: Watch, on_event: Callable[[Event], None], lines: list[str]) -> Event:
        answer: Event | None = None
        log_ended = False
        while answer is None or not log_ended:
            watch.tick()
            item = self._take(watch)
            if item is None:
                continue
            if isinstance(item, str):
                watch.line(item)
                _keep(lines, item)
            elif item["id"] != number:
                continue
            elif item["event"] in ("done", "refused"):
                answer = item
            elif item["event"] == "log end":
                log_ended = True
            elif item["event"] == "stats":
                watch.on_line(item["text"])
            elif item["event"] == "note":
                watch.reporter.log(item["text"])
            else:
                on_event(item)
        return answer

    def _take(self, watch: Watch) -> str | Event | None:
        try:
            return self._queue.get(timeout=POLL_S)
        except queue.Empty:
            if not self.alive and self._queue.empty():
                code = self._process.wait(DEATH_WAIT_S)
                if self._killed:
                    raise RenderCancelled from None  # by `kill`, from another thread
                if self._queue.empty():
                    raise failures.died(code, list(self._tail), watch.doing) from None
            return None

    def _on_stdout(self, line: str) -> None:
        prefix, _, text = line.partition(" ")
        if prefix == self._token:
            self._queue.put(json.loads(text))
        else:
            self._on_line(line)

    def _on_line(self, line: str) -> None:
        prefix, _, number = line.partition(" ")
        if prefix == self._token:
            self._queue.put({"event": "log end", "id": int(number)})
            return
        if not line.startswith("Fra:"):
            self._tail.append(line)
        if self._queue.qsize() < QUEUE_MAX:
            self._queue.put(line)


def _environment(source: Mapping[str, str], folder: Path) -> dict[str, str]:
    """A Blender without a user: no preferences, no add-ons, no start-up scripts of whoever sits at this machine."""
    user = folder / "blender"
    user.mkdir()
    names = ("RESOURCES", "CONFIG", "SCRIPTS", "DATAFILES", "EXTENSIONS")
    return scrubbed_environment(source, folder) | {f"BLENDER_USER_{name}": str(user) for name in names}


def _keep(lines: list[str], line: str) -> None:
    """Remember what was said during a command, but for progress, and not without end."""
    if not line.startswith("Fra:") and len(lines) < LOG_LINES_MAX:
        lines.append(line)


def sweep(root: Path) -> None:
    """Remove the folders of sessions that an earlier worker has left behind when it was killed."""
    for folder in root.glob("session-*"):
        shutil.rmtree(folder, ignore_errors=True)
