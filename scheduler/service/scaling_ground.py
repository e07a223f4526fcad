"""The farm as autoscaling sees it: instances with what their workers do, terms of the pools, and the work that is left.

It reads the plan (what is ready, and where it may go), the last forecast (what is left, and when it would end at home)
and the store (dates), and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from sqlmodel import Session, col, select

from scheduler.domain.scaling import Ground, InstanceView, Phase, Policy, PoolView, Work
from scheduler.domain.states import WorkerStatus
from scheduler.domain.wishes import effective_deadline
from scheduler.protocol.renderers import RENDERERS
from scheduler.routing.machines import Machine, Needs, shortfall
from scheduler.routing.route import HOME_POOL
from scheduler.service.costing import EVERYBODY
from scheduler.service.farm import Farm
from scheduler.service.forecasting import Forecaster, Outlook
from scheduler.service.live import LiveWorker
from scheduler.service.plan import PlannedStep
from scheduler.service.surveying import Surveyor
from scheduler.service.viewing import reading
from scheduler.settings import PoolSettings
from scheduler.store.tables import Job

ANY_VERSION = ("999999.999999",)
"""Version of the renderers of a machine that nobody has seen yet: it opens whatever is asked for."""

NEW_TASK_S = 60.0
"""What a task is taken to last of a job that no forecast has seen yet; the next one has."""

JOBS_READ_MAX = 500
"""Jobs whose dates are read with one query."""


@dataclass(frozen=True)
class RentedPool:
    """A pool as whoever launches knows it: its instances and what one costs.

    Of `instances`, `idle_since_s` is not looked at. What is None is as in the settings; `reserve_usd` is what one
    launch reserves (None: its whole life), `left_usd` what may still be reserved for this pool (None: no bound).
    """

    machine: Machine
    instances: Sequence[InstanceView] = ()
    price_usd_per_hour: float | None = None
    boot_s: float | None = None
    billing_s: float | None = None
    loss_per_hour: float = 0.0
    reserve_usd: float | None = None
    left_usd: float | None = None


class History(Protocol):
    """What was done about a pool lately."""

    grown_at_s: float | None
    shrunk_at_s: float | None
    used_at_s: float | None


class _Around(NamedTuple):
    """What is the same for the work of all jobs."""

    now_s: float
    growing: frozenset[str]
    outlook: Outlook
    home_power: float
    budget: Mapping[str, Any]


class _Dates(NamedTuple):
    """What the store says of a job."""

    name: str
    project: str
    deadline_s: float | None


class GroundMaker:
    """Makes the snapshot; remembers since when workers are idle, and what those of each pool were like."""

    def __init__(self, farm: Farm, forecaster: Forecaster, surveyor: Surveyor) -> None:
        self._farm, self._forecaster, self._surveyor = farm, forecaster, surveyor
        self._idle: dict[str, float] = {}
        self._like: dict[str, LiveWorker] = {}

    def offers(self, rented: Mapping[str, RentedPool]) -> dict[str, Machine]:
        """The machine of a new worker of each pool, as routing sees it."""
        self._remember()
        pools = self._farm.settings.pools
        return {name: self._offer(one.machine, pools[name], self._like.get(name)) for name, one in rented.items()}

    async def look(
        self, rented: Mapping[str, RentedPool], past: Mapping[str, History], covered: Mapping[int, str]
    ) -> Ground:
        """The farm at this moment."""
        self._remember()
        home, budget = self._home(), self._surveyor.look().shared.budget
        power = sum(worker.slots * (worker.rating or 1.0) for worker in home)
        around = _Around(self._farm.now_s(), frozenset(rented), self._forecaster.last, power, budget)
        rows = _grouped(step for step in self._farm.live.plan.steps if around.growing & set(step.route.chosen))
        dates = await reading(self._farm, lambda session: _dates(session, list(rows)))
        return Ground(
            around.now_s,
            tuple(self._view(name, one, past[name], around.now_s) for name, one in rented.items()),
            tuple(self._work(job, steps, dates[job], around) for job, steps in rows.items() if job in dates),
            float(sum(max(0, worker.slots - len(worker.leases)) for worker in home)),
            _left_usd(budget, EVERYBODY),
            covered,
        )

    # ---- Workers ---------------------------------------------------------------------------------------------------

    def _remember(self) -> None:
        """Since when workers have nothing to do, and what a worker of each pool is like."""
        now_s, workers = self._farm.now_s(), self._farm.live.workers
        self._idle = {worker.id: self._idle.get(worker.id, now_s) for worker in workers.values() if not worker.leases}
        for worker in workers.values():
            self._like[worker.pool] = worker

    def _home(self) -> list[LiveWorker]:
        """The studio's own workers that take work."""
        return [
            worker
            for worker in self._farm.live.workers.values()
            if worker.pool == HOME_POOL
            and worker.status is WorkerStatus.ACTIVE
            and not (worker.drain or worker.blocked)
        ]

    def _view(self, name: str, rented: RentedPool, past: History, now_s: float) -> PoolView:
        settings, like = self._farm.settings.pools[name], self._like.get(name)
        price = settings.price_usd_per_hour if rented.price_usd_per_hour is None else rented.price_usd_per_hour
        billing_s = settings.billing_s if rented.billing_s is None else rented.billing_s
        life_price = price * settings.life_s / 3600.0
        instances = tuple(self._instance(one) for one in rented.instances)
        if any(one.phase is Phase.RUNNING and one.idle_since_s is None for one in instances):
            past.used_at_s = now_s
        return PoolView(
            name,
            Policy(settings.autoscale),
            instances,
            slots=like.slots if like else 1,
            power=(like.rating if like else None) or 1.0,
            price_usd_per_hour=price,
            workers_min=settings.workers_min,
            workers_max=settings.workers_max or 0,
            size=settings.workers_kept,
            low=settings.twostate_low,
            window_s=settings.twostate_window_s,
            boot_s=settings.boot_s if rented.boot_s is None else rented.boot_s,
            transfer_s=settings.transfer_s,
            billing_s=billing_s,
            loss_per_hour=rented.loss_per_hour,
            idle_s=settings.idle_s,
            settle_s=settings.settle_s,
            haste=settings.deadline_haste,
            caution=settings.deadline_caution,
            margin_tasks=settings.deadline_margin_tasks,
            grace_s=settings.deadline_grace_s,
            budget_usd=rented.left_usd,
            reserve_usd=life_price if rented.reserve_usd is None else rented.reserve_usd,
            grown_at_s=past.grown_at_s,
            shrunk_at_s=past.shrunk_at_s,
            used_at_s=past.used_at_s,
        )

    def _instance(self, one: InstanceView) -> InstanceView:
        """An instance with what its worker does; one whose worker has not come yet is starting."""
        if one.phase is Phase.RETIRING:
            return one
        worker = self._farm.live.workers.get(one.worker)
        if worker is None or worker.status is WorkerStatus.LOST:
            return replace(one, phase=Phase.STARTING, idle_since_s=None)
        if worker.drain:
            return replace(one, phase=Phase.RETIRING)
        return replace(one, phase=Phase.RUNNING, idle_since_s=self._idle.get(worker.id))

    def _offer(self, machine: Machine, pool: PoolSettings, like: LiveWorker | None) -> Machine:
        renderers: dict[str, tuple[str, ...]] = dict(machine.renderers)
        if not renderers and pool.renderers:
            renderers = dict.fromkeys(pool.renderers, ANY_VERSION)
        if not renderers:
            stock = [name for name, info in RENDERERS.items() if info.stock]
            renderers = dict(like.machine.renderers) if like else dict.fromkeys(stock, ANY_VERSION)
        tags = machine.tags | frozenset(pool.tags)
        if like is None:
            return replace(machine, tags=tags, renderers=renderers)
        # A worker sees less memory than its machine is sold with; what has been seen is what will come.
        vcpus, memory_gib = min(machine.vcpus, like.machine.vcpus), min(machine.memory_gib, like.machine.memory_gib)
        return replace(machine, vcpus=vcpus, memory_gib=memory_gib, tags=tags, renderers=renderers)

    # ---- Work ------------------------------------------------------------------------------------------------------

    def _work(self, job: int, steps: Sequence[PlannedStep], dates: _Dates, around: _Around) -> Work:
        outlook, now_s = around.outlook, around.now_s
        chosen, needs = steps[0].route.chosen, steps[0].route.needs
        left_usd = _left_usd(around.budget, dates.project) if dates.project else None
        broke = left_usd is not None and left_usd <= 0
        rooms = self._rooms(job, chosen) if steps[0].capped else {}
        growing = [name for name in chosen if name in around.growing and rooms.get(name, 1) > 0]
        pools = () if broke else tuple(name for name in growing if self._could(name, needs))
        ready = sum(step.ready for step in steps)
        known = {step.step: step for step in outlook.steps.get(job, ())}
        times = {s.step: s.frames_per_task * s.time.mean_s for s in known.values()}
        left = max(ready, sum(step.waiting for step in known.values()))
        left_s = sum(step.waiting * times[step.step] for step in known.values()) or left * NEW_TASK_S
        finish_s, high_s = now_s, now_s
        home = HOME_POOL in chosen
        if job in outlook.seen:
            told = outlook.home.get(job)
            home = home and told is not None
            finish_s, high_s = (told.finish_s, told.high_s) if told is not None else (now_s, now_s)
        return Work(
            job,
            pools,
            ready,
            sum(step.ready * times.get(step.card.step, NEW_TASK_S) for step in steps),
            left,
            left_s,
            max(times.values(), default=NEW_TASK_S),
            home,
            dates.deadline_s,
            finish_s,
            high_s,
            around.home_power,
            dates.name,
            rooms,
        )

    def _rooms(self, job: int, chosen: Sequence[str]) -> dict[str, int]:
        """How many tasks more the job's cost cap pays for in each of these pools that has a price."""
        purses = self._farm.live.purses
        purse = purses.jobs.get(job)
        verdicts = {} if purse is None else purse.verdicts
        return {name: verdicts[name].count if name in verdicts else 0 for name in chosen if name in purses.costly}

    def _could(self, pool: str, needs: Needs) -> bool:
        """Whether a worker that is launched there could take it."""
        offer = self._farm.live.offers.get(pool)
        return offer is not None and not shortfall(needs, offer)


def _grouped(steps: Iterable[PlannedStep]) -> dict[int, list[PlannedStep]]:
    rows: dict[int, list[PlannedStep]] = {}
    for step in steps:
        rows.setdefault(step.card.job, []).append(step)
    return rows


def _dates(session: Session, jobs: Sequence[int]) -> dict[int, _Dates]:
    found: dict[int, _Dates] = {}
    columns = (Job.id, Job.name, Job.project, Job.deadline, Job.tracked_deadline)
    for start in range(0, len(jobs), JOBS_READ_MAX):
        batch = jobs[start : start + JOBS_READ_MAX]
        rows = session.execute(select(*(col(column) for column in columns)).where(col(Job.id).in_(batch)))
        for job, name, project, deadline, tracked in rows:
            found[job] = _Dates(name, project, effective_deadline(deadline, tracked))
    return found


def _left_usd(budget: Mapping[str, Any], name: str) -> float | None:
    found = budget.get(name)
    return None if found is None else float(found["left_usd"])
