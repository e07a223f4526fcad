"""The workers on a pool's instances, as memory knows them: what they hold, and that they are given nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from scheduler.errors import NotFound
from scheduler.service.farm import Farm
from scheduler.service.registering import drain_worker
from scheduler.service.severing import Held, held_by

log = structlog.get_logger()


@dataclass(frozen=True)
class WorkerState:
    """What memory knows of a worker on an instance: the leases that it holds, and how long it has been silent."""

    held: Sequence[Held] = ()
    silent_s: float = 0.0
    drained: bool = False


def worker_states(farm: Farm, pool: str) -> dict[str, WorkerState]:
    """The pool's workers by their ids."""
    live, now_s = farm.live, farm.clock.monotonic()
    return {
        worker.id: WorkerState(held_by(live, worker.id), now_s - worker.last_seen_s, worker.drain)
        for worker in live.workers.values()
        if worker.pool == pool
    }


async def drain_leaving(farm: Farm, leaving: Iterable[str]) -> None:
    """Workers whose instance is on its way out take nothing new; also after a crash between the two."""
    for worker in leaving:
        known = farm.live.workers.get(worker)
        if known is not None and not known.drain:
            try:
                await drain_worker(farm, worker)
            except NotFound:
                log.warning("worker.unknown", worker=worker, pool=known.pool)


def mark_drained(farm: Farm, workers: Iterable[str]) -> None:
    """Memory follows the rows: these workers are given nothing more."""
    for worker in workers:
        known = farm.live.workers.get(worker)
        if known is not None:
            known.drain = True
            farm.live.wake(worker)
