"""Taking a job in: prepared outside, stored whole in one transaction, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select, update

from scheduler.domain.frames import format_frames
from scheduler.domain.splitting import StepPlan, TaskPlan, split_job
from scheduler.domain.states import JobStatus, TaskStatus
from scheduler.errors import Refused
from scheduler.protocol.submission import NewJob
from scheduler.scenes.outputs import slug
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.service.preparing import PreparedJob, pools_or_refuse, prepare_job
from scheduler.service.wishing import wish_new_job
from scheduler.store import hot
from scheduler.store.disk import storage_full
from scheduler.store.tables import Blob, Job, JobDependency, Step
from scheduler.store.transaction import Transaction

BLOBS_AT_ONCE = 500
"""Blobs named in one statement."""

Then = Callable[[Transaction, int], None]


async def submit_job(
    farm: Farm, owner: str, payload: NewJob, *, archive: str | None = None, then: Then | None = None
) -> int:
    """Store a job and its tasks; returns its number.

    `then(tx, job)` runs in the same transaction (the idempotency key is written there).

    Raises:
        Refused: whatever is wrong with the payload; nothing was stored.
        Unavailable: the disk is full.
    """
    if farm.store.free_bytes() < farm.settings.limits.free_min_bytes:
        raise storage_full()
    draft = await draft_job(farm, owner, payload, archive=archive)
    prepared = draft.prepared

    def change(tx: Transaction, ledger: Ledger) -> int:
        job = _store_job(tx, draft.row, prepared, str(farm.store.folders.frames))
        _store_steps(tx, job, draft.steps)
        _use_blobs(tx, prepared.blobs, draft.row.submitted_at)
        if then is not None:
            then(tx, job)
        ledger.replan = True
        ledger.event(tx, "job.submitted", job=job, name=payload.name, by=owner, renderer=prepared.renderer)
        return job

    return await farm.change(change)


def _use_blobs(tx: Transaction, blobs: tuple[str, ...], now_s: float) -> None:
    """Retention goes by the last use: a bundle's files were uploaded once and may be old."""
    for first in range(0, len(blobs), BLOBS_AT_ONCE):
        some = blobs[first : first + BLOBS_AT_ONCE]
        tx.session.exec(update(Blob).where(col(Blob.hash).in_(some)).values(used_at=now_s))


@dataclass(frozen=True)
class Draft:
    """A job that could be stored: its row has no number yet."""

    prepared: PreparedJob
    steps: tuple[StepPlan, ...]
    row: Job

    @property
    def tasks(self) -> int:
        """How many tasks it has."""
        return sum(len(step.tasks) for step in self.steps)


async def draft_job(
    farm: Farm, owner: str, payload: NewJob, *, archive: str | None = None, sketch: bool = False
) -> Draft:
    """Prepare and split a job, with what the tracker is known to wish for it; nothing is stored. `sketch`: see there.

    Raises:
        Refused: whatever is wrong with the payload.
    """
    pools = pools_or_refuse(payload.pools, farm.settings)
    _no_loop(farm, payload.hops)
    prepared = await asyncio.to_thread(
        prepare_job, payload, farm.settings, farm.store.blobs, archive=archive, sketch=sketch
    )
    steps = await asyncio.to_thread(split_job, prepared.split)
    row = _job_row(prepared, owner, pools, farm.now_s())
    wish_new_job(farm.tracker, row, row.submitted_at)
    return Draft(prepared, steps, row)


def _no_loop(farm: Farm, hops: list[str]) -> None:
    """A job that was handed over by this farm must not come back to it.

    Raises:
        Refused: `site_loop`.
    """
    if farm.id and farm.id in hops:
        raise Refused(
            f"This job came from {farm.settings.farm.name} itself: the farms hand it over in a circle.",
            code="site_loop",
            details={"field": "hops"},
            hint="Let rules send jobs one way only, e.g. with onward = false in the pool of the first farm.",
        )


def _store_job(tx: Transaction, row: Job, prepared: PreparedJob, frames_folder: str) -> int:
    unmet = _unmet(tx, prepared.needs)
    row.waiting_on = len(unmet)
    tx.session.add(row)
    tx.session.flush()
    job = row.id or 0
    if row.output is None:
        # Frames without a path of their own stay in the farm's storage, in the job's own folder.
        row.output = f"{frames_folder}/{job:05d}/{slug(row.name)}.####.{prepared.format}"
    for needed in prepared.needs:
        tx.session.add(JobDependency(job=job, needs=needed, met=needed not in unmet))
    tx.session.flush()
    return job


def _job_row(prepared: PreparedJob, owner: str, pools: list[str], now_s: float) -> Job:
    payload = prepared.payload
    return Job(
        name=payload.name,
        status=JobStatus.PAUSED if payload.paused else JobStatus.QUEUED,
        owner=owner,
        priority=payload.priority,
        renderer=prepared.renderer,
        frames=payload.frames or format_frames(prepared.frames),
        frame_count=len(prepared.frames),
        format=prepared.format,
        output=prepared.output,
        scene=prepared.scene,
        settings=prepared.settings,
        requires=payload.requires.model_dump(),
        tracking=payload.tracking.model_dump(exclude_none=True),
        extra=payload.metadata,
        payload=payload.model_dump(mode="json", exclude_unset=True),
        pools=pools,
        shot=payload.tracking.shot or "",
        cloud=payload.cloud,
        max_attempts=payload.max_attempts,
        timeout_s=payload.timeout_s,
        deadline=payload.deadline.timestamp() if payload.deadline else None,
        project=payload.tracking.project or "",
        submitted_at=now_s,
        reason="submitted",
        cost_cap_usd=payload.cost_cap_usd,
    )


def _unmet(tx: Transaction, needs: tuple[int, ...]) -> set[int]:
    """The jobs that have not succeeded yet.

    Raises:
        Refused: `dependency_unknown`.
    """
    if not needs:
        return set()
    found = dict(tx.session.exec(select(Job.id, Job.status).where(col(Job.id).in_(needs))).all())
    unknown = [f"{job:05d}" for job in needs if job not in found]
    if unknown:
        raise Refused(
            f"depends_on: there is no job {', '.join(unknown)}.",
            code="dependency_unknown",
            details={"field": "depends_on", "jobs": unknown},
            hint="Submit the job that this one waits for first.",
        )
    return {job for job in needs if found[job] != JobStatus.SUCCEEDED}


def _store_steps(tx: Transaction, job: int, steps: tuple[StepPlan, ...]) -> None:
    """Steps from the last to the first, so that each task can name the reducer that it feeds."""
    first_task: dict[int, int] = {}
    for plan in reversed(steps):
        blocked = sum(1 for task in plan.tasks if task.waiting)
        row = Step(
            job_id=job,
            name=plan.name,
            kind=plan.kind,
            level=plan.level,
            final=plan.final,
            blocked=blocked,
            ready=len(plan.tasks) - blocked,
        )
        tx.session.add(row)
        tx.session.flush()
        first_task[plan.index] = _store_tasks(tx, job, row.id or 0, plan, first_task)


def _store_tasks(tx: Transaction, job: int, step_id: int, plan: StepPlan, first_task: dict[int, int]) -> int:
    """Insert a step's tasks with consecutive numbers; returns the first."""
    first = int(tx.rows(hot.NEXT_TASK, ())[0][0])
    rows = [_task_row(first + i, job, step_id, task, first_task) for i, task in enumerate(plan.tasks)]
    tx.run_many(hot.INSERT_TASK, rows)
    return first


def _task_row(number: int, job: int, step_id: int, task: TaskPlan, first_task: dict[int, int]) -> tuple[Any, ...]:
    tile, part = task.tile, task.slice
    return (
        number,
        job,
        step_id,
        task.seq,
        (TaskStatus.BLOCKED if task.waiting else TaskStatus.READY).value,
        task.waiting,
        first_task[task.feeds[0]] + task.feeds[1] if task.feeds else None,
        ",".join(str(frame) for frame in task.frames),
        f"{tile.col},{tile.row},{tile.cols},{tile.rows}" if tile else None,
        f"{part.index},{part.count}" if part else None,
    )
