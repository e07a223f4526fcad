"""How long to wait before trying again: exponential, capped, with full jitter, and what the scheduler asks for.

Full jitter (a uniform draw from zero to the ceiling) spreads a farm's retries after an outage best:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import random

SPREAD = 0.1
"""Share by which a regular interval is jittered, so that workers do not call in step."""


class Backoff:
    """Delays in seconds for one series of tries. Not thread-safe: each thread has its own."""

    def __init__(self, base_s: float, cap_s: float, rng: random.Random) -> None:
        self._base_s, self._cap_s, self._rng = base_s, cap_s, rng
        self._failures = 0

    def reset(self) -> None:
        """The last try worked: begin with short delays again."""
        self._failures = 0

    def next_s(self, asked_s: float = 0.0) -> float:
        """The delay after one more failure, never shorter than `asked_s` (the scheduler's Retry-After)."""
        ceiling_s = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return max(asked_s, self._rng.uniform(0.5 * self._base_s, ceiling_s))


def jittered(interval_s: float, rng: random.Random) -> float:
    """`interval_s`, up to `SPREAD` shorter: never longer, because leases end on time."""
    return interval_s * (1.0 - SPREAD * rng.random())
