"""Which leases have run out. Time is the scheduler's own monotonic clock; a worker's clock is never compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeaseView:
    """One lease as it is known in memory: `renewed_s` is when its worker last named it."""

    task: int
    attempt: int
    worker: str
    renewed_s: float


@dataclass(frozen=True)
class Rhythm:
    """How long a lease lasts, how often it is renewed, and the grace given to a late renewal, in seconds."""

    lease_s: float = 20.0
    renew_s: float = 6.0
    grace_s: float = 10.0


def expired(leases: Iterable[LeaseView], now_s: float, rhythm: Rhythm) -> list[LeaseView]:
    """The leases not renewed for longer than lease and grace, oldest first."""
    limit_s = now_s - rhythm.lease_s - rhythm.grace_s
    return sorted((lease for lease in leases if lease.renewed_s < limit_s), key=lambda lease: lease.renewed_s)


def next_sync_s(workers: int, rhythm: Rhythm, *, syncs_per_s_max: float) -> float:
    """How long a worker should wait before it calls again: stretched on a big farm, never beyond the lease."""
    return min(max(rhythm.renew_s, workers / syncs_per_s_max), rhythm.lease_s * 0.75)
