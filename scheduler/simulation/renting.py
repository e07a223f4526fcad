"""Rented workers in a replay: what the policies decide is done, and providers take some of it back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scheduler.domain.retrying import FailureClass
from scheduler.simulation.agenda import Agenda
from scheduler.simulation.autoscaling import Autoscaler, lost_after_s
from scheduler.simulation.fleet import Fleet, SimPool, SimWorker
from scheduler.simulation.planner import Planner

SCALE_MIN_S = 5.0
"""How often the policies of autoscaling are asked at the least, while nothing else happens."""


@dataclass(frozen=True)
class Workforce:
    """Whom to tell: of a worker that is there, of one that goes, and that workers may take other jobs than before."""

    joined: Callable[[SimWorker], None]
    goes: Callable[[SimWorker, FailureClass], None]
    reserved_anew: Callable[[], None]


class Renting:
    """Launches and ends the workers of a replay. `interval_s` is how often the policies are asked."""

    def __init__(
        self,
        scaler: Autoscaler,
        fleet: Fleet,
        planner: Planner,
        agenda: Agenda,
        workforce: Workforce,
        *,
        interval_s: float,
        seed: int,
    ) -> None:
        self._scaler, self._fleet, self._planner, self._agenda = scaler, fleet, planner, agenda
        self._workforce, self._interval_s, self._seed = workforce, interval_s, seed
        self._asked_s = -math.inf
        self._waits = False

    def __bool__(self) -> bool:
        """Whether any pool is scaled."""
        return bool(self._scaler)

    @property
    def surplus(self) -> bool:
        """Whether there are more workers somewhere than stay when there is no work."""
        return self._scaler.surplus

    @property
    def due(self) -> bool:
        """Whether the policies were asked longer ago than the interval."""
        return self._agenda.now_s - self._asked_s >= self._interval_s

    def scale(self) -> None:
        """Ask the policies, and do what they say."""
        now_s = self._asked_s = self._agenda.now_s
        decision = self._scaler.decide(self._planner.steps, now_s)
        for scaling in decision.scalings:
            pool = self._fleet.pools[scaling.pool]
            for _ in range(scaling.launch):
                self._launch(pool, now_s)
            retired = set(scaling.retire)
            for worker in [one for one in pool.members if one.name in retired] if retired else ():
                self._workforce.goes(worker, FailureClass.LOST)
        before = self._planner.reserved
        self._planner.reserve(self._scaler.reserved)
        if self._planner.reserved != before:
            self._workforce.reserved_anew()
        if not self._waits and (self._agenda or self._scaler.restless):
            self._waits = True
            self._agenda.after(max(self._interval_s, SCALE_MIN_S), self._waited)

    def _waited(self) -> None:
        self._waits = False

    def _launch(self, pool: SimPool, now_s: float) -> None:
        name = pool.launch(now_s)
        self._agenda.after(pool.spec.boot_s + pool.spec.transfer_s, partial(self._booted, pool, name))
        lost_s = lost_after_s(self._seed, name, pool.spec.loss_per_hour)
        life_s = self._scaler.life_s(pool)
        if min(lost_s, life_s) < math.inf:
            self._agenda.after(min(lost_s, life_s), partial(self._taken_back, pool, name, lost=lost_s <= life_s))

    def _booted(self, pool: SimPool, name: str) -> None:
        launched_s = pool.booting.pop(name, None)
        if launched_s is None:
            return  # lost on its way
        kind = self._fleet.kind(pool.spec.name, pool.machine)
        self._workforce.joined(self._fleet.join(name, kind, self._agenda.now_s, launched_s=launched_s))

    def _taken_back(self, pool: SimPool, name: str, *, lost: bool) -> None:
        """The provider takes a worker back, or its life is over; what it was doing is done again."""
        launched_s = pool.booting.pop(name, None)
        worker = next((one for one in pool.members if one.name == name), None)
        if launched_s is not None:
            pool.gone(launched_s, self._agenda.now_s)
        elif worker is not None:
            self._workforce.goes(worker, FailureClass.PREEMPTED)
        pool.lost += lost and (launched_s is not None or worker is not None)
