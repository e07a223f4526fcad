"""One process of `Render`: started, listened to, ended in time, with everything it has started."""

from __future__ import annotations

import queue
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from worker.clock import Clock
from worker.runners.base import RenderCancelled, RenderFailed, Reporter
from worker.runners.maya import failures
from worker.runners.process_tree import TAIL_LINES, ProcessTree

POLL_S = 0.1
"""How often a running task looks whether it was asked to stop."""

LOOK_EVERY_S = 1.0
QUEUE_MAX = 20_000
"""Lines that may wait for the slot; more are dropped until it has caught up."""

LOG_LINES_MAX = 5000
"""Lines of Maya's output that go into the log of one task; Arnold is talkative."""

TELLING_MAX = 200
SEEN_CHARS_MAX = 1000
"""As much of a line as is searched for what it tells: a scene may print what it likes, of any length."""


class Listener:
    """What Maya says in one task: handed on to the log, which is bounded, and what explains a failure is kept."""

    def __init__(self, reporter: Reporter, on_line: Callable[[str], None]) -> None:
        self._reporter = reporter
        self._on_line = on_line
        self._telling: deque[str] = deque(maxlen=TELLING_MAX)
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._count = 0

    def line(self, text: str) -> None:
        """A line of Maya's output."""
        seen = text[:SEEN_CHARS_MAX]
        self._on_line(seen)
        (self._telling if failures.is_telling(seen) else self._tail).append(seen)
        self._count += 1
        if self._count <= LOG_LINES_MAX:
            self._reporter.log(text)
        elif self._count == LOG_LINES_MAX + 1:
            self._reporter.log(f"… Maya has said more than {LOG_LINES_MAX} lines; the rest is left out.")

    @property
    def telling(self) -> list[str]:
        """The lines that explain a failure, in order, and after them the last of the others."""
        return [*self._telling, *self._tail]


class Deadline:
    """When a task must stop, and why: it was asked to, or its time is over."""

    def __init__(self, reporter: Reporter, clock: Clock, timeout_s: float) -> None:
        self._reporter, self._clock, self._timeout_s = reporter, clock, timeout_s
        self._at = clock.monotonic() + timeout_s

    def tick(self) -> float:
        """The time now.

        Raises:
            RenderCancelled, RenderFailed: see above.
        """
        if self._reporter.cancelled.is_set():
            raise RenderCancelled
        now = self._clock.monotonic()
        if now >= self._at:
            raise failures.timed_out(self._timeout_s)
        return now


def run_process(
    argv: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    deadline: Deadline,
    *,
    listener: Listener,
    look: Callable[[float], None],
    started: Callable[[ProcessTree], None],
) -> int:
    """Run it to its end; its exit code. `look` is called about once a second with the time, `started` with the process.

    Raises:
        RenderCancelled, RenderFailed: it was stopped, or cannot be started. Nothing of it runs any more.
    """
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def keep(line: str) -> None:
        if lines.qsize() < QUEUE_MAX:
            lines.put(line)

    try:
        process = ProcessTree(argv, environment=environment, folder=folder, on_line=keep, watched=True)
    except OSError as error:
        raise RenderFailed(f"{argv[0]} cannot be started: {error}. Reinstall Maya.", "infra") from error
    looked_at = float("-inf")
    try:
        started(process)
        while True:
            now = deadline.tick()
            if now - looked_at >= LOOK_EVERY_S:
                looked_at = now
                look(now)
            with suppress(queue.Empty):
                listener.line(lines.get(timeout=POLL_S))
                continue
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(0)
                break
        while not lines.empty():
            listener.line(lines.get())
        return code
    finally:
        process.kill()
