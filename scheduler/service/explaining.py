"""`why`: where a job stands in the queue and with what score, where it may run and why not elsewhere, what each of its
waiting tasks waits for, when it will be done, and what the tracker says. Every waiting job has a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlmodel import Session, col, func, select

from scheduler.domain.states import TERMINAL_JOBS, JobStatus, TaskStatus, WorkerStatus
from scheduler.errors import NotFound
from scheduler.routing.caps import room_in
from scheduler.routing.machines import shortfall
from scheduler.routing.route import Route
from scheduler.service.capping import Capper
from scheduler.service.circumstances import Circumstances
from scheduler.service.farm import Farm, iso
from scheduler.service.following import Following
from scheduler.service.forecasting import Forecaster
from scheduler.service.plan import Plan
from scheduler.service.purses import Purse, full_pools, purse_view
from scheduler.service.rationing import Rationing
from scheduler.service.situating import JobPlace, place_of, rank_parts, route_of
from scheduler.service.submitting import Draft
from scheduler.service.surveying import Surveyor
from scheduler.service.viewing_priorities import override_view
from scheduler.service.viewing_sites import far_estimate, latest, not_away, site_view, why_away
from scheduler.service.waiting import (
    WAITS_DELAY,
    WAITS_DISK,
    WAITS_FOR_PARTS,
    WAITS_FREE,
    Stage,
    Waiting,
    reasons,
)
from scheduler.store.production import PriorityOverride
from scheduler.store.sites import Handover
from scheduler.store.tables import Job, JobDependency, Step, Task

FAILURES_MAX = 5
"""Messages of failed tasks that are told, the most frequent first."""


@dataclass(frozen=True)
class _Facts:
    """What the store says of a job."""

    row: Job
    override: PriorityOverride | None
    tasks: int
    waiting: Waiting
    failures: list[dict[str, Any]]
    handover: Handover | None = None


class Explainer:
    """Answers `why` for the jobs of one farm, and for jobs that do not exist yet."""

    def __init__(
        self, farm: Farm, surveyor: Surveyor, forecaster: Forecaster, following: Following, capper: Capper
    ) -> None:
        self._farm, self._surveyor, self._capper = farm, surveyor, capper
        self._forecaster, self._following = forecaster, following
        self._rationing = Rationing(farm.live)

    async def why_task(self, task: int, *, undeliverable: Mapping[int, str] | None = None) -> dict[str, Any]:
        """The explanation of a task: what it waits for or where it runs, with that of its job.

        Raises:
            NotFound: there is no such task.
        """
        row = await asyncio.to_thread(_load_task, self._farm, task)
        told = await self.why_job(row.job_id, undeliverable=undeliverable)
        lease = self._farm.live.leases.get(task)
        reason = {
            TaskStatus.LEASED: f"runs on {row.worker}, attempt {row.attempt}" + (f": {lease.note}" if lease else ""),
            TaskStatus.BLOCKED: f"{WAITS_FOR_PARTS}: {row.waiting} are missing",
            TaskStatus.READY: next(
                (w["reason"] for w in told["waiting"] if w["reason"] != WAITS_FOR_PARTS), WAITS_FREE
            ),
        }.get(TaskStatus(row.status), row.message or row.status.lower())
        if row.status == TaskStatus.READY and row.not_before is not None and row.not_before > self._farm.now_s():
            reason = WAITS_DELAY.format(when=iso(row.not_before))
        if task in (undeliverable or {}):
            reason = WAITS_DISK.format(reason=(undeliverable or {})[task])
        about = {"task": task, "status": row.status, "attempt": row.attempt, "reason": reason}
        return told | {"task": about | {"avoids": row.avoid}}

    async def why_job(self, job: int, *, undeliverable: Mapping[int, str] | None = None) -> dict[str, Any]:
        """The explanation of one job, in the shape of `GET /jobs/{id}/why`.

        `undeliverable` maps tasks whose verified files cannot be placed to the reason.

        Raises:
            NotFound: there is no such job.
        """
        stuck = {
            task: reason
            for task, reason in (undeliverable or {}).items()
            if (lease := self._farm.live.leases.get(task)) is None or lease.job == job
        }
        facts = await asyncio.to_thread(_load, self._farm, job, stuck)
        around, purse = self._surveyor.look(), self._capper.purse_of(facts.row)
        if purse is not None:
            around = replace(around, unaffordable={job: purse.closed})
        place = place_of(facts.row, facts.override.priority if facts.override else None)
        verdict = route_of(facts.row, place, around, self._farm.book, tasks=facts.tasks)
        facts = replace(facts, waiting=replace(facts.waiting, **self._at_sites(facts, verdict, around)))
        told = {
            "job": f"{job:05d}",
            "status": facts.row.status,
            "rank": self._rank(facts, place, around),
            "route": route_view(verdict),
            "waiting": reasons(facts.waiting, verdict, self._stage(job, verdict, facts.row.project, purse)),
            "cost_cap": purse_view(purse),
            "estimate": far_estimate(facts.handover) or self._forecaster.told(job, facts.row.status),
            "tracking": self._following.why(facts.row),
            "failures": facts.failures,
            "placeable": verdict.placeable or facts.row.away is not None,
            "site": site_view(facts.handover),
        }
        return told | {"override": None if facts.override is None else override_view(facts.override)}

    def why_draft(self, draft: Draft) -> dict[str, Any]:
        """The same for a job that does not exist."""
        row, tasks = draft.row, draft.tasks
        around, place, purse = self._surveyor.look(), place_of(row, None), self._capper.purse_of_draft(draft)
        if purse is not None:
            around = replace(around, unaffordable={place.job: purse.closed})
        verdict = route_of(row, place, around, self._farm.book, tasks=tasks)
        facts = _Facts(row, None, tasks, Waiting(JobStatus(row.status), ready=tasks, held_by=row.held_by), [])
        rank = self._rank(facts, place, around)
        ahead = {step.card.job: step.score for step in reversed(self._farm.live.plan.steps)}
        rank["position"] = 1 + sum(score >= rank["score"] for score in ahead.values())
        rank["of"] = 1 + len(ahead)
        return {
            "job": None,
            "status": row.status,
            "rank": rank,
            "route": route_view(verdict),
            "waiting": reasons(facts.waiting, verdict, self._stage(0, verdict, row.project, purse)),
            "cost_cap": purse_view(purse),
            "estimate": {"finish": None, "low": None, "high": None, "basis": "no estimate: the job was not submitted"},
            "tracking": self._following.why(row),
            "failures": [],
            "placeable": verdict.placeable,
            "site": None,
            "override": None,
        }

    def _at_sites(self, facts: _Facts, verdict: Route, around: Circumstances) -> dict[str, str | None]:
        """How the job stands with another farm, or why it is not there."""
        row, handover, job = facts.row, facts.handover, facts.row.id or 0
        if row.away is not None and handover is not None:
            note = self._farm.sites.sites.get(row.away)
            trouble = (note.faults.get(job) or note.troubles.get(job)) if note is not None else None
            return {"away": why_away(self._farm, handover, trouble, paused=row.status == JobStatus.PAUSED)}
        refused = around.closed_sites(job, row.project, capped=row.cost_cap_usd is not None)
        started = row.status == JobStatus.RUNNING and job not in self._farm.sites.unbegun
        return {"not_away": not_away(self._farm, verdict.chosen, refused, started=started)}

    def _rank(self, facts: _Facts, place: JobPlace, around: Circumstances) -> dict[str, Any]:
        """The rank in the plan; for a job that is not in it, the score that it would have."""
        plan = self._farm.live.plan
        made_of = rank_parts(facts.row, place, around, plan.projects)
        return {
            "position": plan.position(place.job),
            "of": plan.jobs,
            "score": round(sum(made_of.values()), 9),
            "parts": {name: round(part, 9) for name, part in made_of.items()},
            "priority_from": place.source,
            "deadline": iso(place.deadline_s),
            "slack_s": around.slack_s(place.job, place.deadline_s),
        }

    def _stage(self, job: int, verdict: Route, project: str, purse: Purse | None) -> Stage:
        live, plan, full = self._farm.live, self._farm.live.plan, full_pools(purse)
        active = [
            worker
            for worker in live.workers.values()
            if worker.status is WorkerStatus.ACTIVE and not worker.drain and worker.pool in verdict.chosen
            and worker.pool not in full and (verdict.needs is None or not shortfall(verdict.needs, worker.machine))
        ]  # fmt: skip
        free = [worker for worker in active if not worker.blocked and len(worker.leases) < worker.slots]
        blocked = active[0] if active and all(worker.blocked for worker in active) else None
        return Stage(
            position=plan.position(job),
            before=_before(plan, job),
            capped=self._capped(verdict),
            pledged=None if active else next((full[pool] for pool in verdict.chosen if pool in full), None),
            closed=verdict.chosen if not any(live.may_start(pool, project) for pool in verdict.chosen) else None,
            blocked=(blocked.name, blocked.blocked) if blocked else None,
            busy=not free,
        )

    def _capped(self, verdict: Route) -> tuple[str, str] | None:
        """The rule and the pool of a cap that is used up, where no chosen pool has room left."""
        if not verdict.caps:
            return None
        found: tuple[str, str] | None = None
        for pool in verdict.chosen:
            if self._rationing.room(verdict.caps, pool) > 0:
                return None
            rule = next((cap.rule for cap in verdict.caps if room_in([cap], pool, {}, {})[1]), "")
            found = found or (rule, pool)
        return found


def route_view(verdict: Route) -> dict[str, Any]:
    """A route as `why` shows it."""
    return {
        "chosen": list(verdict.chosen),
        "pools": [asdict(v) | {"score": round(v.score, 4)} for v in verdict.pools],
        "rules": list(verdict.rules),
        "caps": [{"rule": cap.rule, "pool": cap.pool, "slots": cap.slots, "share": cap.share} for cap in verdict.caps],
        "troubles": [{"rule": rule, "reason": reason} for rule, reason in verdict.troubles],
    }


def _before(plan: Plan, job: int) -> tuple[int, float] | None:
    """The job right before this one in the queue, and its score."""
    last: tuple[int, float] | None = None
    for step in plan.steps:
        if step.card.job == job:
            return last
        last = (step.card.job, step.score)
    return None


def _load_task(farm: Farm, task: int) -> Task:
    with farm.store.read() as session:
        row = session.get(Task, task)
        if row is None:
            raise NotFound(f"There is no task {task}.", code="task_unknown")
        session.expunge(row)
    return row


def _load(farm: Farm, job: int, undeliverable: Mapping[int, str]) -> _Facts:
    with farm.store.read() as session:
        row = session.get(Job, job)
        if row is None:
            raise NotFound(f"There is no job {job:05d}.", code="job_unknown")
        override = session.get(PriorityOverride, job)
        waiting, tasks = _waiting(session, row, farm.now_s())
        failures = session.exec(
            select(Task.message, func.count())
            .where(Task.job_id == job, col(Task.message).is_not(None), col(Task.status) != TaskStatus.SUCCEEDED)
            .group_by(col(Task.message))
            .order_by(func.count().desc())
            .limit(FAILURES_MAX)
        ).all()
        handover = latest(session, job)
        session.expunge_all()
    if row.status not in TERMINAL_JOBS:
        waiting = replace(waiting, undeliverable=undeliverable)
    told = [{"message": message, "tasks": count} for message, count in failures]
    return _Facts(row, override, tasks, waiting, told, handover)


def _waiting(session: Session, row: Job, now_s: float) -> tuple[Waiting, int]:
    """How many tasks wait and on what; and how many there are in all."""
    job = row.id or 0
    needs = session.exec(
        select(Job.id, Job.status)
        .join(JobDependency, col(JobDependency.needs) == Job.id)
        .where(JobDependency.job == job, col(JobDependency.met).is_(False))
    ).all()
    total = Step.blocked + Step.ready + Step.leased + Step.succeeded + Step.failed + Step.canceled
    blocked, ready, tasks = session.exec(
        select(func.sum(Step.blocked), func.sum(Step.ready), func.sum(total)).where(Step.job_id == job)
    ).one()
    delayed, again_s = session.exec(
        select(func.count(), func.min(Task.not_before)).where(
            Task.job_id == job, Task.status == TaskStatus.READY, col(Task.not_before) > now_s
        )
    ).one()
    waiting = Waiting(
        status=JobStatus(row.status),
        reason=row.reason,
        held_by=row.held_by,
        blocked=int(blocked or 0),
        ready=int(ready or 0),
        delayed=int(delayed),
        again_at=iso(again_s),
        needs=[(number or 0, status) for number, status in needs],
    )
    return waiting, int(tasks or 0)
