"""Routing of one step over the pools there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scheduler.routing.machines import Machine, Needs, shortfall

HOME_POOL = "onprem"
"""The studio's own machines. Without a rule that allows it, no job leaves it."""

REASON_NOT_ASKED = "the job names other pools"
REASON_AWAY = "no rule lets this job leave the studio's own machines"
REASON_EMPTY = "no worker of this pool is here at the moment"
REASON_UNFIT = "no worker of this pool has what the job needs"
REASON_FITS = "workers of this pool can take it"


@dataclass(frozen=True)
class Pool:
    """A pool as routing sees it."""

    name: str
    machines: tuple[Machine, ...] = ()


@dataclass(frozen=True)
class RouteRequest:
    """What routing needs to know of a step. `pools` empty: the job names none."""

    needs: Needs
    pools: tuple[str, ...] = ()


@dataclass(frozen=True)
class PoolVerdict:
    """May the step run in this pool, how well would it do there, and why (not)."""

    pool: str
    allowed: bool
    reason: str
    score: float = 0.0
    detail: str = ""


@dataclass(frozen=True)
class Route:
    """Where a step goes: the allowed pools, best first, and the verdict on every pool."""

    chosen: tuple[str, ...]
    pools: tuple[PoolVerdict, ...] = field(default=())

    @property
    def placeable(self) -> bool:
        """Whether some worker that is here now could take it."""
        return any(verdict.allowed and verdict.reason == REASON_FITS for verdict in self.pools)


Filter = Callable[[RouteRequest, Pool], str | None]


def _asked_for(request: RouteRequest, pool: Pool) -> str | None:
    return REASON_NOT_ASKED if request.pools and pool.name not in request.pools else None


def _stays_home(_request: RouteRequest, pool: Pool) -> str | None:
    return REASON_AWAY if pool.name != HOME_POOL else None


FILTERS: tuple[Filter, ...] = (_asked_for, _stays_home)


def route(request: RouteRequest, pools: Sequence[Pool]) -> Route:
    """Filter, score, choose. A pool without a fitting worker stays allowed: a worker may appear."""
    verdicts = tuple(_verdict(request, pool) for pool in pools)
    allowed = sorted((v for v in verdicts if v.allowed), key=lambda v: (-v.score, v.pool))
    return Route(tuple(v.pool for v in allowed), verdicts)


def _verdict(request: RouteRequest, pool: Pool) -> PoolVerdict:
    for no in FILTERS:
        reason = no(request, pool)
        if reason is not None:
            return PoolVerdict(pool.name, False, reason)
    if not pool.machines:
        return PoolVerdict(pool.name, True, REASON_EMPTY)
    lacks = [shortfall(request.needs, machine) for machine in pool.machines]
    fitting = sum(1 for lack in lacks if not lack)
    detail = _count_lacks(lacks, len(pool.machines))
    if not fitting:
        return PoolVerdict(pool.name, True, REASON_UNFIT, detail=detail)
    return PoolVerdict(pool.name, True, REASON_FITS, score=fitting / len(pool.machines), detail=detail)


def _count_lacks(lacks: Sequence[tuple[str, ...]], machines: int) -> str:
    """E.g. `3 of 40 workers can take it; 37 have less than 64 GiB`."""
    fitting = sum(1 for lack in lacks if not lack)
    counts: dict[str, int] = {}
    for lack in lacks:
        for reason in lack:
            counts[reason] = counts.get(reason, 0) + 1
    told = "; ".join(
        f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"{fitting} of {machines} workers can take it" + (f"; {told}" if told else "")
