"""Jobs as they are shown: the short form of lists, the long form of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from scheduler.domain.handover import SITE_WORKER
from scheduler.domain.states import JobStatus
from scheduler.domain.wishes import effective_priority
from scheduler.errors import Refused
from scheduler.service.farm import iso
from scheduler.service.viewing import find_job
from scheduler.service.viewing_sites import latest, site_view
from scheduler.store.production import PriorityOverride
from scheduler.store.tables import Attempt, Frame, Job, JobDependency, Step, Task


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list. Empty means "all"; `before` is the job number that the page starts under."""

    status: tuple[str, ...] = ()
    user: str = ""
    shot: str = ""
    before: int | None = None


def statuses(text: str) -> tuple[str, ...]:
    """`QUEUED,running` as known statuses.

    Raises:
        Refused: one of them is none.
    """
    wanted = tuple(part.strip().upper() for part in text.split(",") if part.strip())
    known = {status.value for status in JobStatus}
    for status in wanted:
        if status not in known:
            raise Refused(
                f"{status[:40]!r} is not a job status.",
                code="invalid_field",
                details=[{"field": "status", "problem": "unknown status"}],
                hint=f"Statuses: {', '.join(JobStatus)}.",
            )
    return wanted


def list_jobs(session: Session, wanted: JobFilter, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """Jobs in the queue, newest first, and the cursor of the next page (None: this is the last)."""
    query = select(Job).where(col(Job.removed).is_(False)).order_by(col(Job.id).desc()).limit(limit + 1)
    if wanted.status:
        query = query.where(col(Job.status).in_(wanted.status))
    if wanted.user:
        query = query.where(Job.owner == wanted.user)
    if wanted.shot:
        query = query.where(Job.shot == wanted.shot)
    if wanted.before is not None:
        query = query.where(col(Job.id) < wanted.before)
    rows = session.exec(query).all()
    page = rows[:limit]
    numbers = [row.id or 0 for row in page]
    counts, overrides = _task_counts(session, numbers), _overrides(session, numbers)
    cursor = f"{page[-1].id:05d}" if len(rows) > limit and page else None
    return [job_entry(row, counts[row.id or 0], overrides.get(row.id or 0)) for row in page], cursor


def job_entry(row: Job, tasks: dict[str, int], override: int | None) -> dict[str, Any]:
    """A job as it stands in a list: its priority is the one that counts, a person's `override` before all others.

    `jobs-status` is the first design's spelling of `status`.
    """
    priority, _source = effective_priority(row.priority, row.tracked_priority, override)
    return {
        "jobID": f"{row.id:05d}",
        "name": row.name,
        "jobs-status": row.status,
        "status": row.status,
        "reason": row.reason,
        "priority": priority,
        "user": row.owner,
        "shot": row.shot,
        "project": row.tracking.get("project"),
        "renderer": row.renderer,
        "frames": row.frames,
        "frame_count": row.frame_count,
        "progress": tasks,
        "submitted_at": iso(row.submitted_at),
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "deadline": iso(row.deadline),
        "away": row.away,
    }


def show_job(session: Session, job: int) -> dict[str, Any]:
    """Everything about one job.

    Raises:
        NotFound: there is no such job in the queue.
    """
    row = find_job(session, job)
    steps = session.exec(select(Step).where(Step.job_id == job).order_by(col(Step.level))).all()
    needs = session.exec(select(JobDependency).where(JobDependency.job == job).order_by(col(JobDependency.needs))).all()
    published = session.exec(select(func.count()).select_from(Frame).where(Frame.job_id == job)).one()
    return {
        **job_entry(row, _sum(steps), _overrides(session, [job]).get(job)),
        "frames_published": int(published),
        "scene": row.payload.get("scene"),
        "scene_version": row.scene.get("version"),
        "format": row.format,
        "output": row.output,
        "settings": row.settings,
        "requires": row.requires,
        "tracking": row.tracking,
        "metadata": row.extra,
        "pools": row.pools,
        "cloud": row.cloud,
        "cost_cap_usd": row.cost_cap_usd,
        "split": row.payload.get("split"),
        "chunk": row.payload.get("chunk", 1),
        "max_attempts": row.max_attempts,
        "timeout_s": row.timeout_s,
        "depends_on": [{"jobID": f"{need.needs:05d}", "met": need.met} for need in needs],
        "steps": [_step_view(step) for step in steps],
        "worked_s": round(_worked_s(session, job), 3),
        "hops": row.payload.get("hops", []),
        "site": site_view(latest(session, job)),
    }


def oldest_running(session: Session, user: str) -> int | None:
    """The user's job that has been running longest."""
    return session.exec(
        select(Job.id)
        .where(Job.owner == user, Job.status == JobStatus.RUNNING, col(Job.removed).is_(False))
        .order_by(col(Job.started_at), col(Job.id))
        .limit(1)
    ).first()


def _worked_s(session: Session, job: int) -> float:
    """Seconds that the ended attempts of a job took on workers of this farm."""
    query = (
        select(func.sum(Attempt.seconds))
        .join(Task, col(Task.id) == Attempt.task_id)
        .where(Task.job_id == job, col(Attempt.worker).not_like(f"{SITE_WORKER}%"))
    )
    return float(session.exec(query).one() or 0.0)


def _task_counts(session: Session, jobs: Sequence[int]) -> dict[int, dict[str, int]]:
    by_job: dict[int, list[Step]] = defaultdict(list)
    if jobs:
        for step in session.exec(select(Step).where(col(Step.job_id).in_(jobs))).all():
            by_job[step.job_id].append(step)
    return {job: _sum(by_job[job]) for job in jobs}


def _overrides(session: Session, jobs: Sequence[int]) -> dict[int, int]:
    query = select(PriorityOverride.job_id, PriorityOverride.priority).where(col(PriorityOverride.job_id).in_(jobs))
    return dict(session.exec(query).all())


def _sum(steps: Iterable[Step]) -> dict[str, int]:
    """Tasks of a job by what they are doing; `waiting` are those that wait for parts, or for a worker."""
    tasks = {"total": 0, "done": 0, "running": 0, "failed": 0, "waiting": 0, "canceled": 0}
    for step in steps:
        tasks["total"] += step.blocked + step.ready + step.leased + step.succeeded + step.failed + step.canceled
        tasks["done"] += step.succeeded
        tasks["running"] += step.leased
        tasks["failed"] += step.failed
        tasks["waiting"] += step.blocked + step.ready
        tasks["canceled"] += step.canceled
    return tasks


def _step_view(step: Step) -> dict[str, Any]:
    return {"step": step.id, "name": step.name, "kind": step.kind, "level": step.level, "progress": _sum([step])}
