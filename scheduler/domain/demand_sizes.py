"""`demand`: as many instances as the ready tasks can use, each job's in the cheapest pool that its routes allow.

A task counts for one pool, not for each that could take it; what does not fit into one goes to the next. Tasks that are
shorter than a boot share a slot: a worker that comes when the work is done only costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scheduler.domain.renting import cheapest_first
from scheduler.domain.scaling import PoolView, Want, Work

WAITING = "demand: {tasks} ready tasks ({hours:.1f} h of work) find no free slot and are routed here"
NOTHING = "demand: no ready task is routed here that finds no free slot"
SHORT = "they are so short that more than {count} new workers would come too late for them"

FULL = "for {tasks} more it would need more than the {count} workers that it may have"

NOTHING_LEFT = 1e-9
"""Less than this of a slot is a rounding error."""


@dataclass(slots=True)
class Portion:
    """What one pool is to take: ready tasks, seconds of work, and the slots that are worth having for them.

    For `turned_away` more tasks that may go there it may not have enough instances.
    """

    tasks: int = 0
    turned_away: int = 0
    work_s: float = 0.0
    slots: float = 0.0


@dataclass(frozen=True)
class Portions:
    """Every pool's portion, and the ready tasks of each job that were given to one."""

    pools: Mapping[str, Portion] = field(default_factory=dict[str, Portion])
    jobs: Mapping[int, int] = field(default_factory=dict[int, int])


def portion_out(pools: Iterable[PoolView], work: Iterable[Work], free_slots: float) -> Portions:
    """Give ready tasks to pools, in rank order and cheapest first; those that find a free slot at home need none."""
    named = {pool.name: pool for pool in pools}
    portions = {name: Portion() for name in named}
    given: dict[int, int] = {}
    for job in work:
        tasks = job.ready
        if job.home and free_slots > 0:
            taken = min(tasks, math.floor(free_slots))
            free_slots -= taken
            tasks -= taken
        for pool in cheapest_first((named[name] for name in job.pools if name in named), job.task_s):
            if tasks <= 0:
                break
            portion, each = portions[pool.name], tasks_of_a_slot(pool, job.task_s)
            room = (pool.workers_max - pool.busy) * pool.slots - portion.slots
            tasks_here = min(tasks, job.rooms.get(pool.name, tasks))
            count = min(tasks_here, math.floor(room * each + NOTHING_LEFT))
            if count > 0:
                portion.tasks += count
                portion.work_s += job.ready_s * count / job.ready
                portion.slots += count / each
                given[job.job] = given.get(job.job, 0) + count
                tasks -= count
            portion.turned_away += max(0, min(tasks, tasks_here - count))
    return Portions(portions, given)


def tasks_of_a_slot(pool: PoolView, task_s: float) -> int:
    """How many tasks one slot takes, so that it works for as long as its worker needs to come."""
    return max(1, math.ceil((pool.boot_s + pool.transfer_s) * pool.power / task_s))


def demand(pool: PoolView, portion: Portion) -> Want:
    """Busy instances stay; for the portion there are as many more as it has slots worth having."""
    if portion.tasks <= 0:
        return Want(pool.busy, (NOTHING,))
    count = math.ceil(portion.slots / pool.slots - NOTHING_LEFT)
    reasons = [WAITING.format(tasks=portion.tasks, hours=portion.work_s / 3600)]
    if count < math.ceil(portion.tasks / pool.slots):
        reasons.append(SHORT.format(count=count))
    if portion.turned_away:
        reasons.append(FULL.format(tasks=portion.turned_away, count=pool.workers_max))
    return Want(pool.busy + count, tuple(reasons))
