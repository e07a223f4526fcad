"""`sync`: one call of a worker is heartbeat, report and request for work. The hot road.

A call renews what it names in memory, hands its reports to one transaction together with the leases it may take, and
waits (long-poll) when there is nothing for it. Only reports and leases touch the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from scheduler.domain.expiry import next_sync_s
from scheduler.domain.states import WORKER_TRANSITIONS, WorkerEvent, WorkerStatus, may
from scheduler.errors import NotFound, Refused
from scheduler.protocol.work import MAX_REPORTS, Ack, Lease, Report, SyncReply, SyncRequest, TaskRef
from scheduler.routing.machines import Needs, tasks_that_fit
from scheduler.service.ending import reclaim
from scheduler.service.exchange import FILELESS_RENDERER, Exchange, SomeStale, Take
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.service.live import LiveLease, LiveWorker
from scheduler.service.plan import PlannedStep
from scheduler.service.planning import load_needs
from scheduler.service.purses import Pledge
from scheduler.service.rationing import Rationing
from scheduler.service.registering import leave_or_stay, worker_event
from scheduler.store.transaction import Transaction

WAIT_MAX_S = 60.0
"""Longest that one call may wait for work."""

WANT_MAX = 256
"""Leases that one call may take."""

BLOCKED_MAX = 300
"""Characters that are kept of a worker's reason for taking no work, or for leaving."""

STEPS_TRIED_MAX = 32
"""Steps that one call may look into."""


class Leasing:
    """The worker's side of the farm."""

    def __init__(self, farm: Farm, on_delivered: Callable[[int, int], None]) -> None:
        """`on_delivered` is told of every attempt whose files wait to be verified and published."""
        self._farm, self._on_delivered = farm, on_delivered
        self._rationing = Rationing(farm.live)

    async def sync(self, worker_id: str, request: SyncRequest) -> SyncReply:
        """Answer one call.

        Raises:
            NotFound: the worker is not registered (any more).
            Refused: more reports than one call may carry.
        """
        live, clock = self._farm.live, self._farm.clock
        worker = self._registered(worker_id)
        if len(request.reports) > MAX_REPORTS:
            raise Refused(f"One call may carry {MAX_REPORTS} reports.", code="too_many_reports")
        await self._heard_of(worker, request)
        if unheld := self._to_cancel(worker, request):
            await self._reclaim(worker, unheld)
        acks: list[Ack] = []
        leases: list[Lease] = []
        if request.reports or request.want > 0:
            acks, leases = await self._exchange(worker, request)
        cancel = self._to_cancel(worker, request)
        called_s = clock.monotonic()
        while not (leases or cancel or request.reports or worker.drain or live.stopping):
            # Read anew each time: a caller that has hung up is given no more time.
            if not await self._wait(worker, called_s + min(request.wait_s, WAIT_MAX_S)):
                break
            if worker.parked is not None:
                break  # a newer call of the same worker waits now; this one ends
            if request.want > 0:
                acks, leases = await self._exchange(worker, request)
            cancel = self._to_cancel(worker, request)
        worker.last_seen_s = clock.monotonic()
        rhythm_s = next_sync_s(
            len(live.workers), self._farm.rhythm, syncs_per_s_max=self._farm.settings.farm.heartbeats_per_s_max
        )
        return SyncReply(leases, cancel, worker.drain, rhythm_s, acks)

    def _registered(self, worker_id: str) -> LiveWorker:
        worker = self._farm.live.workers.get(worker_id)
        if worker is None:
            raise NotFound("This worker is not registered.", code="worker_unknown", hint="Join again with a join code.")
        return worker

    async def _heard_of(self, worker: LiveWorker, request: SyncRequest) -> None:
        """The heartbeat: memory only, unless the worker had been lost."""
        now_s = self._farm.clock.monotonic()
        worker.last_seen_s, worker.load, worker.blocked = now_s, request.load, request.blocked[:BLOCKED_MAX]
        for running in request.running:
            lease = self._farm.live.leases.get(running.task)
            if lease is not None and lease.attempt == running.attempt and lease.worker == worker.id:
                lease.renewed_s = now_s
                lease.progress, lease.note = running.progress, running.note
        if (leaving := request.leaving[:BLOCKED_MAX]) != worker.leaving:
            worker.leaving = leaving
            await self._farm.change(lambda tx, ledger: leave_or_stay(tx, ledger, worker))
        if worker.status is WorkerStatus.LOST:
            event = WorkerEvent.RETURN_DRAINING if worker.drain else WorkerEvent.RETURN
            if may(WORKER_TRANSITIONS, worker.status, event):
                await self._farm.change(lambda tx, ledger: worker_event(tx, ledger, worker.id, event))

    async def _reclaim(self, worker: LiveWorker, unheld: list[TaskRef]) -> None:
        """What the worker still works on after it was lost stays its own, where nobody else has taken it."""

        def change(tx: Transaction, ledger: Ledger) -> list[tuple[TaskRef, int, int, Needs]]:
            kept: list[tuple[TaskRef, int, int, Needs]] = []
            for ref in unheld:
                found = reclaim(tx, ledger, worker.id, ref.task, ref.attempt)
                if found is not None:
                    kept.append((ref, *found, load_needs(tx, found[1])))
            return kept

        now_s = self._farm.clock.monotonic()
        for ref, step, job, needs in await self._farm.change(change):
            self._farm.live.hold(LiveLease(ref.task, ref.attempt, job, step, worker.id, now_s, needs))

    async def _exchange(self, worker: LiveWorker, request: SyncRequest) -> tuple[list[Ack], list[Lease]]:
        """End what was reported and lease what may be taken, in one transaction."""
        farm, live = self._farm, self._farm.live
        takes, pledges = self._takes(worker, min(request.want, WANT_MAX))
        if not request.reports and not takes:
            return [], []
        exchange = self._exchange_of(worker, request, takes)
        promised = self._rationing.promise(takes, worker.pool)
        if pledges:
            live.purses.pledge(pledges)
        try:
            await farm.store.aquick(worker.id, exchange.run)
        except SomeStale:
            exchange = replace(exchange, plain={}, ledger=farm.ledger(), acks=[], granted=[], delivered=[])
            await farm.store.aquick(worker.id, exchange.run)
        finally:
            if promised:
                self._rationing.release(promised)
            if pledges:
                live.purses.settle(pledges, [granted.step for granted in exchange.granted])
        now_s = farm.clock.monotonic()
        for granted in exchange.granted:
            lease = granted.lease
            where = (granted.job, granted.step, worker.id)
            live.hold(LiveLease(lease.task, lease.attempt, *where, now_s, granted.needs, lease.secret))
        live.apply(exchange.ledger)
        for task, attempt in exchange.delivered:
            self._on_delivered(task, attempt)
        return exchange.acks, [granted.lease for granted in exchange.granted]

    def _exchange_of(self, worker: LiveWorker, request: SyncRequest, takes: list[Take]) -> Exchange:
        """The exchange as data. Reports that need nothing but the fence take the short way."""
        held = {report.task: worker.leases.get(report.task) for report in request.reports}
        fileless = {task: lease for task, lease in held.items() if lease and lease.needs.renderer == FILELESS_RENDERER}
        all_plain = len(fileless) == len(request.reports) and all(
            report.outcome == "done" and not report.files for report in request.reports
        )
        return Exchange(
            worker=worker.id,
            reports=request.reports,
            takes=takes,
            want=min(request.want, WANT_MAX),
            lease_s=self._farm.rhythm.lease_s,
            other_workers=self._farm.live.has_other(worker.id),
            doubted=worker.doubted,
            started_jobs=self._farm.live.started_jobs,
            fileless=frozenset(fileless),
            plain={task: lease.step for task, lease in fileless.items()} if all_plain else {},
            ledger=self._farm.ledger(),
            direct=self._farm.store.frames.seal_of_attempt if self._farm.direct else None,
        )

    def _takes(self, worker: LiveWorker, want: int) -> tuple[list[Take], list[Pledge]]:
        """Which steps this worker may take from, best first, and how many tasks of each; and what their jobs with a
        cost cap set aside for them."""
        takes, pledges = list[Take](), list[Pledge]()
        if want <= 0 or worker.drain or worker.status not in (WorkerStatus.ACTIVE, WorkerStatus.PROBATION):
            return takes, pledges
        if worker.status is WorkerStatus.PROBATION:
            if worker.leases or (worker.canary_at or 0.0) > self._farm.now_s():
                return takes, pledges
            want = 1
        room, left = worker.room(), want
        for planned in self._farm.live.plan.candidates(worker.machine, worker.pool):
            if self._farm.live.closed and not self._farm.live.may_start(worker.pool, planned.card.project):
                continue
            count = tasks_that_fit(planned.card.needs, room, want=left)
            if planned.route.caps:
                count = min(count, self._rationing.room(planned.route.caps, worker.pool, takes))
            if count > 0 and planned.capped and worker.pool in self._farm.live.purses.costly:
                count = self._affordable(planned, worker, count, pledges)
            if count <= 0:
                continue
            takes.append(Take(planned.card, count, planned.priority))
            left -= min(count, planned.ready)
            if left <= 0 or len(takes) >= STEPS_TRIED_MAX:
                break
            # What the first step may take is not there for the next; who gets less now asks again at once.
            if planned.card.needs.vcpus > 1 or planned.card.needs.memory_gib or planned.card.needs.gpus:
                break
        return takes, pledges

    def _affordable(self, planned: PlannedStep, worker: LiveWorker, count: int, pledges: list[Pledge]) -> int:
        """How many of so many tasks the job's cost cap lets start here; what they may cost is added to `pledges`."""
        job, step = planned.card.job, planned.card.step
        allowed = self._farm.live.purses.allowance(job, step, worker.id, worker.rating, pledges)
        count = min(count, allowed.count)
        if count > 0 and allowed.unit_usd:
            pledges.append(Pledge(job, step, count, allowed.unit_usd))
        return count

    def _to_cancel(self, worker: LiveWorker, request: SyncRequest) -> list[TaskRef]:
        """What the worker says it runs, but does not hold any more."""
        reported = {(report.task, report.attempt) for report in request.reports}
        stale: list[TaskRef] = []
        for running in request.running:
            lease = worker.leases.get(running.task)
            current = lease is not None and lease.attempt == running.attempt
            if not current and (running.task, running.attempt) not in reported:
                stale.append(TaskRef(running.task, running.attempt))
        return stale

    async def _wait(self, worker: LiveWorker, deadline_s: float) -> bool:
        """Wait until there may be something for the worker; False when the time is over."""
        left_s = deadline_s - self._farm.clock.monotonic()
        if left_s <= 0:
            return False
        future = self._farm.live.park(worker)
        try:
            async with asyncio.timeout(left_s):
                await future
        except TimeoutError:
            return False
        finally:
            self._farm.live.unpark(worker, future)
        return True

    async def report(self, worker_id: str, report: Report) -> Ack:
        """One report by itself (`POST /attempts/{id}/complete` and `/fail`): the same fence, no lease taken.

        Raises:
            NotFound: the worker is not registered (any more).
        """
        worker = self._registered(worker_id)
        acks, _leases = await self._exchange(worker, SyncRequest(reports=[report]))
        return acks[0]
