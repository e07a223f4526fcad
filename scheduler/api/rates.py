"""How fast one caller may ask: a token bucket each, on a clock that is passed in."""

from __future__ import annotations

from collections import OrderedDict

CALLERS_MAX = 10_000
"""Callers that are remembered; the one longest unheard of is forgotten first."""


class Buckets:
    """One bucket per caller: `burst` requests at once, `rate_per_s` in the long run."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._rate_per_s, self._burst = rate_per_s, float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, now_s: float) -> float:
        """Take one request from the caller's bucket; 0.0 if it had one, else the seconds until it will.

        `now_s` is monotonic time in seconds.
        """
        left, seen_s = self._buckets.pop(caller, (self._burst, now_s))
        left = min(self._burst, left + max(0.0, now_s - seen_s) * self._rate_per_s)
        granted = left >= 1.0
        self._buckets[caller] = (left - 1.0 if granted else left, now_s)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1.0 - left) / self._rate_per_s
