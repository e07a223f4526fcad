"""The only place in the worker that reads a clock.

Leases are measured with `monotonic()` alone: a worker's wall clock may be wrong by a day and nothing happens. `now()`
is for people, in logs and in the spool.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the agent needs to know of time."""

    def now(self) -> datetime:
        """Wall time, timezone-aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow, from an arbitrary zero."""
        ...

    def uptime(self) -> float:
        """Seconds since the machine was started, the same for every process on it."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def uptime(self) -> float:
        clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux; elsewhere monotonic time begins at the start, too
        return time.monotonic() if clock is None else time.clock_gettime(clock)


class ManualClock:
    """A clock that moves only when it is told to."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self._seconds = start_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._seconds, UTC)

    def monotonic(self) -> float:
        return self._seconds

    def uptime(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._seconds += seconds
