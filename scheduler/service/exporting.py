"""The farm's history as a trace (`protocol.traces`), to be replayed under other rules: read, never changed.

Jobs are read page by page, each page on a snapshot of its own, so that an export of a year holds neither memory nor a
reader for long. What tasks took is scaled by their worker's rating to the reference machine.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from scheduler.domain.states import JobStatus, WorkerStatus
from scheduler.protocol.traces import (
    JobLine,
    MachineSpec,
    PoolSpec,
    RequiresSpec,
    WorkerLine,
    new_farm,
    write_line,
)
from scheduler.service.anonymising import Names
from scheduler.service.export_changes import changes_of
from scheduler.service.farm import Farm, iso
from scheduler.service.viewing import reading
from scheduler.store.tables import Attempt, Event, Job, JobDependency, Step, Task, Worker

PAGE_JOBS = 50
"""Jobs that are read at once."""

EVENT_KINDS = ("job.priority", "job.wish", "job.status")


@dataclass(frozen=True)
class Export:
    """What is wanted: jobs submitted from `since_s` until before `until_s`, seconds since the epoch; None: no bound."""

    since_s: float | None = None
    until_s: float | None = None
    anonymous: bool = False


@dataclass
class _Page:
    """Some jobs with everything that a trace tells of them."""

    jobs: Sequence[Job]
    needs: Mapping[int, list[int]]
    steps: Mapping[int, list[int]]
    seconds: Mapping[int, list[float | None]]
    events: Mapping[int, list[Event]] = field(default_factory=dict[int, list[Event]])


async def export_trace(farm: Farm, wanted: Export) -> AsyncIterator[bytes]:
    """The lines of the trace: the farm, its workers, then the jobs in the order of their submission."""
    names = Names(anonymous=wanted.anonymous)
    origin_s = await reading(farm, lambda session: _origin_s(session, wanted, farm.now_s()))
    workers = await reading(farm, lambda session: session.exec(select(Worker).order_by(col(Worker.id))).all())
    yield await asyncio.to_thread(_head, farm, workers, names, origin_s)
    last, exported = 0, set[int]()
    while True:
        after = last
        page = await reading(farm, lambda session, after=after: _page(session, wanted, after))
        if not page.jobs:
            return
        last = page.jobs[-1].id or 0
        yield await asyncio.to_thread(_lines, page, names, origin_s, exported)


def _origin_s(session: Session, wanted: Export, now_s: float) -> float:
    if wanted.since_s is not None:
        return wanted.since_s
    first: float | None = session.scalar(select(func.min(col(Job.submitted_at))))
    return now_s if first is None else first


def _head(farm: Farm, workers: Sequence[Worker], names: Names, origin_s: float) -> bytes:
    growing = {name for name, pool in farm.settings.pools.items() if pool.workers_max and pool.autoscale != "none"}
    used = {worker.pool for worker in workers} | set(farm.settings.pools)
    pools = tuple(_pool(farm, name, workers, names) for name in sorted(used))
    name = "" if names.anonymous else farm.settings.farm.name
    lines = [write_line(new_farm(pools, origin=iso(origin_s), name=name))]
    for worker in workers:
        line = None if worker.pool in growing else _worker(worker, names, origin_s)
        if line is not None:
            lines.append(write_line(line))
    return b"".join(lines)


def _pool(farm: Farm, name: str, workers: Sequence[Worker], names: Names) -> PoolSpec:
    """A pool with a bound grows by its policy, by workers such as it mostly had."""
    settings = farm.settings.pools.get(name)
    if settings is None:
        return PoolSpec(name)
    kinds = Counter(repr(_machine(worker, names)) for worker in workers if worker.pool == name)
    usual = kinds.most_common(1)[0][0] if kinds else ""
    like = next((m for w in workers if w.pool == name and repr(m := _machine(w, names)) == usual), MachineSpec())
    return PoolSpec(
        name,
        backend=settings.backend,
        tags=tuple(names.tag(tag) for tag in settings.tags),
        price_usd_per_hour=settings.price_usd_per_hour,
        workers_max=settings.workers_max or 0,
        machine=like if settings.workers_max else None,
        boot_s=settings.boot_s,
        idle_s=settings.idle_s,
        autoscale=settings.autoscale,
        workers_min=settings.workers_min,
        workers_kept=settings.workers_kept,
        billing_s=settings.billing_s,
        transfer_s=settings.transfer_s,
        life_s=settings.life_s,
    )


def _worker(row: Worker, names: Names, origin_s: float) -> WorkerLine | None:
    """A worker; None if it was gone before the trace begins."""
    left_s = row.last_seen - origin_s if row.status == WorkerStatus.LOST else None
    if left_s is not None and left_s <= 0:
        return None
    joined_s = max(0.0, row.registered_at - origin_s)
    return WorkerLine(
        worker=names.worker(row.id),
        pool=row.pool,
        joined_s=joined_s,
        left_s=None if left_s is None else max(left_s, joined_s),
        machine=_machine(row, names),
    )


def _machine(row: Worker, names: Names) -> MachineSpec:
    has = row.capabilities
    return MachineSpec(
        slots=row.slots,
        vcpus=has.get("vcpus", 1),
        memory_gib=has.get("memory_gib", 0.0),
        gpus=has.get("gpus", 0),
        tags=tuple(names.tag(tag) for tag in has.get("tags", ())),
        renderers={name: tuple(versions) for name, versions in has.get("renderers", {}).items()},
        rating=row.rating or 1.0,
    )


def _page(session: Session, wanted: Export, after: int) -> _Page:
    query = select(Job).where(col(Job.id) > after).order_by(col(Job.id)).limit(PAGE_JOBS)
    if wanted.since_s is not None:
        query = query.where(col(Job.submitted_at) >= wanted.since_s)
    if wanted.until_s is not None:
        query = query.where(col(Job.submitted_at) < wanted.until_s)
    jobs = session.exec(query).all()
    numbers = [job.id or 0 for job in jobs]
    if not numbers:
        return _Page((), {}, {}, {})
    needs: dict[int, list[int]] = defaultdict(list)
    for row in session.exec(select(JobDependency).where(col(JobDependency.job).in_(numbers))).all():
        needs[row.job].append(row.needs)
    steps: dict[int, list[int]] = defaultdict(list)
    for row in session.exec(select(Step).where(col(Step.job_id).in_(numbers)).order_by(col(Step.level))).all():
        steps[row.job_id].append(row.id or 0)
    events: dict[int, list[Event]] = defaultdict(list)
    told = select(Event).where(col(Event.job_id).in_(numbers), col(Event.kind).in_(EVENT_KINDS))
    for row in session.exec(told.order_by(col(Event.id))).all():
        events[row.job_id or 0].append(row)
    return _Page(jobs, needs, steps, _seconds(session, numbers), events)


def _seconds(session: Session, jobs: Sequence[int]) -> dict[int, list[float | None]]:
    """Each step's task times on the reference machine, in the order of its tasks; None: not measured."""
    attempt = (col(Attempt.task_id) == col(Task.id)) & (col(Attempt.status) == "SUCCEEDED")
    rows = session.execute(
        select_columns(
            col(Task.step_id), col(Attempt.seconds), col(Attempt.leased_at), col(Attempt.ended_at), col(Worker.rating)
        )
        .join(Attempt, attempt, isouter=True)
        .join(Worker, col(Worker.id) == col(Attempt.worker), isouter=True)
        .where(col(Task.job_id).in_(jobs))
        .order_by(col(Task.step_id), col(Task.seq))
    ).all()
    seconds: dict[int, list[float | None]] = defaultdict(list)
    for step, measured, leased_at, ended_at, rating in rows:
        held = ended_at - leased_at if ended_at is not None and leased_at is not None else None
        took = measured if measured is not None else held
        seconds[step].append(None if took is None else round(max(0.0, took) * (rating or 1.0), 3))
    return seconds


def _lines(page: _Page, names: Names, origin_s: float, exported: set[int]) -> bytes:
    lines: list[bytes] = []
    for job in page.jobs:
        number = job.id or 0
        seconds = tuple(tuple(page.seconds.get(step, ())) for step in page.steps.get(number, ()))
        if not any(seconds):
            continue  # its tasks were forgotten with the job's age
        needs = [need for need in page.needs.get(number, ()) if need in exported]
        lines.append(write_line(_job(job, seconds, needs, page.events.get(number, []), names, origin_s)))
        exported.add(number)
    return b"".join(lines)


def _job(
    row: Job,
    seconds: tuple[tuple[float | None, ...], ...],
    needs: list[int],
    events: list[Event],
    names: Names,
    origin_s: float,
) -> JobLine:
    payload: dict[str, Any] = row.payload
    split = payload.get("split") or {}
    tiles = split.get("tiles")
    priority, deadline, changes = changes_of(row, events, origin_s)
    canceled = row.status == JobStatus.CANCELED and row.ended_at is not None
    return JobLine(
        job=f"{row.id:05d}",
        submitted_s=max(0.0, row.submitted_at - origin_s),
        seconds=seconds,
        name=names.job(row.name),
        project=names.project(row.project or row.tracking.get("project") or ""),
        shot=names.shot(row.shot),
        owner=names.owner(row.owner),
        priority=priority,
        boost=row.boost,
        deadline_s=deadline,
        renderer=row.renderer,
        renderer_version=row.scene.get("version") or "",
        scene=names.scene(str(payload.get("scene") or "")),
        frame_count=row.frame_count,
        chunk=payload.get("chunk", 1),
        tiles=None if not tiles else (tiles[0], tiles[1]),
        samples=split.get("samples"),
        requires=_requires(row.requires, names),
        cloud="never" if row.cloud == "never" else "prefer" if row.cloud == "prefer" else "allow",
        cost_cap_usd=row.cost_cap_usd,
        pools=tuple(row.pools),
        depends_on=tuple(f"{need:05d}" for need in needs),
        max_attempts=row.max_attempts,
        changes=changes,
        canceled_s=max(0.0, (row.ended_at or 0.0) - origin_s) if canceled else None,
    )


def _requires(wants: Mapping[str, Any], names: Names) -> RequiresSpec:
    tags = tuple(names.tag(tag) for tag in wants.get("tags", ()))
    return RequiresSpec(wants.get("vcpus", 1), wants.get("memory_gib", 0.0), wants.get("gpus", 0), tags)
