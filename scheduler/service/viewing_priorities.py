"""What production wants against what the farm does: one row for each unfinished job, in the farm's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select as columns
from sqlmodel import Session, col, func, select

from scheduler.domain.states import TERMINAL_JOBS, JobStatus
from scheduler.domain.wishes import Source, Standing, drifts, effective_deadline, effective_priority
from scheduler.service.farm import Farm, iso
from scheduler.service.plan import Plan
from scheduler.service.viewing import reading
from scheduler.settings import Settings
from scheduler.store.production import PriorityOverride
from scheduler.store.tables import Job, Step

Places = Mapping[int, tuple[int, float]]
"""Job to its place in the queue, from 1, and the score of its best step."""


@dataclass(frozen=True)
class PriorityPage:
    """Which rows to show: `limit` of them from `start` (0 is the first), or only the drifting ones."""

    start: int = 0
    limit: int = 100
    drifting_only: bool = False


class _JobRow(NamedTuple):
    """What is read of an unfinished job: narrow, because there may be ten thousand."""

    id: int
    name: str
    status: str
    project: str
    shot: str
    owner: str
    priority: int
    boost: float
    deadline: float | None
    held_by: str
    tracked_priority: int | None
    tracked_source: str | None
    tracked_at: float | None
    tracked_deadline: float | None
    tracked_hold: str | None


_JOB = columns(*(getattr(Job, name) for name in _JobRow._fields)).where(
    col(Job.status).not_in(list(TERMINAL_JOBS)), col(Job.removed).is_(False)
)


@dataclass(frozen=True)
class _Queue:
    """The unfinished jobs in the farm's order, what is known of each, and where they drift."""

    jobs: list[_JobRow]
    overrides: Mapping[int, PriorityOverride]
    tasks: Mapping[int, tuple[int, int]]
    drifting: Mapping[int, str]


async def list_priorities(farm: Farm, page: PriorityPage) -> tuple[dict[str, Any], int | None]:
    """The page's rows with the tracker's state, and where the next page starts (None: this is the last)."""
    places, heard_s = places_of(farm.live.plan), _heard_s(farm)
    queue = await reading(farm, lambda session: _read(session, places, farm.settings))
    wanted = [job for job in queue.jobs if job.id in queue.drifting] if page.drifting_only else queue.jobs
    end = page.start + page.limit
    data = {
        "jobs": [_row(job, queue, places, heard_s) for job in wanted[page.start : end]],
        "total": len(wanted),
        "drifting": len(queue.drifting),
        "tracker": _tracker(queue.jobs, heard_s, farm.settings),
    }
    return data, end if end < len(wanted) else None


def places_of(plan: Plan) -> dict[int, tuple[int, float]]:
    """Every planned job's place, and the score of its best step."""
    places: dict[int, tuple[int, float]] = {}
    for planned in plan.steps:
        if planned.card.job not in places:
            places[planned.card.job] = (len(places) + 1, planned.score)
    return places


def _read(session: Session, places: Places, settings: Settings) -> _Queue:
    jobs = [_JobRow(*row) for row in session.connection().execute(_JOB).all()]
    # What is not in the queue stands at its end.
    jobs.sort(key=lambda job: (job.id not in places, places.get(job.id, (0, 0.0))[0], job.id))
    overrides = {row.job_id: row for row in session.exec(select(PriorityOverride)).all()}
    session.expunge_all()
    drifting = drifts(_standing(job, overrides.get(job.id), places, settings) for job in jobs)
    return _Queue(jobs, overrides, _task_numbers(session), drifting)


def _task_numbers(session: Session) -> dict[int, tuple[int, int]]:
    """Running and waiting tasks of every unfinished job."""
    counts = session.exec(
        select(Step.job_id, func.sum(Step.leased), func.sum(Step.ready + Step.blocked))
        .join(Job, col(Job.id) == Step.job_id)
        .where(col(Job.status).not_in(list(TERMINAL_JOBS)))
        .group_by(col(Step.job_id))
    ).all()
    return {job: (int(running or 0), int(waiting or 0)) for job, running, waiting in counts}


def _standing(job: _JobRow, override: PriorityOverride | None, places: Places, settings: Settings) -> Standing:
    place, score = places.get(job.id, (None, 0.0))
    return Standing(
        job=job.id,
        wanted=job.tracked_priority,
        priority=_effective(job, override)[0],
        place=place,
        score=score,
        boost=job.boost * settings.policy.boost_weight,
        paused=job.status == JobStatus.PAUSED,
        held=job.tracked_hold,
        held_by=job.held_by,
    )


def _row(job: _JobRow, queue: _Queue, places: Places, heard_s: Callable[[float], float]) -> dict[str, Any]:
    override, place = queue.overrides.get(job.id), places.get(job.id)
    priority, source = _effective(job, override)
    running, waiting = queue.tasks.get(job.id, (0, 0))
    return {
        "jobID": f"{job.id:05d}",
        "name": job.name,
        "status": job.status,
        "project": job.project or None,
        "shot": job.shot or None,
        "user": job.owner,
        "wanted": {
            "priority": job.tracked_priority,
            "source": job.tracked_source,
            "age_s": None if job.tracked_at is None else heard_s(job.tracked_at),
            "deadline": iso(job.tracked_deadline),
            "hold": job.tracked_hold,
        },
        "effective": {
            "priority": priority,
            "source": source.value,
            "own": job.priority,
            "deadline": iso(effective_deadline(job.deadline, job.tracked_deadline)),
            "boost": job.boost,
        },
        "override": None if override is None else override_view(override),
        "position": place[0] if place else None,
        "score": round(place[1], 9) if place else None,
        "tasks": {"running": running, "waiting": waiting},
        "drift": job.id in queue.drifting,
        "why": queue.drifting.get(job.id),
    }


def override_view(override: PriorityOverride) -> dict[str, Any]:
    """An override as it is shown."""
    return {
        "priority": override.priority,
        "author": override.author,
        "reason": override.reason,
        "created_at": iso(override.created_at),
        "expires_at": iso(override.expires_at),
    }


def _effective(job: _JobRow, override: PriorityOverride | None) -> tuple[int, Source]:
    return effective_priority(job.priority, job.tracked_priority, override.priority if override else None)


def _heard_s(farm: Farm) -> Callable[[float], float]:
    """How old a wish is that changed at a time: the tracker's last answer confirms all that it did not change."""
    now_s = farm.now_s()
    confirmed_s = farm.tracker.state().age_s if farm.tracker is not None else None

    def age_s(tracked_at: float) -> float:
        changed_s = max(0.0, now_s - tracked_at)
        return round(changed_s if confirmed_s is None else min(changed_s, confirmed_s), 3)

    return age_s


def _tracker(jobs: Sequence[_JobRow], heard_s: Callable[[float], float], settings: Settings) -> dict[str, Any]:
    """How fresh production's wishes are, over all jobs that have been heard of."""
    ages = [heard_s(job.tracked_at) for job in jobs if job.tracked_at is not None]
    stale_after_s = settings.shotgrid.stale_after_s
    return {
        "source": "shotgrid" if settings.shotgrid.url else None,
        "jobs": len(ages),
        "stale": sum(1 for age_s in ages if age_s > stale_after_s),
        "age_s": max(ages, default=None),
        "stale_after_s": stale_after_s,
    }
