"""What people do to jobs: pause, resume, cancel, retry, remove from the queue. Priorities are `overriding`'s."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.domain.states import JOB_TRANSITIONS, JobEvent, JobStatus, TaskStatus, may
from scheduler.errors import Conflict, NotFound
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.service.validating import frames_or_refuse
from scheduler.store import hot
from scheduler.store.tables import Job
from scheduler.store.transaction import Transaction


async def pause_job(farm: Farm, job: int, by: str) -> None:
    """Nothing new of the job is leased; what runs may finish. Pausing a paused job changes nothing."""
    await _move(farm, job, JobEvent.PAUSE, f"paused by {by}", already=JobStatus.PAUSED)


async def resume_job(farm: Farm, job: int, by: str) -> None:
    """The job goes on."""
    await _move(farm, job, JobEvent.RESUME, f"resumed by {by}", already=JobStatus.RUNNING)


async def cancel_job(farm: Farm, job: int, by: str) -> None:
    """End the job: what runs is stopped, what was published stays. Canceling a canceled job changes nothing."""
    await _move(farm, job, JobEvent.CANCEL, f"canceled by {by}", already=JobStatus.CANCELED)


async def remove_job(farm: Farm, job: int, by: str) -> None:
    """Cancel what runs and take the job out of the queue; its record and its frames stay.

    Raises:
        NotFound: there is no such job in the queue.
    """

    def change(tx: Transaction, ledger: Ledger) -> None:
        row = _job(tx, job)
        if may(JOB_TRANSITIONS, JobStatus(row.status), JobEvent.CANCEL):
            ledger.move_job(tx, job, JobStatus(row.status), JobEvent.CANCEL, f"removed by {by}", name=row.name)
            tx.session.refresh(row)
        row.removed = True
        ledger.replan = True
        ledger.event(tx, "job.removed", job=job, name=row.name, by=by)

    await farm.change(change)


async def retry_job(farm: Farm, job: int, by: str, frames: str | None = None) -> None:
    """Failed and canceled tasks get all their attempts back, and the job goes on.

    `frames` limits it to the tasks of these frames. Published frames are not rendered again.

    Raises:
        Conflict: nothing of the job has failed.
    """
    wanted = _frames(frames, farm.settings.limits.frames_per_job_max)

    def change(tx: Transaction, ledger: Ledger) -> None:
        row = _job(tx, job)
        status = JobStatus(row.status)
        reopened = _reopen(tx, ledger, job, wanted)
        if not reopened and not may(JOB_TRANSITIONS, status, JobEvent.RETRY):
            raise Conflict(
                f"Nothing of job {job:05d} has failed.", code="nothing_to_retry", hint=f"Its status is {status.value}."
            )
        row.waiting_on = max(0, row.waiting_on)
        tx.session.flush()
        if may(JOB_TRANSITIONS, status, JobEvent.RETRY):
            ledger.move_job(tx, job, status, JobEvent.RETRY, f"retried by {by}", name=row.name)
        ledger.replan = True
        ledger.event(tx, "job.retried", job=job, by=by, tasks=reopened)

    await farm.change(change)


async def _move(farm: Farm, job: int, event: JobEvent, reason: str, *, already: JobStatus) -> None:
    def change(tx: Transaction, ledger: Ledger) -> None:
        row = _job(tx, job)
        status = JobStatus(row.status)
        row.held_by = ""  # whatever the tracker held before is a person's matter now
        if may(JOB_TRANSITIONS, status, event):
            after = ledger.move_job(tx, job, status, event, reason, name=row.name)
            if after is JobStatus.QUEUED:
                ledger.ripple(tx, job)  # a resumed job that had started is RUNNING again at once
        elif status is not already and not (event is JobEvent.RESUME and status is JobStatus.QUEUED):
            raise Conflict(
                f"Job {job:05d} is {status.value}: {event.value} is not possible.",
                code="job_state",
                details={"status": status.value},
            )

    await farm.change(change)


def _job(tx: Transaction, job: int) -> Job:
    row = tx.session.get(Job, job)
    if row is None or row.removed:
        raise NotFound(f"There is no job {job:05d} in the queue.", code="job_unknown")
    return row


def _frames(text: str | None, frames_max: int) -> Callable[[str], bool]:
    if text is None:
        return lambda _frames: True
    wanted = {str(frame) for frame in frames_or_refuse(text, frames_max=frames_max)}
    return lambda frames: not wanted.isdisjoint(frames.split(","))


def _reopen(tx: Transaction, ledger: Ledger, job: int, wanted: Callable[[str], bool]) -> int:
    """Failed and canceled tasks become READY, or BLOCKED where parts are still missing."""
    reopened = 0
    for task, step_id, status, waiting, frames in tx.rows(hot.ENDED_TASKS, (job,)):
        if not wanted(frames):
            continue
        after = TaskStatus.BLOCKED if int(waiting) > 0 else TaskStatus.READY
        tx.run(hot.REOPEN, (after.value, task))
        if status == TaskStatus.CANCELED.value:
            tx.run(
                hot.STEP_UNCANCEL,
                (1 if after is TaskStatus.BLOCKED else 0, 1 if after is TaskStatus.READY else 0, step_id),
            )
        else:
            ledger.move(int(step_id), TaskStatus.FAILED, after)
        reopened += 1
    return reopened
