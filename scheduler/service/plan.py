"""The plan that a tick makes and leases follow: the steps that may be leased from, best first.

The plan also keeps each step's number of ready tasks, corrected after every commit, so that a worker that finds
nothing to do costs no transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.routing.machines import Machine, Needs, shortfall
from scheduler.routing.reserving import Reserved
from scheduler.routing.rules import Cap, RuleBook
from scheduler.routing.sieve import Placement

FIT_CACHE_MAX = 4096


@dataclass(frozen=True, slots=True)
class StepCard:
    """What all leases of a step have in common."""

    step: int
    job: int
    job_name: str
    kind: str
    level: int
    final: bool
    renderer: str
    format: str
    settings: dict[str, Any]
    scene: dict[str, Any]
    needs: Needs
    timeout_s: float
    project: str = ""


@dataclass(slots=True)
class PlannedStep:
    """A step in the plan: its card, its score, where it may go, how many of its tasks are ready, its job's priority.

    `capped`: its job may not cost more than a sum, so that `purses` are asked where a pool has a price.
    """

    card: StepCard
    score: float
    route: Placement
    ready: int
    priority: int
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Departure:
    """A job that is to be handed over whole to a site."""

    job: int
    site: str


@dataclass
class Plan:
    """Steps in the order in which they are leased, and the jobs that leave for another farm, first things first."""

    steps: list[PlannedStep] = field(default_factory=list)
    made_at: float = 0.0
    departures: tuple[Departure, ...] = ()
    book: RuleBook | None = None
    """The rules that it was made under."""
    reserved: Reserved = field(default_factory=dict[str, Mapping[int, int]])
    """Pools whose rented workers are kept for some jobs."""
    _by_step: dict[int, PlannedStep] = field(default_factory=dict, repr=False)
    _by_job: dict[int, list[PlannedStep]] | None = field(default=None, repr=False)
    _order: dict[int, int] | None = field(default=None, repr=False)
    _fits: dict[tuple[int, str], bool] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._by_step = {planned.card.step: planned for planned in self.steps}

    def catch_up(self, moves: list[tuple[int, int]]) -> None:
        """Correct the counts by what was committed while this plan was made."""
        for step_id, delta in moves:
            self.add_ready(step_id, delta)

    def add_ready(self, step_id: int, delta: int) -> int:
        """Correct a step's ready tasks; returns the delta if the step is in the plan, else 0."""
        planned = self._by_step.get(step_id)
        if planned is None:
            return 0
        planned.ready = max(0, planned.ready + delta)
        return delta

    def drop_job(self, job: int) -> None:
        """Nothing more is leased from this job until the next plan."""
        for planned in self.steps:
            if planned.card.job == job:
                planned.ready = 0

    def position(self, job: int) -> int | None:
        """The job's place in the queue, from 1; None if it is not in the plan."""
        return self._places().get(job)

    def _places(self) -> dict[int, int]:
        """Each job's place; made when somebody asks, for most plans are never asked."""
        if self._order is None:
            jobs = dict.fromkeys(planned.card.job for planned in self.steps)
            self._order = {job: place for place, job in enumerate(jobs, 1)}
        return self._order

    @property
    def jobs(self) -> int:
        """How many jobs are in the queue."""
        return len(self._places())

    @property
    def projects(self) -> set[str]:
        """The projects that have work in the queue."""
        return {planned.card.project for planned in self.steps}

    def project_of(self, step: int) -> str:
        """The project of a step in the plan; none for one that is not."""
        planned = self._by_step.get(step)
        return planned.card.project if planned is not None else ""

    def caps_of(self, step: int) -> tuple[Cap, ...]:
        """The caps of rules on a step in the plan."""
        planned = self._by_step.get(step)
        return planned.route.caps if planned is not None else ()

    def candidates(self, machine: Machine, pool: str) -> Iterator[PlannedStep]:
        """The steps with ready tasks that this machine could take, best first."""
        kept = self.reserved.get(pool)
        for planned in self.steps if kept is None else self._kept_for(kept):
            if planned.ready > 0 and pool in planned.route.chosen and self._fit(planned, machine):
                yield planned

    def _kept_for(self, jobs: Mapping[int, int]) -> Iterator[PlannedStep]:
        """The steps of the jobs that a pool is kept for, in their turns."""
        if self._by_job is None:
            self._by_job = {}
            for planned in self.steps:
                self._by_job.setdefault(planned.card.job, []).append(planned)
        for job in sorted(jobs, key=lambda job: jobs[job]):
            yield from self._by_job.get(job, ())

    def _fit(self, planned: PlannedStep, machine: Machine) -> bool:
        key = (planned.card.step, machine.worker)
        fits = self._fits.get(key)
        if fits is None:
            if len(self._fits) >= FIT_CACHE_MAX:
                self._fits.clear()
            fits = self._fits[key] = not shortfall(planned.route.needs, machine)
        return fits
