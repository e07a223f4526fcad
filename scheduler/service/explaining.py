"""`why`: where a job stands in the queue and with what score, where it may run and why not elsewhere, and what each of
its waiting tasks waits for. Every waiting job has a reason."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlmodel import col, func, select

from scheduler.domain.ranking import RankInput, rank
from scheduler.domain.states import JobStatus, TaskStatus, WorkerStatus
from scheduler.errors import NotFound
from scheduler.routing.route import Route, RouteRequest, route
from scheduler.service.farm import Farm, iso
from scheduler.service.plan import Plan
from scheduler.service.planning import needs_of, pools_of
from scheduler.store.tables import Job, JobDependency, Step, Task

WAITS_FOR_PARTS = "waits for the parts that it merges"
WAITS_PAUSED = "the job is paused"
WAITS_JOBS = "waits for job {jobs} to succeed"
WAITS_DEAD = "waits for job {jobs}, which {status}: retry that job, or cancel this one"
WAITS_NO_WORKER = "no worker is here that could take it: {detail}"
WAITS_TURN = "waits for its turn: {ahead} jobs are ahead of it and all fitting workers are busy"
WAITS_FREE = "a worker takes it next"
WAITS_DELAY = "failed before and is tried again at {when}"
WAITS_DISK = "is verified, but cannot be placed: {reason}"
WAITS_ENDED = "the job has ended ({status})"


async def why_job(farm: Farm, job: int, *, undeliverable: dict[int, str] | None = None) -> dict[str, Any]:
    """The explanation of one job, in the shape of `GET /jobs/{id}/why`.

    `undeliverable` maps tasks whose verified files cannot be placed to the reason.

    Raises:
        NotFound: there is no such job.
    """
    facts = await asyncio.to_thread(_load, farm, job)
    row: Job = facts["job"]
    needs = needs_of(row.renderer, row.scene, row.requires)
    verdict = route(RouteRequest(needs, tuple(row.pools)), pools_of(farm.live.workers.values()))
    plan = farm.live.plan
    return {
        "job": f"{job:05d}",
        "status": row.status,
        "rank": _rank(farm, row, plan),
        "route": {
            "chosen": list(verdict.chosen),
            "pools": [
                {
                    "pool": v.pool,
                    "allowed": v.allowed,
                    "reason": v.reason,
                    "score": round(v.score, 4),
                    "detail": v.detail,
                }
                for v in verdict.pools
            ],
        },
        "waiting": _waiting(farm, row, facts, verdict, undeliverable or {}),
        "estimate": {"finish": None, "low": None, "high": None, "basis": "no estimate: nothing has been learned yet"},
        "tracking": {"source": "job", "age_s": None, **row.tracking},
        "failures": facts["failures"],
        "placeable": verdict.placeable,
    }


def _load(farm: Farm, job: int) -> dict[str, Any]:
    with farm.store.read() as session:
        row = session.get(Job, job)
        if row is None:
            raise NotFound(f"There is no job {job:05d}.", code="job_unknown")
        needs = session.exec(
            select(Job.id, Job.status)
            .join(JobDependency, col(JobDependency.needs) == Job.id)
            .where(JobDependency.job == job, col(JobDependency.met).is_(False))
        ).all()
        counts = session.exec(
            select(func.sum(Step.blocked), func.sum(Step.ready), func.sum(Step.leased)).where(Step.job_id == job)
        ).one()
        delayed = session.exec(
            select(func.count(), func.min(Task.not_before)).where(
                Task.job_id == job, Task.status == TaskStatus.READY, col(Task.not_before) > farm.now_s()
            )
        ).one()
        failures = session.exec(
            select(Task.message, func.count())
            .where(Task.job_id == job, col(Task.message).is_not(None), col(Task.status) != TaskStatus.SUCCEEDED)
            .group_by(col(Task.message))
            .order_by(func.count().desc())
            .limit(5)
        ).all()
        session.expunge(row)
    return {
        "job": row,
        "needs": needs,
        "blocked": int(counts[0] or 0),
        "ready": int(counts[1] or 0),
        "delayed": delayed,
        "failures": [{"message": message, "tasks": tasks} for message, tasks in failures],
    }


def _rank(farm: Farm, row: Job, plan: Plan) -> dict[str, Any]:
    """The rank in the plan; for a job that is not in it, the score that it would have."""
    job = row.id or 0
    position = plan.position(job)
    now_s = farm.now_s()
    ranked = rank([RankInput(0, job, row.priority, row.submitted_at, 0)], now_s)[0]
    return {
        "position": position,
        "score": round(ranked.score, 9),
        "parts": ranked.parts,
        "of": len({s.card.job for s in plan.steps}),
    }


def _waiting(
    farm: Farm, row: Job, facts: dict[str, Any], verdict: Route, undeliverable: dict[int, str]
) -> list[dict[str, Any]]:
    """A reason for every task that waits, with how many it holds for."""
    reasons: list[dict[str, Any]] = []
    status = JobStatus(row.status)
    delayed, when = int(facts["delayed"][0]), facts["delayed"][1]
    ready = facts["ready"] - delayed
    if status in (JobStatus.FAILED, JobStatus.CANCELED):
        left = facts["ready"] + facts["blocked"]
        return [{"reason": WAITS_ENDED.format(status=status.value), "tasks": left}] if left else []
    if facts["blocked"]:
        reasons.append({"reason": WAITS_FOR_PARTS, "tasks": facts["blocked"]})
    if delayed:
        reasons.append({"reason": WAITS_DELAY.format(when=iso(when)), "tasks": delayed})
    if ready > 0:
        reasons.append({"reason": _ready_reason(farm, row, facts, verdict), "tasks": ready})
    reasons += [
        {"reason": WAITS_DISK.format(reason=reason), "tasks": 1, "task": task}
        for task, reason in undeliverable.items()
        if (lease := farm.live.leases.get(task)) is None or lease.job == row.id
    ]
    return reasons


def _ready_reason(farm: Farm, row: Job, facts: dict[str, Any], verdict: Route) -> str:
    """Why a task that could be leased has not been."""
    if row.status == JobStatus.PAUSED:
        return WAITS_PAUSED
    if facts["needs"]:
        return _dependency_reason(facts["needs"])
    if not verdict.placeable:
        detail = "; ".join(f"{v.pool}: {v.reason}" + (f" ({v.detail})" if v.detail else "") for v in verdict.pools)
        return WAITS_NO_WORKER.format(detail=detail)
    position = farm.live.plan.position(row.id or 0)
    busy = all(
        len(w.leases) >= w.slots for w in farm.live.workers.values() if w.status is WorkerStatus.ACTIVE and not w.drain
    )
    return WAITS_TURN.format(ahead=(position or 1) - 1) if busy else WAITS_FREE


def _dependency_reason(needs: list[tuple[int, str]]) -> str:
    dead = [(job, status) for job, status in needs if status in (JobStatus.FAILED, JobStatus.CANCELED)]
    if dead:
        return WAITS_DEAD.format(jobs=f"{dead[0][0]:05d}", status=dead[0][1].lower())
    return WAITS_JOBS.format(jobs=", ".join(f"{job:05d}" for job, _status in needs))
