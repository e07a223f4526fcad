"""The only place in the scheduler that reads a clock.

`now()` is wall time in UTC, for people and for the record. `monotonic()` is what leases and waits are measured
with, so that a changed system clock never ends a lease.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """What the shell needs to know of time."""

    def now(self) -> datetime:
        """Wall time, timezone-aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow, from an arbitrary zero."""
        ...


def studio_time(now: datetime, zone: str | None) -> datetime:
    """The studio's clock: in the zone of the settings (an IANA name), else in this machine's."""
    return now.astimezone(ZoneInfo(zone) if zone else None)


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when it is told to: for tests and for the simulator."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
