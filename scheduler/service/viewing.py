"""The read side: what people and programs are shown of the farm. Nothing here changes anything.

Functions that take a `Session` may run in any thread; what is only known in memory (`farm.live`) is read in the event
loop's thread and laid over the rows afterwards. `viewing_jobs`, `viewing_tasks` and `viewing_frames` show the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlmodel import Session, col, func, select

from scheduler.domain.reliability import reliability
from scheduler.domain.states import WorkerStatus
from scheduler.errors import NotFound
from scheduler.routing.route import HOME_POOL, SITE_BACKEND
from scheduler.service.farm import Farm, iso, job_number
from scheduler.service.ledger import EventNote
from scheduler.service.live import LiveWorker
from scheduler.service.viewing_sites import pool_view
from scheduler.store.renting import still_there
from scheduler.store.tables import Event, Job, Worker

Result = TypeVar("Result")


async def reading(farm: Farm, read: Callable[[Session], Result]) -> Result:
    """Run a read in a thread, on one consistent snapshot."""

    def run() -> Result:
        with farm.store.read() as session:
            return read(session)

    return await asyncio.to_thread(run)


def job_unknown(text: str) -> NotFound:
    """The error for a job that is not in the queue."""
    return NotFound(f"There is no job {text[:40]} in the queue.", code="job_unknown")


def number_of_job(text: str) -> int:
    """A jobID as a number.

    Raises:
        NotFound: it is no jobID.
    """
    number = job_number(text)
    if number is None:
        raise job_unknown(text)
    return number


def find_job(session: Session, job: int) -> Job:
    """A job that is in the queue.

    Raises:
        NotFound: there is none, or it was removed.
    """
    row = session.get(Job, job)
    if row is None or row.removed:
        raise job_unknown(f"{job:05d}")
    return row


# ---- Workers and pools -----------------------------------------------------------------------------------------------


async def list_workers(farm: Farm) -> list[dict[str, Any]]:
    """Every registered worker, by name; not those whose rented machine is gone."""
    rows = await reading(
        farm,
        lambda session: session.exec(
            select(Worker).where(still_there()).order_by(col(Worker.name), col(Worker.id))
        ).all(),
    )
    return [worker_view(farm, row) for row in rows]


async def show_worker(farm: Farm, worker: str) -> dict[str, Any]:
    """One worker.

    Raises:
        NotFound: there is no such worker.
    """
    row = await reading(farm, lambda session: session.get(Worker, worker))
    if row is None:
        raise NotFound(f"There is no worker {worker[:100]!r}.", code="worker_unknown")
    return worker_view(farm, row)


def worker_view(farm: Farm, row: Worker) -> dict[str, Any]:
    """A worker's row with what memory knows better: its status, its load, its leases, when it was last heard of."""
    live = farm.live.workers.get(row.id)
    return {
        "worker": row.id,
        "name": row.name,
        "pool": row.pool,
        "host": row.host,
        "status": live.status.value if live else row.status,
        "drain": live.drain if live else row.drain,
        "slots": row.slots,
        "running": _running(live),
        "load": live.load if live else None,
        "blocked": live.blocked if live else "",
        "leaving": live.leaving if live else "",
        "owner": row.owner,
        "rating": row.rating,
        "rated_at": iso(row.rated_at),
        "succeeded": row.succeeded,
        "failed": row.failed,
        "reliability": round(reliability(row.succeeded, row.failed), 4),
        "capabilities": row.capabilities,
        "instance": row.instance or None,
        "intent": row.intent or None,
        "registered_at": iso(row.registered_at),
        "last_seen_at": iso(_last_seen_s(farm, row, live)),
    }


def _running(live: LiveWorker | None) -> list[dict[str, Any]]:
    leases = sorted(live.leases.values(), key=lambda lease: lease.task) if live else []
    return [
        {
            "task": lease.task,
            "attempt": lease.attempt,
            "jobID": f"{lease.job:05d}",
            "progress": lease.progress,
            "note": lease.note,
        }
        for lease in leases
    ]


def _last_seen_s(farm: Farm, row: Worker, live: LiveWorker | None) -> float:
    if live is None:
        return row.last_seen
    return farm.now_s() - max(0.0, farm.clock.monotonic() - live.last_seen_s)


def list_pools(farm: Farm) -> list[dict[str, Any]]:
    """The pools there are, with what they hold at this moment."""
    pools: dict[str, list[LiveWorker]] = {HOME_POOL: []}
    for worker in farm.live.workers.values():
        pools.setdefault(worker.pool, []).append(worker)
    for site in farm.sites.sites:
        pools.setdefault(site, [])
    return [_pool_view(farm, name, workers) for name, workers in pools.items()]


def _pool_view(farm: Farm, name: str, workers: list[LiveWorker]) -> dict[str, Any]:
    taking = [worker for worker in workers if worker.status is WorkerStatus.ACTIVE and not worker.drain]
    return {
        "pool": name,
        "backend": SITE_BACKEND if name in farm.sites.sites else name,
        "workers": len(workers),
        "workers_by_status": {
            status.value: sum(1 for worker in workers if worker.status is status) for status in WorkerStatus
        },
        "slots": sum(worker.slots for worker in taking),
        "running": sum(len(worker.leases) for worker in workers),
        "ready": sum(planned.ready for planned in farm.live.plan.steps if name in planned.route.chosen),
        "members": sorted(worker.id for worker in workers),
        "site": pool_view(farm, name) if name in farm.sites.sites else None,
    }


# ---- Events ----------------------------------------------------------------------------------------------------------


def list_events(session: Session, *, job: int | None, after: int, limit: int) -> list[dict[str, Any]]:
    """At most `limit` events with an id over `after`, oldest first; of one job or of all."""
    query = select(Event).where(col(Event.id) > after).order_by(col(Event.id)).limit(limit)
    if job is not None:
        query = query.where(Event.job_id == job)
    return [event_view(row) for row in session.exec(query).all()]


def event_bounds(session: Session) -> tuple[int, int]:
    """The ids of the oldest and the newest event that are kept; (0, 0) if there is none."""
    first, last = session.exec(select(func.min(Event.id), func.max(Event.id))).one()
    return int(first or 0), int(last or 0)


def event_view(event: Event | EventNote) -> dict[str, Any]:
    """An event, from its row or as subscribers get it."""
    job = event.job if isinstance(event, EventNote) else event.job_id
    task = event.task if isinstance(event, EventNote) else event.task_id
    return {
        "id": event.id,
        "at": iso(event.at),
        "kind": event.kind,
        "jobID": None if job is None else f"{job:05d}",
        "task": task,
        "attempt": event.attempt,
        "worker": event.worker,
        "data": event.data,
    }
