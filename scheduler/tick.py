"""The farm's heartbeat: expire leases, notice lost workers, count what capped jobs cost, plan. `run` is one tick.

APScheduler calls it. Decisions are the domain's (`expiry`, `ranking`) and routing's; this module loads, asks, and
applies.
"""

from __future__ import annotations

import asyncio

import structlog

from scheduler.domain.expiry import expired
from scheduler.domain.states import WORKER_TRANSITIONS, WorkerEvent, may
from scheduler.service.capping import Capper
from scheduler.service.ending import expire
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.service.overriding import expire_overrides
from scheduler.service.planning import StepLoader, make_plan
from scheduler.service.registering import worker_event
from scheduler.service.surveying import Surveyor
from scheduler.store.tables import Worker
from scheduler.store.transaction import Transaction

log = structlog.get_logger()

LAST_SEEN_FLUSH_S = 30.0
"""How often the workers' last signs of life are written down, all at once."""

REPLAN_PAUSE_S = 0.005
LOGGED_TASKS_MAX = 20


class Tick:
    """One scheduler's tick."""

    def __init__(self, farm: Farm, surveyor: Surveyor, capper: Capper) -> None:
        self._farm, self._surveyor, self._capper = farm, surveyor, capper
        self._flushed_s = farm.clock.monotonic()
        self._lock = asyncio.Lock()
        self._loader = StepLoader()
        self.count = 0
        self.last_s = 0.0

    async def run(self) -> None:
        """One whole tick."""
        async with self._lock:
            started_s = self._farm.clock.monotonic()
            await self._expire()
            await self._lose_workers()
            await self._flush_last_seen()
            await expire_overrides(self._farm, self._farm.now_s())
            await self._capper.run()
            await self._plan()
            self.count += 1
            self.last_s = self._farm.clock.monotonic() - started_s

    async def follow(self) -> None:
        """Plan again as soon as something calls for it; runs until cancelled.

        A plan that took long is followed by a pause, so that planning never takes more than a fifth of the time.
        """
        live, clock = self._farm.live, self._farm.clock
        while True:
            await live.replan.wait()
            started_s = clock.monotonic()
            async with self._lock:
                await self._plan()
            await asyncio.sleep(max(REPLAN_PAUSE_S, 4 * (clock.monotonic() - started_s)))

    async def _plan(self) -> None:
        """Load, rank, route; then let as many wait no longer as there are ready tasks."""
        live = self._farm.live
        live.replan.clear()
        rows = await self._farm.store.awrite(self._loader.load)
        live.begin_plan()
        around, router = self._surveyor.look(), self._surveyor.router
        live.end_plan(await asyncio.to_thread(make_plan, rows, around, router))

    async def _expire(self) -> None:
        live = self._farm.live
        gone = expired(live.views(), self._farm.clock.monotonic(), self._farm.rhythm)
        if not gone:
            return

        def change(tx: Transaction, ledger: Ledger) -> None:
            for lease in gone:
                expire(tx, ledger, lease.task, lease.attempt, other_workers=live.has_other(lease.worker))

        await self._farm.change(change)
        for lease in gone:
            live.let_go(lease.task, lease.attempt)
        for worker in sorted({lease.worker for lease in gone}):
            tasks = [lease.task for lease in gone if lease.worker == worker]
            log.warning("leases.expired", worker=worker, tasks=tasks[:LOGGED_TASKS_MAX], count=len(tasks))

    async def _lose_workers(self) -> None:
        """A worker that has been silent for longer than a lease is lost, until it calls again."""
        rhythm, now_s = self._farm.rhythm, self._farm.clock.monotonic()
        limit_s = now_s - rhythm.lease_s - rhythm.grace_s
        silent = [
            worker.id
            for worker in self._farm.live.workers.values()
            if worker.last_seen_s < limit_s
            and worker.parked is None
            and may(WORKER_TRANSITIONS, worker.status, WorkerEvent.LOSE)
        ]
        if not silent:
            return

        def change(tx: Transaction, ledger: Ledger) -> None:
            for worker_id in silent:
                worker_event(tx, ledger, worker_id, WorkerEvent.LOSE)

        await self._farm.change(change)

    async def _flush_last_seen(self) -> None:
        """Heartbeats live in memory; the rows follow now and then."""
        clock = self._farm.clock
        if clock.monotonic() - self._flushed_s < LAST_SEEN_FLUSH_S:
            return
        self._flushed_s = clock.monotonic()
        now_s = self._farm.now_s()
        seen = {w.id: now_s - (clock.monotonic() - w.last_seen_s) for w in self._farm.live.workers.values()}

        def change(tx: Transaction) -> None:
            for worker_id, at in seen.items():
                row = tx.session.get(Worker, worker_id)
                if row is not None:
                    row.last_seen = at

        await self._farm.store.awrite(change)
