"""Caps of routing rules while leases are granted: how many more tasks may start, promises not yet kept included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from scheduler.domain.states import WorkerStatus
from scheduler.routing.caps import CapKey, keys_in, room_in
from scheduler.routing.rules import Cap
from scheduler.service.exchange import Take
from scheduler.service.live import Live

ENDLESS = 1_000_000
"""More tasks than any worker asks for."""


class Rationing:
    """The caps of one farm. Only steps under a cap cost anything."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._promised: Counter[CapKey] = Counter()

    def room(self, caps: tuple[Cap, ...], pool: str, takes: Sequence[Take] = ()) -> int:
        """How many more tasks of a step under these caps may start in a pool, beside what is about to be taken."""
        live = self._live
        running = self._promised + self._keys(takes, pool)
        for lease in live.leases.values():
            worker = live.workers.get(lease.worker)
            if worker is not None:
                running.update(keys_in(live.plan.caps_of(lease.step), worker.pool))
        slots: Counter[str] = Counter()
        for worker in live.workers.values():
            if worker.status is not WorkerStatus.LOST:
                slots[worker.pool] += worker.slots
        left, _rule = room_in(caps, pool, running, slots)
        return ENDLESS if left is None else left

    @contextmanager
    def promised(self, takes: Sequence[Take], pool: str) -> Iterator[None]:
        """Count what is being taken while its transaction runs, for others may ask meanwhile."""
        keys = self._keys(takes, pool)
        self._promised += keys
        try:
            yield
        finally:
            self._promised -= keys

    def _keys(self, takes: Sequence[Take], pool: str) -> Counter[CapKey]:
        keys: Counter[CapKey] = Counter()
        for take in takes:
            for key in keys_in(self._live.plan.caps_of(take.card.step), pool):
                keys[key] += take.count
        return keys
