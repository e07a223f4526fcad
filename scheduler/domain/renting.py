"""What a rented machine gives and what it costs: work lost to pre-emption, price of a second of work, billing units."""

from __future__ import annotations

import math
from collections.abc import Iterable

from scheduler.domain.scaling import InstanceView, PoolView

HOUR_S = 3600.0

LOSSES_MAX = 20.0
"""Expected losses within one task beyond which it is as good as never done."""

LEAD_S = 120.0
"""So long before the end of a unit that is paid for an idle instance is ended; later it might begin another one."""


def rework(pool: PoolView, task_s: float) -> float:
    """How much longer work takes because instances are taken back and their tasks begun anew; 1: not at all.

    With losses at a constant rate r, a task of length t that starts over every time, b after a loss, takes
    (exp(r·t) - 1)·(1/r + b) on average (Ross, Introduction to Probability Models, on renewal by exponential failures).
    """
    if pool.loss_per_hour <= 0 or task_s <= 0:
        return 1.0
    rate = -math.log1p(-min(pool.loss_per_hour, 0.999)) / HOUR_S
    length_s = task_s / pool.power
    return math.expm1(min(rate * length_s, LOSSES_MAX)) * (1.0 / rate + pool.boot_s) / length_s


def usd_per_work_s(pool: PoolView, task_s: float) -> float:
    """US dollars for a second of work of the reference machine, in tasks of this length."""
    return pool.price_usd_per_hour / HOUR_S / (pool.slots * pool.power) * rework(pool, task_s)


def cheapest_first(pools: Iterable[PoolView], task_s: float) -> list[PoolView]:
    """The pools by what work costs there; where that is the same, by how soon a new machine works, then by name."""
    return sorted(pools, key=lambda pool: (usd_per_work_s(pool, task_s), pool.boot_s + pool.transfer_s, pool.name))


def paid_left_s(pool: PoolView, instance: InstanceView, now_s: float) -> float:
    """How long an instance may stay without costing more than it has already."""
    return pool.billing_s - (now_s - instance.launched_at_s) % pool.billing_s


def may_go(pool: PoolView, instance: InstanceView, now_s: float) -> bool:
    """Whether an idle instance has been idle for long enough, and the next unit to be paid for is near."""
    if instance.idle_since_s is None or now_s - instance.idle_since_s < pool.idle_s:
        return False
    return pool.billing_s <= LEAD_S or paid_left_s(pool, instance, now_s) <= LEAD_S


def affordable(usd: float | None, pool: PoolView) -> int | None:
    """How many launches this money is enough for; None: any number."""
    if usd is None or pool.reserve_usd <= 0:
        return None
    return max(0, math.floor(usd / pool.reserve_usd + 1e-9))
