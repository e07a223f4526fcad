"""From a snapshot to what is done: every pool's policy is asked, and its wish is bounded, paid for and debounced.

Whatever a policy wants: never more than `workers_max` (what is on its way out counts while it is there), never more
launches than the money is enough for, never below `workers_min`, never a launch and an end at once or shortly after one
another; and only what has been idle for long enough goes, shortly before it would be paid for again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler.domain.bursting import Roster, assign, covers_of, size
from scheduler.domain.demand_sizes import Portions, demand, portion_out
from scheduler.domain.fixed_sizes import static, twostate
from scheduler.domain.renting import affordable, cheapest_first, may_go, paid_left_s
from scheduler.domain.scaling import Decision, Ground, Phase, Policy, PoolView, Scaling, Want

AT_MIN = "workers_min keeps {count}"
AT_MAX = "workers_max allows {count}"
NO_MONEY = "the budget is enough for {count} more launches"
SETTLING = "the pool was changed the other way less than {settle_s:.0f} s ago; it waits"
IDLE = "{count} idle workers go: they are not wanted, and the next unit of {billing_s:.0f} s is near"
STAY = "{count} workers more than wanted stay: they start, are busy, not idle for {idle_s:.0f} s yet, or paid for"

TYPICAL_TASK_S = 600.0
"""Length of a task by which pools are put into the order in which they share the farm's money."""


def decide(ground: Ground) -> Decision:
    """What to do about every pool that is scaled. Pure: the same ground gives the same decision."""
    pools = [pool for pool in ground.pools if pool.policy is not Policy.NONE]
    portions = portion_out(_with(pools, Policy.DEMAND, Policy.TWOSTATE), ground.work, ground.free_slots)
    rosters, hopeless = assign(ground, _with(pools, Policy.DEADLINE), portions.jobs)
    by_name = {roster.pool.name: roster for roster in rosters}
    wants = {pool.name: _want(pool, portions, by_name, ground.now_s) for pool in pools}
    covers = [cover for roster in rosters for cover in covers_of(roster, ground.now_s)]
    scalings = _resize_all(pools, wants, ground)
    return Decision(tuple(scalings[pool.name] for pool in pools), wants, tuple(covers + hopeless))


def _with(pools: Sequence[PoolView], *policies: Policy) -> list[PoolView]:
    return [pool for pool in pools if pool.policy in policies]


def _want(pool: PoolView, portions: Portions, rosters: Mapping[str, Roster], now_s: float) -> Want:
    match pool.policy:
        case Policy.STATIC:
            return static(pool)
        case Policy.TWOSTATE:
            return twostate(pool, waiting=portions.pools[pool.name].tasks > 0, now_s=now_s)
        case Policy.DEMAND:
            return demand(pool, portions.pools[pool.name])
        case Policy.DEADLINE:
            return size(rosters[pool.name])
        case Policy.NONE:
            return Want(pool.present)


def _resize_all(pools: Sequence[PoolView], wants: Mapping[str, Want], ground: Ground) -> dict[str, Scaling]:
    """Cheapest first, so that the farm's money goes where it buys most."""
    left_usd, scalings = ground.budget_usd, dict[str, Scaling]()
    for pool in cheapest_first(pools, TYPICAL_TASK_S):
        scaling = resize(pool, wants[pool.name], ground.now_s, left_usd)
        scalings[pool.name] = scaling
        if left_usd is not None:
            left_usd -= scaling.launch * pool.reserve_usd
    return scalings


def resize(pool: PoolView, want: Want, now_s: float, farm_usd: float | None = None) -> Scaling:
    """One pool brought nearer to what is wanted."""
    reasons = list(want.reasons)
    count = max(want.count, pool.workers_min)
    if count > want.count:
        reasons.append(AT_MIN.format(count=count))
    if count > pool.workers_max:
        count = pool.workers_max
        reasons.append(AT_MAX.format(count=count))
    if count > pool.present:
        return _grow(pool, count, reasons, now_s, farm_usd)
    if count < pool.present:
        return _shrink(pool, count, reasons, now_s)
    return Scaling(pool.name, reasons=tuple(reasons))


def _grow(pool: PoolView, count: int, reasons: list[str], now_s: float, farm_usd: float | None) -> Scaling:
    if _lately(pool.shrunk_at_s, pool, now_s):
        reasons.append(SETTLING.format(settle_s=pool.settle_s))
        return Scaling(pool.name, reasons=tuple(reasons))
    launch = max(0, min(count - pool.present, pool.workers_max - len(pool.instances)))
    for usd in (pool.budget_usd, farm_usd):
        most = affordable(usd, pool)
        if most is not None and most < launch:
            launch = most
            reasons.append(NO_MONEY.format(count=most))
    return Scaling(pool.name, launch, reasons=tuple(reasons))


def _shrink(pool: PoolView, count: int, reasons: list[str], now_s: float) -> Scaling:
    surplus = pool.present - count
    if _lately(pool.grown_at_s, pool, now_s):
        reasons.append(SETTLING.format(settle_s=pool.settle_s))
        return Scaling(pool.name, reasons=tuple(reasons))
    idle = [one for one in pool.instances if one.phase is Phase.RUNNING and may_go(pool, one, now_s)]
    idle.sort(key=lambda one: (paid_left_s(pool, one, now_s), one.launched_at_s, one.id))
    retire = tuple(one.id for one in idle[:surplus])
    if retire:
        reasons.append(IDLE.format(count=len(retire), billing_s=pool.billing_s))
    if len(retire) < surplus:
        reasons.append(STAY.format(count=surplus - len(retire), idle_s=pool.idle_s))
    return Scaling(pool.name, retire=retire, reasons=tuple(reasons))


def _lately(changed_at_s: float | None, pool: PoolView, now_s: float) -> bool:
    return changed_at_s is not None and now_s - changed_at_s < pool.settle_s
