"""Production's wishes applied to jobs: what is kept with them, and the pause and the resume that a status asks for.

A person's pause is a person's: the tracker resumes only what it has paused itself, and pauses again only for a status
that is news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.domain.states import JOB_TRANSITIONS, TERMINAL_JOBS, JobEvent, JobStatus, may
from scheduler.domain.tracking import Tracked, Wish, tracked
from scheduler.priorities.deciding import Decision
from scheduler.priorities.syncing import Tracker
from scheduler.service.farm import Farm, iso
from scheduler.service.ledger import Ledger
from scheduler.store.tables import Job
from scheduler.store.transaction import Query, Transaction

HELD_BY_TRACKING = "tracking"

WISHES_PER_CHANGE = 50
"""Jobs of one transaction: a show of ten thousand that is raised at once must not keep the leases waiting."""

WISHED_JOB = Query(
    """
    SELECT name, status, priority, held_by, tracked_priority, tracked_source, tracked_deadline, tracked_hold
    FROM job WHERE id = ? AND NOT removed
    """
)
KEEP_WISH = Query(
    """
    UPDATE job SET tracked_priority = ?, tracked_source = ?, tracked_deadline = ?, tracked_hold = ?, tracked_at = ?
    WHERE id = ?
    """
)
HELD_BY = Query("UPDATE job SET held_by = ? WHERE id = ?")
STILL_PAUSED = Query("UPDATE job SET reason = ? WHERE id = ?")


async def apply_wishes(farm: Farm, decisions: Sequence[Decision]) -> int:
    """Apply what production wishes to the jobs that have not ended; returns how many changed."""
    changed = 0
    for start in range(0, len(decisions), WISHES_PER_CHANGE):
        part = decisions[start : start + WISHES_PER_CHANGE]
        changed += await farm.change(lambda tx, ledger, part=part: _apply_all(tx, ledger, part))
        await asyncio.sleep(0)  # let whoever came meanwhile have the writer
    return changed


def wish_new_job(tracker: Tracker | None, row: Job, now_s: float) -> None:
    """Give a job that is being submitted its wish, from memory alone: nobody waits for the tracker."""
    wish = None if tracker is None else tracker.glance(row.tracking)
    if wish is None:
        return
    new = tracked(wish, row.priority)
    row.tracked_priority, row.tracked_source, row.tracked_at = new.priority, new.source, now_s
    row.tracked_deadline, row.tracked_hold = new.deadline_s, new.hold
    if wish.hold is not None and row.status == JobStatus.QUEUED:
        row.status, row.held_by, row.reason = JobStatus.PAUSED, HELD_BY_TRACKING, _held_reason(wish)


@dataclass(frozen=True, slots=True)
class _Row:
    """The columns of a job that a wish reads."""

    job: int
    name: str
    status: JobStatus
    priority: int
    held_by: str
    kept: Tracked


def _apply_all(tx: Transaction, ledger: Ledger, decisions: Sequence[Decision]) -> int:
    changed = 0
    for decision in decisions:
        found = tx.rows(WISHED_JOB, (decision.job,))
        if found:
            name, status, priority, held_by, *kept = found[0]
            row = _Row(decision.job, name, JobStatus(status), priority, held_by, Tracked(*kept))
            if row.status not in TERMINAL_JOBS:
                changed += _apply(tx, ledger, row, decision.wish)
    return changed


def _apply(tx: Transaction, ledger: Ledger, row: _Row, wish: Wish) -> int:
    """One job: remember the wish, tell it, pause or resume. 1 if anything changed."""
    old, new = row.kept, tracked(wish, row.priority)
    if new == old:
        return 0
    tx.run(KEEP_WISH, (new.priority, new.source, new.deadline_s, new.hold, ledger.now_s, row.job))
    ledger.replan = True
    ledger.event(tx, "job.wish", job=row.job, old=_told(old), new=_told(new), notes=list(wish.notes))
    if new.hold is not None and new.hold != old.hold and may(JOB_TRANSITIONS, row.status, JobEvent.PAUSE):
        tx.run(HELD_BY, (HELD_BY_TRACKING, row.job))
        ledger.move_job(tx, row.job, row.status, JobEvent.PAUSE, _held_reason(wish), name=row.name)
    elif new.hold is None and row.status is JobStatus.PAUSED and row.held_by == HELD_BY_TRACKING:
        _let_go(tx, ledger, row, wish)
    return 1


def _let_go(tx: Transaction, ledger: Ledger, row: _Row, wish: Wish) -> None:
    """A job that the tracker had paused goes on, unless what it is for is no longer there."""
    tx.run(HELD_BY, ("", row.job))
    if wish.gone:
        # Shots are deleted and shows archived when nobody wants them any more: that must not start a render.
        tx.run(STILL_PAUSED, (f"still paused: {wish.source}; resume it if it is wanted", row.job))
        return
    after = ledger.move_job(tx, row.job, row.status, JobEvent.RESUME, "resumed by ShotGrid", name=row.name)
    if after is JobStatus.QUEUED:
        ledger.ripple(tx, row.job)  # one that had started is RUNNING again at once


def _held_reason(wish: Wish) -> str:
    return f"held by ShotGrid: {wish.hold_source} is {wish.hold}"


def _told(kept: Tracked) -> dict[str, Any]:
    """A wish as events tell it."""
    return {"priority": kept.priority, "source": kept.source, "deadline": iso(kept.deadline_s), "hold": kept.hold}
