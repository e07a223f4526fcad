"""Pools whose rented workers are kept for some jobs: everybody else is routed past them.

A pool that is grown by the policy `deadline` is paid for because certain jobs would be late at home
(`domain.bursting`). If other work took its workers, they would never be idle, and the late jobs would wait behind it.
This narrows routes that were found already; it can close pools and never opens one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scheduler.routing.route import REASON_KEPT, PoolVerdict, Route, caps_on

Reserved = Mapping[str, Mapping[int, int]]
"""By pool, the jobs that its workers are kept for, with their turns: the lowest goes first, whatever the ranks say. A
pool that is not named is open to all that may use it."""


def is_kept(pool: str, job: int, reserved: Reserved) -> bool:
    """Whether a pool is kept for other jobs than this one."""
    kept = reserved.get(pool)
    return kept is not None and job not in kept


def left_open(pools: tuple[str, ...], job: int, reserved: Reserved) -> tuple[str, ...]:
    """Those of the pools that are not kept for other jobs; the same object where all of them are open."""
    if not reserved or not any(is_kept(pool, job, reserved) for pool in pools):
        return pools
    return tuple(pool for pool in pools if not is_kept(pool, job, reserved))


def narrow(route: Route, job: int, reserved: Reserved) -> Route:
    """A route without the pools that are kept for other jobs, and with the reason."""
    chosen = left_open(route.chosen, job, reserved)
    if len(chosen) == len(route.chosen):
        return route
    verdicts = tuple(
        PoolVerdict(verdict.pool, False, REASON_KEPT, 0.0, verdict.detail, verdict.rule)
        if verdict.pool in route.chosen and verdict.pool not in chosen
        else verdict
        for verdict in route.pools
    )
    return replace(route, chosen=chosen, pools=verdicts, caps=caps_on(chosen, route.caps))
