"""The plan of a replay: which steps go first and where each may go, asked of the farm's own ranking and routing.

Between two plans the order stays; who takes what is `handing_out`'s. Facts that the farm would measure (recent use,
finish times) are kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scheduler.domain.scaling import Policy
from scheduler.routing.reserving import Reserved
from scheduler.routing.rules import RuleBook
from scheduler.routing.sieve import Placement
from scheduler.simulation.fleet import Fleet, Kind
from scheduler.simulation.foresight import Foresight
from scheduler.simulation.queueing import JobRun, StepRun
from scheduler.simulation.routes import Routes
from scheduler.simulation.sharing import Sharing
from scheduler.simulation.variants import Ordering, queue_in_order


@dataclass(frozen=True)
class Variant:
    """One way to run the farm: an order, rules of routing, and a policy of autoscaling in place of the pools' own."""

    name: str
    ordering: Ordering = field(default_factory=lambda: Ordering("default"))
    book: RuleBook | None = None
    autoscale: Policy | None = None


class Planner:
    """Makes plans over the active jobs, and hands each kind of worker its part."""

    def __init__(
        self,
        variant: Variant,
        fleet: Fleet,
        origin: str | None,
        foresight: Foresight,
        sharing: Sharing | None,
    ) -> None:
        self._ordering, self._fleet = variant.ordering, fleet
        self._routes = Routes(variant.book, origin)
        self._foresight = foresight
        self._foresees = variant.ordering.order == "policy" or variant.book is not None or foresight.at_home
        foresight.at_home = foresight.at_home or self._routes.ask_of_home
        self._sharing = sharing
        self._reserved: Reserved = {}
        self.steps: list[tuple[StepRun, Placement]] = []

    def plan(self, active: Iterable[JobRun], held: Mapping[str, int], now_s: float) -> None:
        """Rank and route everything that could be leased now. `held` are the slots that each project holds."""
        steps = [step for job in active if job.leasable for step in job.steps if step.left]
        if self._foresees:
            self._foresight.look([step for step, _placement in self.steps], steps, self._fleet, now_s)
        ordered = queue_in_order(steps, self._ordering, self._use(held, now_s), now_s)
        running = {name: int(pool.busy.value) for name, pool in self._fleet.pools.items()}
        places = self._routes.place(ordered, self._fleet, running, now_s)
        self.steps = list(zip(ordered, places, strict=True))
        for step, placement in self.steps:
            step.caps = placement.caps
        self.forget_queues()

    def reserve(self, reserved: Reserved) -> None:
        """Keep pools for some jobs, from now on."""
        if reserved != self._reserved:
            self._reserved = reserved
            self.forget_queues()

    @property
    def reserved(self) -> Reserved:
        """By pool, the jobs that its workers are kept for."""
        return self._reserved

    def forget_queues(self) -> None:
        """Every kind of worker asks anew what it may take."""
        for kind in self._fleet.kinds:
            kind.queue = None

    def _use(self, held: Mapping[str, int], now_s: float) -> dict[str, float]:
        """Each project's part of the recent use, where projects share the farm."""
        if self._sharing is None:
            return {}
        self._sharing.follow(held, now_s)
        return self._sharing.parts(self._ordering.policy.shares)

    @property
    def depends_on_time(self) -> bool:
        """Whether a step that may go nowhere now may go somewhere later, though nothing happens."""
        return self._routes.depend_on_time

    def queue_of(self, kind: Kind) -> list[StepRun]:
        """The steps that workers of this kind may take, best first; made when it is first asked for after a plan."""
        if kind.queue is None:
            pool, can_take, kept = kind.pool, kind.can_take, self._reserved.get(kind.pool)
            kind.queue = [
                step
                for step, placement in self.steps
                if pool in placement.chosen and can_take(placement.needs) and (kept is None or step.job.index in kept)
            ]
            if kept is not None:
                kind.queue.sort(key=lambda step: kept[step.job.index])
            kind.cursor = 0
        return kind.queue
