"""What home cannot do in time: how much of which job's work somebody else must do, and by when.

A job that would end late at home needs so much work taken away: its lateness times the power of home. The work may come
from the job itself or from one that goes before it; whatever is taken away once helps all that come after. This module
owns that sum; who takes the work over, and whether anybody does, is `bursting`'s.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from scheduler.domain.scaling import Ground, PoolView, Work

SMALL_S = 1.0
"""Less work than this that home cannot do in time is a rounding error."""


@dataclass(frozen=True, slots=True)
class Overflow:
    """Seconds of work of a job that home cannot do in time, and the date by which others must (None: at once)."""

    work_s: float
    due_s: float | None

    @property
    def until_s(self) -> float:
        """The date as a number: without one, there is no end."""
        return math.inf if self.due_s is None else self.due_s


class _Ledger:
    """Who gives how much work away, and what was given in all by those that end before the job that is looked at.

    `givers` are jobs that are covered anyhow, with the work that they could still give.
    """

    def __init__(self) -> None:
        self.found: dict[int, Overflow] = {}
        self.given_s = 0.0
        self.givers: list[tuple[Work, float]] = []

    def give(self, work: Work, part_s: float, due_s: float | None) -> None:
        """So much more of a job is done elsewhere, by the date of the job that needs it, or its own."""
        before = self.found.get(work.job)
        dues = [due for due in (due_s, work.deadline_s, before.due_s if before else None) if due is not None]
        self.found[work.job] = Overflow(part_s + (before.work_s if before else 0.0), min(dues, default=None))

    def take(self, need_s: float, due_s: float) -> float:
        """Take from those that are covered anyhow; returns what is still needed."""
        while need_s >= SMALL_S and self.givers:
            giver, has_s = self.givers.pop()
            part_s = min(has_s, need_s)
            self.give(giver, part_s, due_s)
            self.given_s += part_s
            need_s -= part_s
            if has_s > part_s:
                self.givers.append((giver, has_s - part_s))
        return need_s


def overflows(ground: Ground, pools: Mapping[str, PoolView], without: Collection[int] = ()) -> dict[int, Overflow]:
    """By job, what home cannot do in time; only of jobs that one of these pools could cover, but for those `without`.

    Jobs are looked at in the order in which home would end them, and what jobs give that are covered anyhow counts
    first. So whose turn it is at home may change from one forecast to the next without anything new being rented.
    """
    ledger = _Ledger()
    for work in sorted(ground.work, key=_ends):
        able = [pools[name] for name in work.pools if name in pools]
        may_s = work.elsewhere_s(pool.name for pool in able)
        if work.job in without or may_s < SMALL_S or not able:
            continue
        if work.deadline_s is None or not work.home or work.home_finish_s is None:
            if work.deadline_s is not None or (not work.home and len(able) == len(work.pools)):
                ledger.give(work, may_s, work.deadline_s)
            continue
        if work.job in ground.covered:
            ledger.givers.append((work, may_s))
        late_s = max(lateness_s(work, pool.caution) + margin_s(work, pool, ground.now_s) for pool in able)
        need_s = ledger.take(late_s * work.home_power - ledger.given_s, work.deadline_s)
        before = ledger.found.get(work.job)
        own_s = may_s - (before.work_s if before else 0.0)
        if need_s >= SMALL_S and own_s > 0:
            part_s = min(own_s, max(need_s, work.task_s))  # a task goes as a whole
            ledger.give(work, part_s, work.deadline_s)
            ledger.given_s += part_s
    return ledger.found


def _ends(work: Work) -> tuple[float, int]:
    return (math.inf if work.home_finish_s is None else work.home_finish_s), work.job


def lateness_s(work: Work, caution: float) -> float:
    """How late the job would be at home (negative: to spare), guarding against this part of the forecast's doubt."""
    if work.deadline_s is None:
        return -math.inf
    if not work.home or work.home_finish_s is None:
        return math.inf
    high_s = work.home_finish_s if work.home_high_s is None else max(work.home_high_s, work.home_finish_s)
    return work.home_finish_s + caution * (high_s - work.home_finish_s) - work.deadline_s


def margin_s(work: Work, pool: PoolView, now_s: float) -> float:
    """How long before its date a job should end, because some of its tasks may take far longer than expected.

    Never more than half of the time that is left, so that it fades as the date comes near.
    """
    if work.deadline_s is None:
        return 0.0
    return min(pool.margin_tasks * work.task_s, max(0.0, work.deadline_s - now_s) / 2)
