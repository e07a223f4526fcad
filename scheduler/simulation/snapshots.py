"""The running farm as `what_if` takes it: what is left of the queue, the workers, the policy and rules in force.

It reads what others know (plan, forecasts, learned frame times) and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlmodel import Session, col, select

from scheduler.clock import studio_time
from scheduler.domain.estimating import FrameTime, work_kind
from scheduler.domain.splitting import StepPlan
from scheduler.domain.states import WorkerStatus
from scheduler.protocol.traces import MachineSpec, PoolSpec
from scheduler.routing.route import HOME_POOL
from scheduler.service.capping import Capper
from scheduler.service.circumstances import policy_of
from scheduler.service.cost_outlook import Told, cost_if, unknown_times
from scheduler.service.farm import Farm, iso
from scheduler.service.forecasting import Forecaster, Outlook, StepOutlook
from scheduler.service.learning import Estimator, facts_of
from scheduler.service.planning import needs_of
from scheduler.service.situating import place_of
from scheduler.service.submitting import Draft
from scheduler.service.surveying import Surveyor
from scheduler.service.viewing import reading
from scheduler.simulation.planner import Variant
from scheduler.simulation.variants import Ordering
from scheduler.simulation.what_if import JOBS_MAX, FarmSnapshot, QueuedJob, QueuedWork, WhatIf, what_if
from scheduler.store.production import PriorityOverride
from scheduler.store.tables import Job, JobDependency, Worker

NEW_JOB = "new"
"""Name of the job that does not exist."""

SHIFTS_TOLD_MAX = 100
"""Jobs that are told to finish at another time, those that move most first."""

NO_FINISH = "no estimate: no worker that it may use could take it, or the jobs it waits for do not end"


async def finish_if(
    farm: Farm, forecaster: Forecaster, estimator: Estimator, surveyor: Surveyor, capper: Capper, *, draft: Draft
) -> dict[str, Any]:
    """When a job would finish and what it would cost if it were submitted now, and whom it would delay: `estimate`,
    `cost`, `shifts`, `left_out`."""
    purse = capper.purse_of_draft(draft)
    job, tariff = replace(new_job(draft, estimator), closed=frozenset(purse.closed if purse else ())), capper.tariff()
    snapshot = await snapshot_of(farm, forecaster, surveyor, tariff.usd_per_hour)
    answer = await asyncio.to_thread(what_if, snapshot, job)
    unknown = unknown_times(step_times(draft, estimator))
    cost = cost_if(answer.costs, tariff, unknown, draft.row.cost_cap_usd)
    view = Told(cost, job.tasks, draft.row.cost_cap_usd, usd_per_hour=tariff.usd_per_hour).view()
    return told(answer) | {"cost": view}


def new_job(draft: Draft, estimator: Estimator) -> QueuedJob:
    """A submission as a job of the queue, with what its frames are expected to take."""
    row, depends_on = draft.row, tuple(f"{need:05d}" for need in draft.prepared.needs)
    return _job(NEW_JOB, row, None, [_expected(step, row, estimator) for step in draft.steps], depends_on)


def step_times(draft: Draft, estimator: Estimator) -> list[FrameTime]:
    """What frames of each step of a submission are expected to take."""
    return [estimator.frame_time(facts_of(draft.row), work_kind(step.kind, final=step.final)) for step in draft.steps]


async def snapshot_of(
    farm: Farm, forecaster: Forecaster, surveyor: Surveyor, usd_per_hour: Mapping[str, float]
) -> FarmSnapshot:
    """The farm as it is now, with these prices. A forecast is made if the last one does not know the whole queue."""
    plan = farm.live.plan.steps
    if not {planned.card.job for planned in plan} <= forecaster.last.seen:
        await forecaster.run()
    outlook = forecaster.last
    order = list(dict.fromkeys([*(planned.card.job for planned in plan), *sorted(outlook.steps)]))[:JOBS_MAX]
    levels = {planned.card.step: planned.card.level for planned in plan}
    jobs = await reading(farm, lambda session: _jobs(session, order, outlook, levels))
    settings, closed = farm.settings, farm.live.purses.closed()
    jobs = [replace(job, closed=frozenset(closed.get(int(job.job), ()))) for job in jobs] if closed else jobs
    ordering = Ordering("farm", "policy", policy_of(settings.policy), settings.policy.share_half_life_s)
    return FarmSnapshot(
        now_s=farm.now_s(),
        jobs=jobs,
        workers=_workers(farm, await reading(farm, _ratings)),
        variant=Variant("farm", ordering, farm.book),
        pools=_pools(farm, usd_per_hour),
        use=surveyor.look().use,
        origin=studio_time(farm.clock.now(), settings.farm.time_zone).isoformat(),
    )


def told(answer: WhatIf) -> dict[str, Any]:
    """The answer as `POST /rules/test` shows it."""
    finish = answer.finish
    estimate = {"finish": None, "low": None, "high": None, "basis": NO_FINISH}
    if finish is not None:
        times = {"finish": iso(finish.finish_s), "low": iso(finish.low_s), "high": iso(finish.high_s)}
        estimate = {**times, "basis": answer.basis}
    shifts = [
        {"jobID": s.job, "before": iso(s.before_s), "after": iso(s.after_s), "delta_s": round(s.delta_s, 1)}
        for s in answer.shifts[:SHIFTS_TOLD_MAX]
    ]
    return {"estimate": estimate, "shifts": shifts, "left_out": answer.left_out}


def _jobs(session: Session, order: Sequence[int], outlook: Outlook, levels: Mapping[int, int]) -> list[QueuedJob]:
    rows = {row.id or 0: row for row in session.exec(select(Job).where(col(Job.id).in_(order))).all()}
    overrides = session.exec(select(PriorityOverride).where(col(PriorityOverride.job_id).in_(order))).all()
    override = {row.job_id: row.priority for row in overrides}
    unmet: dict[int, list[str]] = {}
    waits = select(JobDependency).where(col(JobDependency.job).in_(order), col(JobDependency.met).is_(False))
    for need in session.exec(waits).all():
        unmet.setdefault(need.job, []).append(f"{need.needs:05d}")
    found: list[QueuedJob] = []
    for number in order:
        steps = [_left(step, levels) for step in outlook.steps.get(number, ())]
        if number in rows and any(step.waiting or step.running for step in steps):
            needs = tuple(unmet.get(number, ()))
            found.append(_job(f"{number:05d}", rows[number], override.get(number), steps, needs))
    return found


def _job(
    name: str, row: Job, override: int | None, steps: Sequence[QueuedWork], depends_on: tuple[str, ...]
) -> QueuedJob:
    place = place_of(row, override)
    return QueuedJob(
        job=name,
        needs=needs_of(row.renderer, row.scene, row.requires),
        steps=tuple(steps),
        priority=place.priority,
        boost=row.boost,
        submitted_s=row.submitted_at,
        deadline_s=place.deadline_s,
        name=row.name,
        project=row.project,
        shot=row.shot,
        owner=row.owner,
        pools=tuple(row.pools),
        cloud=row.cloud,
        depends_on=depends_on,
        frames=row.frame_count,
    )


def _left(step: StepOutlook, levels: Mapping[int, int]) -> QueuedWork:
    level = levels.get(step.step, 1 if step.kind == "merge" else 0)
    return QueuedWork(step.waiting, step.time.mean_s * step.frames_per_task, level, step.running, step.time.doubt)


def _expected(step: StepPlan, row: Job, estimator: Estimator) -> QueuedWork:
    kind = work_kind(step.kind, final=step.final)
    tasks = len(step.tasks)
    frames = row.frame_count / tasks if kind in ("render", "part") and tasks else 1.0
    time = estimator.frame_time(facts_of(row), kind)
    return QueuedWork(tasks, time.mean_s * frames, step.level, 0, time.doubt)


def _workers(farm: Farm, ratings: Mapping[str, float]) -> list[tuple[str, MachineSpec, int]]:
    """Those that take work, alike ones together."""
    kinds: Counter[tuple[str, str]] = Counter()
    specs: dict[tuple[str, str], MachineSpec] = {}
    for worker in farm.live.workers.values():
        if worker.status is WorkerStatus.ACTIVE and not worker.drain:
            machine = worker.machine
            spec = MachineSpec(
                worker.slots,
                machine.vcpus,
                machine.memory_gib,
                machine.gpus,
                tuple(sorted(machine.tags)),
                machine.renderers,
                ratings.get(worker.id, 1.0),
            )
            key = (worker.pool, repr(spec))
            kinds[key] += 1
            specs[key] = spec
    return [(pool, specs[pool, spec], count) for (pool, spec), count in sorted(kinds.items())]


def _ratings(session: Session) -> dict[str, float]:
    """The power of the workers that were measured."""
    rows = session.exec(select(Worker).where(col(Worker.rating).is_not(None))).all()
    return {row.id: row.rating for row in rows if row.rating}


def _pools(farm: Farm, usd_per_hour: Mapping[str, float]) -> list[PoolSpec]:
    """The pools of the settings, and those that workers are in. One that grows has workers as it had them last."""
    like = {worker.pool: worker for worker in farm.live.workers.values()}
    found: list[PoolSpec] = []
    for name in sorted(like.keys() | farm.settings.pools.keys() | {HOME_POOL}):
        pool, worker = farm.settings.pools.get(name), like.get(name)
        if pool is None:
            found.append(PoolSpec(name))
            continue
        machine = MachineSpec()
        if worker is not None:
            has = worker.machine
            machine = MachineSpec(worker.slots, has.vcpus, has.memory_gib, has.gpus, tuple(sorted(has.tags)))
        found.append(
            PoolSpec(
                name,
                backend=pool.backend,
                tags=pool.tags,
                price_usd_per_hour=usd_per_hour.get(name, pool.price_usd_per_hour),
                workers_max=pool.workers_max or 0,
                machine=machine,
                boot_s=pool.boot_s,
                idle_s=pool.idle_s,
                autoscale=pool.autoscale,
                workers_min=pool.workers_min,
                workers_kept=pool.workers_kept,
                billing_s=pool.billing_s,
                transfer_s=pool.transfer_s,
            )
        )
    return found
