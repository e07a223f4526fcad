"""Pools that a job may not pay for (any more): its cost cap closes them.

Which those are is decided elsewhere (`domain.cost_caps`). This narrows routes that were found already; it can close
pools and never opens one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scheduler.routing.route import PoolVerdict, Route, caps_on
from scheduler.routing.sieve import Placement


def left_affordable(placement: Placement, closed: Mapping[str, str] | None) -> Placement:
    """A placement without the pools of `closed` (with the reasons); the same object where none of them was chosen."""
    if not closed or closed.keys().isdisjoint(placement.chosen):
        return placement
    chosen = tuple(pool for pool in placement.chosen if pool not in closed)
    return replace(placement, chosen=chosen, caps=caps_on(chosen, placement.caps))


def without_unaffordable(route: Route, closed: Mapping[str, str] | None) -> Route:
    """A route without them, each with its reason."""
    if not closed or closed.keys().isdisjoint(route.chosen):
        return route
    chosen = tuple(pool for pool in route.chosen if pool not in closed)
    verdicts = tuple(
        PoolVerdict(verdict.pool, False, closed[verdict.pool], 0.0, verdict.detail, verdict.rule)
        if verdict.pool in route.chosen and verdict.pool in closed
        else verdict
        for verdict in route.pools
    )
    return replace(route, chosen=chosen, pools=verdicts, caps=caps_on(chosen, route.caps))
