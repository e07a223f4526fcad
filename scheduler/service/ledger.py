"""What one transaction did: state counts of steps, jobs that moved, leases that ended, events that were written.

A use case moves tasks through the ledger; `settle` then writes each touched step once, lets the job ripple, and the
finished ledger is handed to `Live.apply` after the commit. So memory never runs ahead of the disk.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.ripple import TaskCounts, job_event
from scheduler.domain.states import JOB_TRANSITIONS, TERMINAL_JOBS, JobEvent, JobStatus, TaskStatus, WorkerStatus, step
from scheduler.priorities.outbox import Outbox
from scheduler.service.refunding import refund_unstarted
from scheduler.store import hot
from scheduler.store.transaction import Transaction

_COLUMN = {
    TaskStatus.BLOCKED: 0,
    TaskStatus.READY: 1,
    TaskStatus.LEASED: 2,
    TaskStatus.SUCCEEDED: 3,
    TaskStatus.FAILED: 4,
}


@dataclass(frozen=True)
class EventNote:
    """One row of the event table, as subscribers see it."""

    id: int
    at: float
    kind: str
    job: int | None
    task: int | None
    attempt: int | None
    worker: str | None
    data: dict[str, Any]


@dataclass
class Ledger:
    """Collects one transaction's effects; see the module's docstring."""

    now_s: float
    failed_tasks_max: int
    outbox: Outbox | None = None
    """Where the tracker is told of jobs that moved, in the same transaction."""
    moves: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0, 0]))
    ended: list[tuple[int, int]] = field(default_factory=list)
    events: list[EventNote] = field(default_factory=list)
    jobs_moved: dict[int, JobStatus] = field(default_factory=dict)
    workers_moved: dict[str, tuple[WorkerStatus, float | None, bool]] = field(default_factory=dict)
    replan: bool = False

    def move(self, step_id: int, before: TaskStatus, after: TaskStatus, count: int = 1) -> None:
        """`count` tasks of a step went from one state to another."""
        if before is after:
            return
        counts = self.moves[step_id]
        counts[_COLUMN[before]] -= count
        counts[_COLUMN[after]] += count

    def end_lease(self, task: int, attempt: int) -> None:
        """An attempt does not hold its lease any more."""
        self.ended.append((task, attempt))

    def event(
        self,
        tx: Transaction,
        kind: str,
        *,
        job: int | None = None,
        task: int | None = None,
        attempt: int | None = None,
        worker: str | None = None,
        **data: Any,
    ) -> None:
        """Write an event and remember it for subscribers."""
        row = (self.now_s, kind, job, task, attempt, worker, json.dumps(data))
        event_id = int(tx.rows(hot.EVENT, row)[0][0])
        self.events.append(EventNote(event_id, self.now_s, kind, job, task, attempt, worker, data))

    def settle(self, tx: Transaction, *, started_jobs: frozenset[int] | set[int] = frozenset()) -> None:
        """Write the touched steps, and let their jobs ripple. Jobs in `started_jobs` are known to be RUNNING."""
        touched: dict[int, TaskCounts] = {}
        for step_id, (blocked, ready, leased, succeeded, failed) in self.moves.items():
            row = tx.rows(hot.STEP_MOVE, (blocked, ready, leased, succeeded, failed, step_id))[0]
            touched[int(row[0])] = TaskCounts(*(int(value) for value in row[1:7]))
        for job_id, counts in touched.items():
            drained = counts.blocked + counts.ready + counts.leased == 0
            if drained or counts.failed or job_id not in started_jobs:
                self.ripple(tx, job_id)

    def ripple(self, tx: Transaction, job_id: int) -> None:
        """Move a job as its tasks' counts ask for."""
        status_text, name = tx.rows(hot.JOB_STATE, (job_id,))[0]
        status = JobStatus(status_text)
        counts = TaskCounts(*(int(value or 0) for value in tx.rows(hot.JOB_COUNTS, (job_id,))[0]))
        ripple = job_event(status, counts, failed_tasks_max=self.failed_tasks_max)
        while ripple is not None:
            self.move_job(tx, job_id, status, ripple.event, ripple.reason, name=str(name))
            status = step(JOB_TRANSITIONS, status, ripple.event)
            ripple = job_event(status, counts, failed_tasks_max=self.failed_tasks_max)

    def move_job(
        self, tx: Transaction, job_id: int, before: JobStatus, event: JobEvent, reason: str, *, name: str
    ) -> JobStatus:
        """One transition of a job, with its event and what follows for the jobs that depend on it."""
        after = step(JOB_TRANSITIONS, before, event, story=f"job {job_id:05d}")
        ended_at = self.now_s if after in TERMINAL_JOBS else None
        started_at = self.now_s if after is JobStatus.RUNNING else None
        tx.run(hot.JOB_MOVE, (after.value, reason, started_at, ended_at, job_id, before.value))
        self.jobs_moved[job_id] = after
        if self.outbox is not None:
            self.outbox.job_moved(tx, self.now_s, job_id, after)
        self.replan = True
        if after in TERMINAL_JOBS:
            self._close_leases(tx, job_id, after)
        if after is JobStatus.CANCELED:
            for user, points in refund_unstarted(tx, job_id, self.now_s).items():
                self.event(tx, "points.refunded", job=job_id, user=user, points=points)
        self.event(tx, "job.status", job=job_id, name=name, old=before.value, new=after.value, reason=reason)
        if after is JobStatus.SUCCEEDED:
            tx.run(hot.DEPENDENTS_RELEASE, (job_id,))
            tx.run(hot.DEPENDENCIES_MET, (job_id,))
        return after

    def _close_leases(self, tx: Transaction, job_id: int, status: JobStatus) -> None:
        """No ended job has a leased task. A canceled job's tasks are canceled, a failed one's can be retried."""
        after = TaskStatus.CANCELED if status is JobStatus.CANCELED else TaskStatus.READY
        for task, attempt, step_id in tx.rows(hot.CLOSE_LEASES, (after.value, job_id)):
            tx.run(hot.ATTEMPT_CLOSED, (self.now_s, task, attempt))
            self.end_lease(int(task), int(attempt))
            if after is TaskStatus.READY:
                tx.rows(hot.STEP_MOVE, (0, 1, -1, 0, 0, step_id))
        if after is TaskStatus.CANCELED:
            tx.run(hot.CANCEL_WAITING, (job_id,))
            tx.run(hot.STEPS_CANCELED, (job_id,))
