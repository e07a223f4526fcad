"""One job as ranking and routing see it at this moment, whether it is in the plan, paused, or does not exist yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan
from typing import Any

from scheduler.domain.ranking import RankInput, parts
from scheduler.domain.wishes import effective_deadline, effective_priority
from scheduler.routing.affording import without_unaffordable
from scheduler.routing.facts import Facts
from scheduler.routing.reserving import narrow
from scheduler.routing.route import Route, RouteRequest, route
from scheduler.routing.rules import RuleBook
from scheduler.routing.vocabulary import FACTS, SLACK
from scheduler.service.circumstances import Circumstances
from scheduler.service.moving_facts import columns
from scheduler.service.planning import JobSaid, Told, job_facts, needs_of
from scheduler.store.tables import Job

MOVING = tuple(fact.path for fact in FACTS if fact.pace == "moving")


@dataclass(frozen=True)
class JobPlace:
    """What changes of a job, with the priority and deadline in force; the shape that the moving facts are read from."""

    job: int
    priority: int
    boost: float
    submitted_s: float
    deadline_s: float | None
    tracked: Told | None
    source: str


def place_of(row: Job, override: int | None) -> JobPlace:
    """The job's place from its row and the priority that a person has set over it."""
    priority, source = effective_priority(row.priority, row.tracked_priority, override)
    told = None
    if row.tracked_at is not None:
        told = Told(row.tracked_at, row.tracked_priority, row.tracked_deadline, row.tracked_hold, row.tracked_source)
    deadline_s = effective_deadline(row.deadline, row.tracked_deadline)
    return JobPlace(row.id or 0, priority, row.boost, row.submitted_at, deadline_s, told, source.value)


def rank_parts(row: Job, place: JobPlace, around: Circumstances, waiting: Iterable[str]) -> dict[str, float]:
    """What makes up the score of the job's first step; `waiting` are the projects in the queue."""
    slack_s = around.slack_s(place.job, place.deadline_s)
    step = RankInput(0, place.job, place.priority, place.submitted_s, 0, row.project, slack_s, place.boost)
    return parts(step, around.policy, around.use, around.now_s, waiting=waiting)


def route_of(row: Job, place: JobPlace, around: Circumstances, book: RuleBook, *, tasks: int) -> Route:
    """Where the job may run, with every reason."""
    needs = needs_of(row.renderer, row.scene, row.requires)
    request = RouteRequest(needs, tuple(row.pools), row.cloud)
    found = route(request, around.pools, book, facts_of_job(row, place, around, tasks=tasks))
    return without_unaffordable(narrow(found, place.job, around.reserved), around.unaffordable.get(place.job))


def facts_of_job(row: Job, place: JobPlace, around: Circumstances, *, tasks: int) -> Facts:
    """All the facts that conditions can ask for."""
    number = f"{row.id:05d}" if row.id else ""
    said = JobSaid(
        *(number, row.name, row.owner, row.renderer, row.frame_count, tasks, row.cloud, row.project, row.shot)
    )
    fixed = job_facts(said, pools=row.pools, requires=row.requires, tracking=row.tracking, metadata=row.extra)
    slacks = {f"job.{SLACK}({pool.name})": pool.name for pool in around.pools}
    told = {path: column[0] for path, column in columns((*MOVING, *slacks), [place], around).items()}
    moving = {path: told[path] for path in MOVING}
    slack_s = {pool: told[path] for path, pool in slacks.items()}
    shared = around.shared
    return Facts(
        job=fixed | _under("job.", moving),
        tracking=_under("tracking.", moving),
        estimate=_under("estimate.", moving),
        pools=shared.pools,
        budget=shared.budget,
        now=shared.now,
        slack_s={pool: float(slack) for pool, slack in slack_s.items() if slack is not None and not isnan(slack)},
    )


def _under(root: str, moving: dict[str, Any]) -> dict[str, Any]:
    return {path.removeprefix(root): value for path, value in moving.items() if path.startswith(root)}
