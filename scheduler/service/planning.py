"""Making the plan: load the steps that could be leased from, rank them, route them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from scheduler.domain.forecasting import Forecast
from scheduler.domain.ranking import RankInput, order
from scheduler.domain.states import WorkerStatus
from scheduler.routing.affording import left_affordable
from scheduler.routing.departing import departure
from scheduler.routing.machines import Machine, Needs, shortfall
from scheduler.routing.route import HOME_POOL, Pool, RouteRequest
from scheduler.routing.router import JobFacts, RouteItem, Router
from scheduler.routing.sieve import Placement
from scheduler.service.circumstances import Circumstances
from scheduler.service.live import LiveWorker
from scheduler.service.moving_facts import columns
from scheduler.service.plan import Departure, Plan, PlannedStep, StepCard
from scheduler.settings import PoolSettings, SitePool
from scheduler.store import hot
from scheduler.store.transaction import Transaction

FORGET_FACTOR, FORGET_MIN = 2, 1000
"""Steps that are remembered beyond twice those in the queue, before the ones that are gone are forgotten."""


GROWING_BACKENDS = frozenset({"gce", "aws", "slurm", "opencue"})
"""Backends that make workers appear for work that waits."""


class Told(NamedTuple):
    """What the tracker has said of a job; times are seconds since the epoch."""

    at_s: float
    priority: int | None
    deadline_s: float | None
    hold: str | None
    source: str | None


class StepBasis(NamedTuple):
    """What never changes of a step, as planning uses it; the same objects at every tick."""

    card: StepCard
    item: RouteItem


@dataclass(slots=True)
class StepRow:
    """One plannable step: what never changes, and what does. Priority and deadline are those in force.

    `fresh`: nothing of its job has started, as far as its status tells. `cost_cap_usd` is its job's (None: no bound).

    The same object as long as the database says the same; `seen` is then what ranking saw of it last, and sees again
    while the forecasts are those of `seen_in`.
    """

    basis: StepBasis
    job: int
    ready: int
    priority: int
    submitted_s: float
    waiting_on: int
    boost: float
    deadline_s: float | None
    tracked: Told | None
    fresh: bool = True
    cost_cap_usd: float | None = None
    seen: RankInput | None = None
    seen_in: Mapping[int, Forecast] | None = None


class StepLoader:
    """Loads the plannable steps; remembers them, so that a tick parses only what has changed since the last one."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[Any, ...], StepRow]] = {}

    def load(self, tx: Transaction) -> list[StepRow]:
        """Runs in the writer's thread, so that the counts stand in a known order to every commit (`Live.plan_with`)."""
        known, rows = self._known, list[StepRow]()
        found = tx.rows(hot.PLANNABLE, ())
        if len(known) > FORGET_FACTOR * len(found) + FORGET_MIN:
            here = {raw[0] for raw in found}
            self._known = known = {step: row for step, row in known.items() if step in here}
        for raw in found:
            step = raw[0]
            before = known.get(step)
            if before is None or before[0] != raw:
                basis = before[1].basis if before is not None else _basis(tx, step)
                before = known[step] = (raw, _row(tx, basis, raw))
            rows.append(before[1])
        return rows


def _row(tx: Transaction, basis: StepBasis, raw: Sequence[Any]) -> StepRow:
    _step, ready, priority, submitted_at, waiting_on, boost, deadline, tracked_at, queued, cap_usd = raw
    job = basis.card.job
    tracked = None if tracked_at is None else Told(*tx.rows(hot.TOLD, (job,))[0])
    return StepRow(
        basis, job, ready, priority, submitted_at, waiting_on, boost, deadline, tracked, bool(queued), cap_usd
    )


def pools_of(
    workers: Iterable[LiveWorker], settings: Mapping[str, PoolSettings], offers: Mapping[str, Machine]
) -> tuple[Pool, ...]:
    """The pools there are, with the machines that are here now: the studio's own, those of the settings, any other.

    `offers` are the machines that could be launched, by pool.
    """
    machines: dict[str, list[Machine]] = {HOME_POOL: []} | {name: [] for name in settings}
    for worker in workers:
        if worker.status is not WorkerStatus.LOST:
            machines.setdefault(worker.pool, []).append(worker.machine)
    return tuple(_pool(name, tuple(found), settings.get(name), offers.get(name)) for name, found in machines.items())


def _pool(name: str, machines: tuple[Machine, ...], settings: PoolSettings | None, offer: Machine | None) -> Pool:
    if settings is None:
        return Pool(name, machines)
    pool = Pool(
        name, machines, settings.backend, settings.price_usd_per_hour, settings.workers_max, settings.tags, offer=offer
    )
    if isinstance(settings, SitePool):
        return replace(pool, house=settings.is_house, default=settings.default)
    return pool


def make_plan(rows: Iterable[StepRow], around: Circumstances, router: Router) -> Plan:
    """Rank and route. The same rows and circumstances give the same plan; the router only remembers."""
    eligible = [row for row in rows if not row.waiting_on]
    inputs = [row.seen if row.seen_in is around.forecasts and row.seen else _seen(row, around) for row in eligible]
    ordered = order(inputs, around.policy, around.use, around.now_s)
    items = [row.basis.item for row in eligible]
    moving = columns(router.moving_paths, eligible, around)
    placements = router.place_all(items, around.pools, around.shared, moving)
    if around.unaffordable:
        placements = [
            left_affordable(placement, around.unaffordable.get(row.job))
            for row, placement in zip(eligible, placements, strict=True)
        ]
    leaving = _departures(eligible, placements, around) if around.sites else {}
    steps = [
        PlannedStep(
            row.basis.card,
            score,
            leaving.get(row.job, placements[place]),
            row.ready,
            row.priority,
            row.cost_cap_usd is not None,
        )
        for place, score in ordered
        for row in (eligible[place],)
    ]
    jobs = dict.fromkeys(step.card.job for step in steps if step.card.job in leaving)
    departures = tuple(Departure(job, leaving[job].chosen[0]) for job in jobs)
    return Plan(steps, made_at=around.now_s, departures=departures, book=router.book)


def _departures(
    rows: Sequence[StepRow], placements: Sequence[Placement], around: Circumstances
) -> dict[int, Placement]:
    """The jobs that go to another farm, with a place where no worker of this one takes them."""
    sites, pools = around.sites, {pool.name: pool for pool in around.pools}
    leaving: dict[int, Placement] = {}
    for row, placement in zip(rows, placements, strict=True):
        fresh = row.fresh or row.job in around.unbegun
        if not fresh or row.job in leaving or sites.keys().isdisjoint(placement.chosen):
            continue
        refused = around.closed_sites(row.job, row.basis.card.project, capped=row.cost_cap_usd is not None)
        waited_s, needs = around.now_s - row.submitted_s, placement.needs
        site = departure(
            placement.chosen,
            sites,
            refused=refused,
            waited_s=waited_s,
            can_take=lambda name, needs=needs: can_take(pools[name], needs),
        )
        if site is not None:
            leaving[row.job] = Placement((site,), needs)
    return leaving


def can_take(pool: Pool, needs: Needs) -> bool:
    """Whether a pool of workers has one that fits, or can be given one by its provider."""
    if pool.workers_max != 0 and pool.backend in GROWING_BACKENDS:
        return True
    return any(not shortfall(needs, machine) for machine in pool.machines)


def _seen(row: StepRow, around: Circumstances) -> RankInput:
    """What ranking sees of a step. Slack moves with the clock only where nothing has been foretold of the job."""
    card, slack_s = row.basis.card, around.slack_s(row.job, row.deadline_s)
    if row.seen is None or row.seen.slack_s != slack_s:
        row.seen = RankInput(
            card.step, row.job, row.priority, row.submitted_s, card.level, card.project, slack_s, row.boost
        )
    row.seen_in = around.forecasts if slack_s is None or row.job in around.forecasts else None
    return row.seen


def needs_of(renderer: str, scene: Mapping[str, Any], requires: Mapping[str, Any]) -> Needs:
    """What one task of a job needs."""
    return Needs(
        renderer=renderer,
        renderer_version=scene.get("version", ""),
        vcpus=requires.get("vcpus", 1),
        memory_gib=requires.get("memory_gib", 0.0),
        gpus=requires.get("gpus", 0),
        tags=tuple(requires.get("tags", ())),
    )


def load_needs(tx: Transaction, job: int) -> Needs:
    """What one task of a stored job needs."""
    renderer, scene, requires = tx.rows(hot.NEEDS, (job,))[0]
    return needs_of(renderer, _json(scene), _json(requires))


def _basis(tx: Transaction, step: int) -> StepBasis:
    (
        kind, level, final, job, name, renderer, image_format, settings, scene, requires, pools, timeout_s,
        owner, project, shot, cloud, tracking, metadata, frames, tasks,
    ) = tx.rows(hot.CARD, (step,))[0]  # fmt: skip
    scene_data, asked = _json(scene), _json(requires)
    card = StepCard(
        step=step,
        job=job,
        job_name=name,
        kind=kind,
        level=level,
        final=bool(final),
        renderer=renderer,
        format=image_format,
        settings=_json(settings),
        scene=scene_data,
        needs=needs_of(renderer, scene_data, asked),
        timeout_s=timeout_s,
        project=project,
    )
    said = JobSaid(f"{job:05d}", name, owner, renderer, frames, int(tasks), cloud, project, shot)
    facts = job_facts(said, pools=_json(pools), requires=asked, tracking=_json(tracking), metadata=_json(metadata))
    request = RouteRequest(card.needs, tuple(_json(pools)), cloud)
    return StepBasis(card, RouteItem(request, JobFacts(facts)))


class JobSaid(NamedTuple):
    """The plain facts of a job, named as conditions name them."""

    id: str
    name: str
    owner: str
    renderer: str
    frames: int
    tasks: int
    cloud: str
    project: str
    shot: str


def job_facts(said: JobSaid, **more: Any) -> dict[str, Any]:
    """What stays the same of a job, as conditions see it (`scheduler.routing.vocabulary`)."""
    return said._asdict() | more


def _json(value: Any) -> Any:
    """SQLite hands JSON out as text, PostgreSQL as objects."""
    return json.loads(value) if isinstance(value, str) else value
