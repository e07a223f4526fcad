"""Caps of routing rules while leases are granted: how many more tasks may start, promises not yet kept included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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

    def promise(self, takes: Sequence[Take], pool: str) -> Counter[CapKey] | None:
        """Count what is being taken until `release`, for others may ask while its transaction runs.

        None, and nothing to release, where no cap touches any of it: the hot road's usual case.
        """
        caps_of = self._live.plan.caps_of
        if not any(caps_of(take.card.step) for take in takes):
            return None
        keys = self._keys(takes, pool)
        self._promised += keys
        return keys

    def release(self, promised: Counter[CapKey]) -> None:
        """The transaction is over: what it took is held by leases now, or was not taken."""
        self._promised -= promised

    def _keys(self, takes: Sequence[Take], pool: str) -> Counter[CapKey]:
        keys: Counter[CapKey] = Counter()
        for take in takes:
            for key in keys_in(self._live.plan.caps_of(take.card.step), pool):
                keys[key] += take.count
        return keys
