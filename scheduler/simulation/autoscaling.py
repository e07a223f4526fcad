"""Autoscaling in a replay: the farm's own policies, asked about the virtual farm.

It builds the snapshot that they decide on, remembers what was changed last and what is covered, and leaves to chance,
by seed, when a provider takes a worker back. Launching and ending workers is `renting`'s.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scheduler.domain.resizing import decide
from scheduler.domain.scaling import Decision, Ground, InstanceView, Phase, Policy, PoolView, Stage, Work
from scheduler.routing.reserving import Reserved
from scheduler.routing.sieve import Placement
from scheduler.simulation.fleet import HOUR_S, LIFE_S, Fleet, Kind, SimPool, paid_s
from scheduler.simulation.foresight import Estimator
from scheduler.simulation.queueing import JobRun, StepRun


@dataclass
class _Past:
    """What was done about a pool."""

    grown_at_s: float | None = None
    shrunk_at_s: float | None = None
    used_at_s: float | None = None


@dataclass
class _Row:
    """A job's work while it is added up over its steps."""

    job: JobRun
    pools: dict[str, None] = field(default_factory=dict[str, None])
    home: bool = False
    ready: int = 0
    ready_s: float = 0.0
    left: int = 0
    left_s: float = 0.0
    task_s: float = 0.0


class Autoscaler:
    """Decides about the pools of a replay. `policy` overrides what the pools say; `budget_usd` bounds all of it."""

    def __init__(self, fleet: Fleet, estimator: Estimator, *, policy: Policy | None, budget_usd: float | None) -> None:
        self._fleet, self._estimator, self._budget_usd = fleet, estimator, budget_usd
        self._policies = {pool.spec.name: policy or Policy(pool.spec.autoscale) for pool in fleet.rented()}
        self._past = {name: _Past() for name in self._policies}
        self._decision = Decision()
        self._reserved: Reserved = {}
        self._fitting: dict[tuple[str, int], bool] = {}

    def __bool__(self) -> bool:
        """Whether any pool is scaled."""
        return any(policy is not Policy.NONE for policy in self._policies.values())

    @property
    def foresees(self) -> bool:
        """Whether the policies ask when jobs would end at home."""
        return Policy.DEADLINE in self._policies.values()

    @property
    def reserved(self) -> Reserved:
        """By pool, the jobs that its workers are kept for."""
        return self._reserved

    @property
    def restless(self) -> bool:
        """Whether time alone may change what is decided, though nothing happens."""
        return self.surplus or any(cover.stage is Stage.LATER for cover in self._decision.covers)

    @property
    def surplus(self) -> bool:
        """Whether there are more workers somewhere than stay when there is no work."""
        return any(pool.workers + len(pool.booting) > self._floor(pool) for pool in self._fleet.rented())

    def decide(self, routed: Iterable[tuple[StepRun, Placement]], now_s: float) -> Decision:
        """What to do now, about the queue as it was routed last."""
        ground = self.ground(routed, now_s)
        self._decision = decide(ground)
        self._reserved = self._decision.reserved(ground.pools)
        for scaling in self._decision.scalings:
            past = self._past[scaling.pool]
            if scaling.launch:
                past.grown_at_s = now_s
            if scaling.retire:
                past.shrunk_at_s = now_s
        return self._decision

    def ground(self, routed: Iterable[tuple[StepRun, Placement]], now_s: float) -> Ground:
        """The snapshot."""
        home = self._fleet.home_kinds()
        power = sum(kind.workers * kind.slots * kind.rating for kind in home)
        rows = self._rows(routed, home)
        free = float(sum(worker.free for kind in home for worker in kind.open))
        left_usd = None if self._budget_usd is None else self._budget_usd - self._bound_usd(now_s)
        return Ground(
            now_s,
            tuple(self._view(pool, now_s) for pool in self._fleet.rented()),
            tuple(_work(row, power, now_s) for row in rows),
            free,
            left_usd,
            self._decision.covered,
        )

    def _rows(self, routed: Iterable[tuple[StepRun, Placement]], home: Sequence[Kind]) -> Iterable[_Row]:
        rows: dict[JobRun, _Row] = {}
        for step, placement in routed:
            waiting = step.left - step.leased
            if waiting <= 0 or not step.job.leasable:
                continue
            row = rows.get(step.job)
            if row is None:
                row = rows[step.job] = _Row(step.job)
                row.home = any(kind.pool in placement.chosen and kind.can_take(placement.needs) for kind in home)
                row.pools = dict.fromkeys(name for name in placement.chosen if self._fits(name, placement))
            task_s = self._estimator.time_of(step).mean_s
            row.ready += len(step.ready)
            row.ready_s += len(step.ready) * task_s
            row.left += waiting
            row.left_s += waiting * task_s
            row.task_s = max(row.task_s, task_s)
        return rows.values()

    def _fits(self, name: str, placement: Placement) -> bool:
        if name not in self._policies:
            return False
        pool = self._fleet.pools[name]
        return self._fleet.kind(name, pool.machine).can_take(placement.needs)

    def _view(self, pool: SimPool, now_s: float) -> PoolView:
        spec, machine, past = pool.spec, pool.machine, self._past[pool.spec.name]
        if pool.busy.value > 0:
            past.used_at_s = now_s
        instances = [InstanceView(name, Phase.STARTING, at_s) for name, at_s in pool.booting.items()]
        for worker in pool.members:
            if worker.launched_s is not None:
                idle_s = None if worker.leases else worker.idle_since_s
                instances.append(InstanceView(worker.name, Phase.RUNNING, worker.launched_s, idle_s, worker.name))
        return PoolView(
            spec.name,
            self._policies[spec.name],
            tuple(instances),
            slots=machine.slots,
            power=machine.rating,
            price_usd_per_hour=spec.price_usd_per_hour,
            workers_min=spec.workers_min,
            workers_max=spec.workers_max,
            size=spec.workers_kept,
            boot_s=spec.boot_s,
            transfer_s=spec.transfer_s,
            billing_s=spec.billing_s,
            loss_per_hour=spec.loss_per_hour,
            idle_s=spec.idle_s,
            reserve_usd=self._reserve_usd(pool),
            grown_at_s=past.grown_at_s,
            shrunk_at_s=past.shrunk_at_s,
            used_at_s=past.used_at_s,
        )

    def life_s(self, pool: SimPool) -> float:
        """The longest life of a worker that is launched in this pool."""
        if pool.spec.life_s is not None:
            return pool.spec.life_s
        return math.inf if self._budget_usd is None else LIFE_S

    def _reserve_usd(self, pool: SimPool) -> float:
        """What a launch may cost at the most: the whole life, in units that are paid for as a whole."""
        life_s = self.life_s(pool)
        if math.isinf(life_s):
            return 0.0
        return paid_s(life_s, pool.spec.billing_s) / HOUR_S * pool.spec.price_usd_per_hour

    def _bound_usd(self, now_s: float) -> float:
        """What has been spent, and what those that live may still cost."""
        bound = 0.0
        for pool in self._fleet.rented():
            bound += pool.usd(now_s)
            life_s, unit_s = self.life_s(pool), pool.spec.billing_s
            since = [w.launched_s for w in pool.members if w.launched_s is not None]
            for launched_s in (*since, *pool.booting.values()):
                left_s = paid_s(life_s, unit_s) - paid_s(now_s - launched_s, unit_s)
                bound += max(0.0, left_s) / HOUR_S * pool.spec.price_usd_per_hour
        return bound

    def _floor(self, pool: SimPool) -> int:
        """How many workers stay when there is no work."""
        spec = pool.spec
        match self._policies[spec.name]:
            case Policy.STATIC:
                return spec.workers_max if spec.workers_kept is None else spec.workers_kept
            case Policy.TWOSTATE:
                return max(1, spec.workers_min)
            case _:
                return spec.workers_min


def _work(row: _Row, home_power: float, now_s: float) -> Work:
    """The row as the policies see it. A job that came after the last forecast is taken to be in time for now."""
    job = row.job
    finish_s = now_s if job.home_unknown else job.home_finish_s
    return Work(
        job.index,
        tuple(row.pools),
        row.ready,
        row.ready_s,
        row.left,
        row.left_s,
        max(row.task_s, 1e-3),
        row.home,
        job.deadline_s,
        finish_s,
        finish_s if job.home_unknown else job.home_high_s,
        home_power,
        job.work.line.name or job.work.line.job,
    )


def lost_after_s(seed: int, worker: str, loss_per_hour: float) -> float:
    """How long after its launch the provider takes a worker back: the same for this name in every variant."""
    if loss_per_hour <= 0:
        return math.inf
    luck = random.Random(f"{seed}:{worker}:lost").random()
    return math.log(1.0 - luck) / math.log1p(-loss_per_hour) * HOUR_S
