"""Handing out: workers with a free slot take what the plan gives them, the best first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scheduler.routing.caps import room_in
from scheduler.simulation.fleet import Fleet, Kind, SimWorker
from scheduler.simulation.meter import Meter
from scheduler.simulation.planner import Planner
from scheduler.simulation.queueing import StepRun


class HandingOut:
    """Remembers who asks, so that not everybody is asked at every moment. `lease` begins a task."""

    def __init__(
        self, fleet: Fleet, planner: Planner, meter: Meter, lease: Callable[[SimWorker, StepRun], None]
    ) -> None:
        self._fleet, self._planner, self._meter, self._lease = fleet, planner, meter, lease
        self._hungry: dict[SimWorker, None] = {}
        self._all_hungry = True

    def ask(self, worker: SimWorker) -> None:
        """A worker has a free slot since now."""
        self._hungry[worker] = None

    def withdraw(self, worker: SimWorker) -> None:
        """A worker is gone."""
        self._hungry.pop(worker, None)

    def ask_all(self) -> None:
        """There is a new plan: everybody looks."""
        self._all_hungry = True

    def more_ready(self) -> None:
        """A task became ready out of turn: everybody looks from the top again."""
        self._all_hungry = True
        for kind in self._fleet.kinds:
            kind.cursor = 0

    def nothing(self) -> None:
        """There is nothing for those that ask."""
        self._hungry.clear()

    def serve(self, kinds: Iterable[Kind]) -> None:
        """Everybody of these kinds who asks takes what there is."""
        for kind in kinds:
            self._serve(kind)
        self._hungry.clear()
        self._all_hungry = False

    def _serve(self, kind: Kind) -> None:
        workers = kind.open if self._all_hungry else [w for w in self._hungry if w.kind is kind and w.free > 0]
        queue = self._planner.queue_of(kind)
        for worker in list(workers):
            if self._feed(worker, kind, queue):
                continue
            # Nothing is ready, or even an idle machine of this kind can take none of it: the others need not ask.
            if kind.cursor >= len(queue) or not worker.leases:
                break

    def _feed(self, worker: SimWorker, kind: Kind, queue: list[StepRun]) -> int:
        """A worker takes as much as it can, best first; returns how many tasks."""
        place, taken = kind.cursor, 0
        while worker.free and place < len(queue):
            step = queue[place]
            if not step.ready or not step.job.leasable:
                if place == kind.cursor:
                    kind.cursor += 1
                place += 1
                continue
            count = min(worker.fits(step.job.work.needs), len(step.ready))
            if step.caps:
                room, _rule = room_in(step.caps, kind.pool, self._meter.capped, self._fleet.slot_counts())
                count = count if room is None else min(count, room)
            for _ in range(count):
                self._lease(worker, step)
            taken += count
            place += 1
        return taken
