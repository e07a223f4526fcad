"""What the running scheduler knows in memory: workers, leases, the plan, and who waits for work.

Everything here can be rebuilt from the store (`restoring`); heartbeats and renewals live only here, because a row
write for each would be most of the farm's work (`docs/architecture.md`, the hot road). Used from the event loop's
thread alone.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.expiry import LeaseView
from scheduler.domain.states import JobStatus, TaskStatus, WorkerStatus
from scheduler.routing.machines import Machine, Needs, Room
from scheduler.routing.reserving import Reserved
from scheduler.service.ledger import EventNote, Ledger
from scheduler.service.plan import Plan
from scheduler.service.purses import Purses

SUBSCRIBER_QUEUE_MAX = 10_000
"""Events that a slow subscriber may lag behind before it is cut off and must resume."""

ALL_PROJECTS = "*"
"""In `Live.closed`: nobody's work starts in the pool."""

LEASABLE_JOBS = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})


@dataclass(slots=True)
class LiveLease:
    """A lease as it is known in memory."""

    task: int
    attempt: int
    job: int
    step: int
    worker: str
    renewed_s: float
    needs: Needs
    secret: str = ""
    progress: float = 0.0
    note: str = ""
    pictured_at: float | None = None
    """When its last progress picture came, in seconds since the epoch."""


@dataclass(slots=True)
class LiveWorker:
    """A registered worker as it is known in memory."""

    id: str
    name: str
    pool: str
    machine: Machine
    slots: int
    status: WorkerStatus
    drain: bool
    last_seen_s: float
    load: float = 0.0
    blocked: str = ""
    """Why it takes no work at present, as it says itself."""
    leaving: str = ""
    """Why it is about to go for good, as it says itself."""
    rating: float | None = None
    """Its measured power: 1 is the reference machine's; None: nobody has measured it."""
    canary_at: float | None = None
    doubted: bool = False
    """Has failed fast lately, or is on probation: only then its successes are news."""
    leases: dict[int, LiveLease] = field(default_factory=dict)
    parked: asyncio.Future[None] | None = None

    def room(self) -> Room:
        """What is left of the machine beside the leases it holds."""
        held = [lease.needs for lease in self.leases.values()]
        return Room(
            self.machine.vcpus - sum(n.vcpus for n in held if n.vcpus > 1),
            self.machine.memory_gib - sum(n.memory_gib for n in held),
            self.machine.gpus - sum(n.gpus for n in held),
        )


class Live:
    """The farm at this moment."""

    def __init__(self) -> None:
        self.workers: dict[str, LiveWorker] = {}
        self.leases: dict[int, LiveLease] = {}
        self.plan = Plan()
        self.started_jobs: set[int] = set()
        self.closed: Mapping[str, frozenset[str]] = {}
        """By pool: the projects whose budget is spent, so that none of their work starts there."""
        self.purses = Purses()
        """What jobs with a cost cap may still start in pools with a price."""
        self.offers: Mapping[str, Machine] = {}
        """By pool, the machine of a worker that could be launched there."""
        self.replan = asyncio.Event()
        self.stopping = False
        self._parked: OrderedDict[str, LiveWorker] = OrderedDict()
        self._moves: list[tuple[int, int]] | None = None
        self._ended: set[int] = set()
        self._subscribers: set[asyncio.Queue[EventNote | None]] = set()

    def forget(self, worker_id: str) -> None:
        """The worker's machine is gone for good; whoever waits in its name is let go."""
        self.wake(worker_id)
        self.workers.pop(worker_id, None)

    # ---- Leases -------------------------------------------------------------------------------------------------

    def hold(self, lease: LiveLease) -> None:
        """A lease was granted."""
        self.leases[lease.task] = lease
        worker = self.workers.get(lease.worker)
        if worker is not None:
            worker.leases[lease.task] = lease

    def let_go(self, task: int, attempt: int) -> None:
        """A lease has ended."""
        lease = self.leases.get(task)
        if lease is None or lease.attempt != attempt:
            return
        del self.leases[task]
        worker = self.workers.get(lease.worker)
        if worker is not None:
            worker.leases.pop(task, None)

    def views(self) -> Iterator[LeaseView]:
        """The leases that workers must renew, for `domain.expiry`."""
        for lease in self.leases.values():
            yield LeaseView(lease.task, lease.attempt, lease.worker, lease.renewed_s)

    def has_other(self, worker_id: str | None) -> bool:
        """Whether another worker is there that could take what this one fails at."""
        return any(
            other.id != worker_id and other.status is WorkerStatus.ACTIVE and not other.drain
            for other in self.workers.values()
        )

    def may_start(self, pool: str, project: str) -> bool:
        """Whether the budgets let work of a project start in a pool."""
        closed = self.closed.get(pool)
        return closed is None or (ALL_PROJECTS not in closed and project not in closed)

    # ---- What a transaction did -----------------------------------------------------------------------------------

    def apply(self, ledger: Ledger) -> None:
        """Bring memory to where the disk now is, and wake whoever is concerned."""
        holders = {self.leases[task].worker for task, _attempt in ledger.ended if task in self.leases}
        for task, attempt in ledger.ended:
            self.let_go(task, attempt)
        woken = self._apply_moves(ledger)
        self._apply_jobs(ledger)
        for worker_id, (status, canary_at, doubted) in ledger.workers_moved.items():
            worker = self.workers.get(worker_id)
            if worker is not None:
                worker.status, worker.canary_at, worker.doubted = status, canary_at, doubted
        if ledger.jobs_moved:
            for worker_id in holders:
                self.wake(worker_id)
        if ledger.replan:
            self.replan.set()
        if woken:
            self.wake_some(woken)
        self.tell(ledger.events)

    def _apply_moves(self, ledger: Ledger) -> int:
        """Correct the plan's ready tasks; returns how many more there are."""
        woken = 0
        for step_id, counts in ledger.moves.items():
            woken += max(0, self.plan.add_ready(step_id, counts[1]))
            if self._moves is not None:
                self._moves.append((step_id, counts[1]))
        return woken

    def _apply_jobs(self, ledger: Ledger) -> None:
        for job, status in ledger.jobs_moved.items():
            if status is JobStatus.RUNNING:
                self.started_jobs.add(job)
            else:
                self.started_jobs.discard(job)
            if status not in LEASABLE_JOBS:
                self.plan.drop_job(job)
                self._ended.add(job)

    # ---- The plan -------------------------------------------------------------------------------------------------

    def begin_plan(self) -> None:
        """The steps were just loaded: from now on, note what commits change, until `end_plan`.

        Commits are answered in their order, and the loading was one of them, so nothing is counted twice or missed.
        """
        self._moves, self._ended = [], set()

    def end_plan(self, plan: Plan) -> None:
        """Take over a new plan, corrected by what has happened since its steps were loaded."""
        plan.catch_up(self._moves or [])
        for job in self._ended:
            plan.drop_job(job)
        self._moves = None
        plan.reserved = self.plan.reserved
        self.plan = plan
        self.wake_some(sum(planned.ready for planned in plan.steps))

    def reserve(self, reserved: Reserved) -> None:
        """Keep the rented workers of these pools for these jobs, from now on; a pool that is not named is open."""
        if reserved != self.plan.reserved:
            self.plan.reserved = reserved
            self.wake_some(sum(planned.ready for planned in self.plan.steps))

    # ---- Waiting for work -----------------------------------------------------------------------------------------

    def park(self, worker: LiveWorker) -> asyncio.Future[None]:
        """The worker waits; a newer call of it ends an older wait."""
        self.wake(worker.id)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        worker.parked = future
        self._parked[worker.id] = worker
        return future

    def unpark(self, worker: LiveWorker, future: asyncio.Future[None]) -> None:
        """The wait is over, for whatever reason."""
        if worker.parked is future:
            worker.parked = None
            self._parked.pop(worker.id, None)

    def wake(self, worker_id: str) -> None:
        """End one worker's wait."""
        worker = self._parked.pop(worker_id, None)
        if worker is not None and worker.parked is not None:
            if not worker.parked.done():
                worker.parked.set_result(None)
            worker.parked = None

    def wake_some(self, count: int) -> None:
        """End the wait of as many workers as there are new tasks, the longest waiting first."""
        for worker_id in list(self._parked)[: max(0, count)]:
            self.wake(worker_id)

    def wake_all(self) -> None:
        """End every wait."""
        self.wake_some(len(self._parked))

    # ---- Telling ----------------------------------------------------------------------------------------------------

    def subscribe(self) -> asyncio.Queue[EventNote | None]:
        """A queue of events from now on; None means that it was cut off for being slow, or that the farm stops."""
        queue: asyncio.Queue[EventNote | None] = asyncio.Queue(SUBSCRIBER_QUEUE_MAX + 1)
        self._subscribers.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[EventNote | None]) -> None:
        """No more events for this queue."""
        self._subscribers.discard(queue)

    def tell(self, events: list[EventNote]) -> None:
        """Hand events to every subscriber."""
        for queue in list(self._subscribers) if events else ():
            if queue.qsize() + len(events) > SUBSCRIBER_QUEUE_MAX:
                self._subscribers.discard(queue)
                queue.put_nowait(None)
                continue
            for event in events:
                queue.put_nowait(event)

    def end_subscriptions(self) -> None:
        """The farm stops."""
        for queue in list(self._subscribers):
            self._subscribers.discard(queue)
            if not queue.full():
                queue.put_nowait(None)

    # ---- For people -------------------------------------------------------------------------------------------------

    def progress(self, task: int) -> dict[str, Any]:
        """What is known of a running task."""
        lease = self.leases.get(task)
        if lease is None:
            return {}
        return {"progress": lease.progress, "note": lease.note, "status": TaskStatus.LEASED.value}
