"""The transactions of a handover: each change of its row, with what follows for the job, at once or not at all.

Which of them is due is `domain.handover`'s to decide, when it is done the liaison's. None of them waits for a network.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from sqlmodel import Session, col, select

from scheduler.domain.frames import format_frames
from scheduler.domain.handover import (
    HANDOVER_TRANSITIONS,
    SITE_WORKER,
    FarJob,
    HandoverEvent,
    HandoverState,
    Outcome,
)
from scheduler.domain.states import JOB_TRANSITIONS, JobEvent, JobStatus, TaskStatus, may, step
from scheduler.service.ledger import Ledger
from scheduler.store import hot
from scheduler.store.sites import Handover
from scheduler.store.tables import Attempt, Job, Task
from scheduler.store.transaction import Transaction

KEY_BYTES = 16
REASON_MAX = 1000
ACTIVE_JOBS = (JobStatus.QUEUED, JobStatus.RUNNING)


def depart(tx: Transaction, ledger: Ledger, job: int, site: str) -> bool:
    """Decide for good that a job is handed over; False if it has started, ended or left meanwhile."""
    row = tx.session.get(Job, job)
    if row is None or row.removed or row.status not in ACTIVE_JOBS or row.away is not None or row.waiting_on:
        return False
    if row.status == JobStatus.RUNNING and job not in unbegun_jobs(tx.session):
        return False
    if tx.session.exec(select(Task.id).where(Task.job_id == job, Task.status == TaskStatus.LEASED).limit(1)).first():
        return False
    frames = awaited(tx.session, job)
    if not frames:
        return False
    tx.session.add(
        Handover(
            job_id=job,
            site=site,
            key=secrets.token_hex(KEY_BYTES),
            state=HandoverState.PENDING.value,
            frames=format_frames(frames),
            manifest=[],
            payload={},
            created_at=ledger.now_s,
        )
    )
    row.away = site
    ledger.replan = True
    ledger.event(tx, "site.departs", job=job, site=site)
    return True


def unbegun_jobs(session: Session) -> frozenset[int]:
    """Jobs that have been away, run as far as their status goes, and that no worker of this farm has ever begun."""
    begun = (
        select(Attempt.task_id)
        .join(Task, col(Task.id) == Attempt.task_id)
        .where(Task.job_id == Job.id, col(Attempt.worker).not_like(f"{SITE_WORKER}%"))
    )
    query = (
        select(Job.id)
        .where(Job.status == JobStatus.RUNNING, col(Job.away).is_(None))
        .where(col(Job.id).in_(select(Handover.job_id)), ~begun.exists())
    )
    return frozenset(job for job in session.exec(query).all() if job is not None)


def awaited(session: Session, job: int) -> list[int]:
    """The frames that a job still lacks: those of its last tasks that have not ended."""
    found = session.exec(
        select(Task.frames).where(
            Task.job_id == job, col(Task.feeds).is_(None), col(Task.status).in_((TaskStatus.READY, TaskStatus.BLOCKED))
        )
    ).all()
    return sorted(int(frame) for frames in found for frame in frames.split(","))


def note_packed(tx: Transaction, number: int, payload: dict[str, Any], manifest: list[dict[str, Any]]) -> None:
    """What will be submitted, and the files that it needs; from now on this does not change any more."""
    row = _row(tx, number)
    if row.state == HandoverState.PENDING:
        row.payload, row.manifest = payload, manifest


def note_shipped(tx: Transaction, number: int) -> None:
    """The files are there."""
    _row(tx, number).shipped = True


def note_sending(tx: Transaction, number: int, far_farm: str, priority: int) -> Handover | None:
    """It is about to be submitted, to that farm and with that priority; None if it is not to be any more."""
    row = _row(tx, number)
    if row.state == HandoverState.SENDING:
        return row
    if row.state != HandoverState.PENDING:
        return None
    row.payload = {**row.payload, "priority": priority}
    row.told_priority, row.far_farm = priority, far_farm
    _move(row, HandoverEvent.SEND)
    return row


def note_admitted(tx: Transaction, ledger: Ledger, number: int, far: FarJob) -> None:
    """The other farm has taken it; there it is paused, until it is told to go on."""
    row = _row(tx, number)
    if row.state != HandoverState.SENDING:
        return
    _move(row, HandoverEvent.ADMIT)
    row.far_job, row.admitted_at = far.job, ledger.now_s
    _see(row, far, ledger.now_s)
    ledger.event(tx, "site.admitted", job=row.job_id, site=row.site, there=far.job)


def note_seen(tx: Transaction, ledger: Ledger, number: int, far: FarJob) -> None:
    """How the job stands there."""
    row = _row(tx, number)
    if row.state != HandoverState.AWAY:
        return
    before = row.far_status
    _see(row, far, ledger.now_s)
    if before != far.status.value:
        ledger.event(
            tx, "site.status", job=row.job_id, site=row.site, there=far.job, old=before, new=far.status.value,
            reason=far.reason,
        )  # fmt: skip


def note_told(
    tx: Transaction,
    number: int,
    *,
    paused: bool | None = None,
    priority: int | None = None,
    cancel: bool | None = None,
) -> None:
    """What the other farm has been told, or (of a cancellation) is about to be."""
    row = _row(tx, number)
    row.told_paused = row.told_paused if paused is None else paused
    row.told_priority = row.told_priority if priority is None else priority
    row.told_cancel = row.told_cancel if cancel is None else cancel


def let_go(tx: Transaction, ledger: Ledger, number: int, reason: str) -> bool:
    """Take the job back: it goes on here, or elsewhere; what the other farm makes of it does not count any more."""
    row = _row(tx, number)
    if row.state == HandoverState.CLOSED or row.let_go:
        return False
    row.let_go, row.reason = True, reason[:REASON_MAX]
    _bring_back(tx, ledger, row.job_id)
    ledger.event(tx, "site.recalled", job=row.job_id, site=row.site, reason=reason)
    return True


def close(
    tx: Transaction, ledger: Ledger, number: int, outcome: Outcome, reason: str = "", *, retry_at: float | None = None
) -> None:
    """The handover is over. `retry_at`: until then the site is not asked again."""
    row = _row(tx, number)
    if row.state == HandoverState.CLOSED:
        return
    _move(row, HandoverEvent.CLOSE)
    row.outcome, row.reason = outcome.value, (reason or row.reason)[:REASON_MAX]
    row.closed_at, row.retry_at = ledger.now_s, retry_at
    if not row.let_go:
        _bring_back(tx, ledger, row.job_id)
    ledger.event(
        tx, "site.closed", job=row.job_id, site=row.site, there=row.far_job, outcome=outcome.value, reason=row.reason
    )


def fail_here(tx: Transaction, ledger: Ledger, number: int, outcome: Outcome, reason: str) -> None:
    """The job has failed there, or is lost: what is missing of it has failed, and the job with it."""
    row = _row(tx, number)
    if row.state == HandoverState.CLOSED:
        return
    if not row.let_go:
        for task, step_id, status in tx.rows(hot.WAITING_TASKS, (row.job_id,)):
            tx.run(hot.FAIL_TASK, (reason[:REASON_MAX], task))
            ledger.move(int(step_id), TaskStatus(status), TaskStatus.FAILED)
    close(tx, ledger, number, outcome, reason)


def end_here(tx: Transaction, ledger: Ledger, number: int, reason: str) -> None:
    """The job was canceled there: so it is here."""
    row = _row(tx, number)
    job = tx.session.get(Job, row.job_id)
    if row.state != HandoverState.CLOSED and not row.let_go and job is not None:
        status = JobStatus(job.status)
        if may(JOB_TRANSITIONS, status, JobEvent.CANCEL):
            ledger.move_job(tx, row.job_id, status, JobEvent.CANCEL, reason[:REASON_MAX], name=job.name)
    close(tx, ledger, number, Outcome.CANCELED, reason)


def open_handovers(session: Session, site: str | None = None) -> list[Handover]:
    """Those that are not over, oldest first."""
    query = select(Handover).where(Handover.state != HandoverState.CLOSED).order_by(col(Handover.id))
    if site is not None:
        query = query.where(Handover.site == site)
    return list(session.exec(query).all())


def needed_blobs(rows: Iterable[Handover]) -> set[str]:
    """The files that handovers still need here."""
    return {file["hash"] for row in rows if not row.shipped for file in row.manifest}


def _bring_back(tx: Transaction, ledger: Ledger, job: int) -> None:
    """Workers of this farm may lease of the job again. A merge whose parts were never made here waits for them."""
    row = tx.session.get(Job, job)
    if row is not None:
        row.away = None
    for (step_id,) in tx.rows(hot.BLOCK_AGAIN, (job,)):
        ledger.move(int(step_id), TaskStatus.READY, TaskStatus.BLOCKED)
    ledger.replan = True


def _see(row: Handover, far: FarJob, now_s: float) -> None:
    row.far_status, row.far_published, row.far_frames = far.status.value, far.published, far.frames
    row.far_worked_s, row.seen_at = far.worked_s, now_s
    row.far_reason, row.far_finish = far.reason or row.far_reason, far.finish or row.far_finish


def _move(row: Handover, event: HandoverEvent) -> None:
    row.state = step(HANDOVER_TRANSITIONS, HandoverState(row.state), event, story=f"handover {row.id}").value


def _row(tx: Transaction, number: int) -> Handover:
    row = tx.session.get(Handover, number)
    assert row is not None, f"there is no handover {number}"
    return row
