"""From the disk back to memory at start: workers, and the leases that were out.

A scheduler that was killed finds its farm as it left it: every lease gets a whole new term, so that no running task
is restarted because the scheduler was.
"""

from __future__ import annotations

from sqlmodel import col, select

from scheduler.domain.states import AttemptStatus, JobStatus, TaskStatus, WorkerStatus
from scheduler.protocol.workers import Capabilities
from scheduler.service.farm import Farm
from scheduler.service.live import LiveLease, LiveWorker
from scheduler.service.planning import needs_of
from scheduler.service.registering import machine_of, pool_tags
from scheduler.service.sites import restore_sites
from scheduler.store.renting import still_there
from scheduler.store.tables import Attempt, Job, Task, Worker


def restore(farm: Farm) -> int:
    """Fill `farm.live`; returns how many leases are out."""
    now_s = farm.clock.monotonic()
    with farm.store.read() as session:
        for row in session.exec(select(Worker).where(still_there())).all():
            farm.live.workers[row.id] = LiveWorker(
                id=row.id,
                name=row.name,
                pool=row.pool,
                machine=machine_of(row.id, Capabilities.model_validate(row.capabilities), pool_tags(farm, row.pool)),
                slots=row.slots,
                status=WorkerStatus(row.status),
                drain=row.drain,
                last_seen_s=now_s,
                rating=row.rating,
                canary_at=row.canary_at,
                doubted=row.fast_failures > 0 or row.status == WorkerStatus.PROBATION,
            )
        leased = session.exec(
            select(Task, Job)
            .join(Job, col(Job.id) == Task.job_id)
            .join(Attempt, (col(Attempt.task_id) == Task.id) & (col(Attempt.attempt) == Task.attempt))
            .where(Task.status == TaskStatus.LEASED, Attempt.status == AttemptStatus.LEASED)
        ).all()
        for task, job in leased:
            needs = needs_of(job.renderer, job.scene, job.requires)
            worker = task.worker or ""
            farm.live.hold(LiveLease(task.id or 0, task.attempt, task.job_id, task.step_id, worker, now_s, needs))
        started = session.exec(select(Job.id).where(Job.status == JobStatus.RUNNING)).all()
        farm.live.started_jobs = {job for job in started if job is not None}
    restore_sites(farm)
    return len(leased)
