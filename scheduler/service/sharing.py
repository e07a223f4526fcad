"""How much of the farm each project has had lately, followed while the farm runs and remembered over a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sqlmodel import Session, col, select

from scheduler.domain.shares import RecentUse, Run, advance, fractions, remembered
from scheduler.service.live import Live
from scheduler.store.tables import Attempt, Job, Task

HALF_LIVES = 6
"""Half-lives that a restart looks back: what is older counts less than two parts in a hundred."""

RUNS_MAX = 100_000
"""Attempts that a restart reads at most, the newest first."""


class Sharing:
    """The recent use of one farm. `half_life_s` in seconds."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._use = RecentUse(0.0)

    def load(self, session: Session, now_s: float) -> None:
        """Take up what ran before this start."""
        since_s = now_s - HALF_LIVES * self._half_life_s
        rows = session.exec(
            select(Job.project, Attempt.leased_at, Attempt.ended_at)
            .join(Task, col(Task.id) == Attempt.task_id)
            .join(Job, col(Job.id) == Task.job_id)
            .where(col(Attempt.ended_at) > since_s)
            .order_by(col(Attempt.ended_at).desc())
            .limit(RUNS_MAX)
        ).all()
        runs = [Run(project, began, ended) for project, began, ended in rows if ended is not None]
        self._use = remembered(runs, now_s, self._half_life_s)

    def follow(self, live: Live, among: Iterable[str], now_s: float) -> dict[str, float]:
        """Count the slots that are held now; returns what part, 0 to 1, each of these projects has had of theirs."""
        held = Counter(live.plan.project_of(lease.step) for lease in live.leases.values())
        if not self._use.at_s:
            self._use = RecentUse(now_s)
        self._use = advance(self._use, held, now_s, self._half_life_s)
        return fractions(self._use, among)
