"""A speed limit for bytes: whoever sends or receives says how many, and waits as long as that is too fast."""

from __future__ import annotations

import threading

from scheduler.clock import Clock

BURST_S = 0.5
"""Traffic of so long a time may go at once."""


class Pace:
    """At most `bytes_per_s_max` bytes a second (None: as fast as it goes), for one thread."""

    def __init__(self, bytes_per_s_max: int | None, clock: Clock) -> None:
        self._rate, self._clock = bytes_per_s_max, clock
        self._paid_until_s = clock.monotonic()
        self._never = threading.Event()

    def spend(self, count: int) -> None:
        """`count` bytes have passed."""
        if (pause_s := self.owed_s(count)) > 0:
            self._never.wait(pause_s)

    def owed_s(self, count: int) -> float:
        """How long to wait after `count` more bytes; 0 within the burst."""
        if self._rate is None:
            return 0.0
        now_s = self._clock.monotonic()
        self._paid_until_s = max(self._paid_until_s, now_s - BURST_S) + count / self._rate
        return max(0.0, self._paid_until_s - now_s)
