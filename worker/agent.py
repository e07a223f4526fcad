"""The worker's agent: holds the state, lets `worker.transitions` decide, and obeys. The shell around the pure core.

All threads meet here: slots, upload threads, the lanes of the session, and the main loop, which minds time, disk,
parent and signals. A transition and its quick actions happen under one lock; what may take long (removing folders,
forgetting spooled work) happens after it, in the thread that caused it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from scheduler.protocol.work import Lease, Report, Running, SyncReply, SyncRequest, TaskRef
from worker import transitions
from worker.actions import Abandon, Accept, Action, Asked, Forget, Interrupt, Publish, Start, Step
from worker.cache import ResourceCache
from worker.client import CallFailed, Refused, Unreachable
from worker.clock import Clock
from worker.cloud.notices import Notice
from worker.journal import Journal, Leftover
from worker.logs import LogShipper
from worker.resources import fetches
from worker.runners.registry import RunnerRegistry
from worker.scratch import Scratch
from worker.session import Outgoing, View
from worker.slots import Slot
from worker.spool import Finished
from worker.state import (
    AgentState,
    Ended,
    Halt,
    finished,
    may_publish,
    named,
    ref_of,
    rendering,
    sendable,
    starved,
    want,
)
from worker.telemetry import ProgressBoard, logger
from worker.uploads import Deliveries
from worker.verdicts import failure, returned
from worker.wiping import Wiper

_log = logger("agent")


class Command(Enum):
    """What the main loop is told from outside its thread. A queue carries it, because signal handlers may use one."""

    LEAVE = "leave"
    ORPHANED = "orphaned"
    UNKNOWN = "unknown"
    BROKEN = "broken"
    WAKE = "wake"


Inbox = queue.SimpleQueue[Command | Notice]


@dataclass(frozen=True)
class Parts:
    """What the agent works with; made by `worker.bootstrap`."""

    clock: Clock
    inbox: Inbox
    scratch: Scratch
    journal: Journal
    registry: RunnerRegistry
    cache: ResourceCache
    logs: LogShipper
    progress: ProgressBoard
    wiper: Wiper | None = None


class Agent:
    """State and shell. Implements the ports of slots, deliveries and session."""

    def __init__(self, parts: Parts, state: AgentState, worker: str) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.fetch_queue: queue.SimpleQueue[Lease | None] = queue.SimpleQueue()
        self.online = False
        self.load = 0.0
        self._parts, self._state, self._worker = parts, state, worker
        self._slots: Mapping[int, Slot] = {}
        self._deliveries: Deliveries | None = None
        self._warm: list[str] = []
        self._one_by_one = False

    def attach(self, slots: Mapping[int, Slot], deliveries: Deliveries) -> None:
        """Give the agent those that need it themselves. Called once, before any thread starts."""
        self._slots, self._deliveries = slots, deliveries

    @property
    def state(self) -> AgentState:
        """The present state, a value that never changes."""
        with self.changed:
            return self._state

    @property
    def deliveries(self) -> Deliveries:
        """Delivery of finished work."""
        if self._deliveries is None:
            raise RuntimeError("attach() comes before any work")
        return self._deliveries

    # --- the former life

    def adopt(self, kept: list[Finished], leftovers: list[Leftover]) -> None:
        """Deliver what the spool has kept, and report what the former life has left unfinished."""
        spooled = {each.ref for each in kept}
        for each in kept:
            self._parts.logs.restore(each.ref, each.lease.secret, each.log_offset, each.log)
            self._apply(lambda state, now, lease=each.lease: transitions.on_adopted(state, lease, now))
        self.deliveries.submit(*kept)
        for left in leftovers:
            if ref_of(left.lease) not in spooled:
                report = _epitaph(left)
                self._apply(
                    lambda state, now, lease=left.lease, report=report: transitions.on_given_up(
                        state, lease, report, now
                    )
                )
        if kept or leftovers:
            _log.info("former_life", spooled=len(kept), unfinished=len(leftovers))

    # --- port of the session

    def worker_id(self) -> str:
        """The id under which the scheduler knows this worker."""
        return self._worker

    def rename(self, worker: str) -> None:
        """The worker has joined anew."""
        with self.changed:
            self._worker = worker

    def view(self, now: float) -> View:
        """What pacing depends on. Called under `changed`."""
        state = self._state
        current = [held for ref in named(state) if not (held := state.held[ref]).late]
        return View(
            want=want(state),
            starved=starved(state),
            reports=len(sendable(state, now)),
            renewed_at=min((held.renewed_at for held in current), default=None),
            lease_s=min((held.lease.lease_s for held in current), default=0.0),
            draining=state.draining,
            leaving=bool(state.leaving),
        )

    def compose(self, now: float, *, reports: bool, wanted: int, wait_s: float) -> Outgoing:
        """The next sync. Called under `changed`."""
        refs = sendable(self._state, now) if reports else []
        refs = refs[:1] if self._one_by_one else refs
        carried = [report for ref in refs if (report := self._state.held[ref].report) is not None]
        self._state = transitions.on_send(self._state, refs).state
        naming = named(self._state)
        request = SyncRequest(
            running=[Running(ref.task, ref.attempt, *self._parts.progress.get(ref)) for ref in naming],
            reports=carried,
            want=wanted,
            cached=self._parts.cache.recent() if wanted else [],
            load=self.load,
            wait_s=wait_s,
            warm=self._warm if wanted else [],
            blocked=self._state.blocked,
            leaving=self._state.leaving,
        )
        return Outgoing(request, Asked(now, frozenset(naming), frozenset(refs)))

    def answered(self, outgoing: Outgoing, reply: SyncReply) -> None:
        """The scheduler has answered a sync."""
        if not self.online:
            _log.info("online", worker=self._worker)
        self.online = True
        if outgoing.asked.reported:
            self._one_by_one = False
        self._apply(lambda state, now: transitions.on_reply(state, outgoing.asked, reply, now))

    def failed(self, outgoing: Outgoing, error: CallFailed) -> None:
        """A sync got no usable answer; its reports wait. The main loop then saves what was finished."""
        if isinstance(error, Unreachable):
            if self.online:
                _log.warning("offline", worker=self._worker, reason=error.message)
                self._parts.inbox.put(Command.WAKE)
            self.online = False
        reported = outgoing.asked.reported
        self._apply(lambda state, _now: transitions.on_sync_failed(state, reported))
        if isinstance(error, Refused) and reported:
            self._isolate(reported, error)

    def _isolate(self, reported: frozenset[TaskRef], error: Refused) -> None:
        """A report that the scheduler cannot read must not hold up the others: send them singly, and drop that one."""
        self._one_by_one = True
        if len(reported) == 1:
            (ref,) = reported
            _log.error("report_refused", task=ref.task, attempt=ref.attempt, reason=error.message)
            self._apply(lambda state, _now: transitions.on_dropped(state, ref, error.code or "refused"))

    def unknown(self, error: CallFailed) -> None:
        """The scheduler does not know this worker: the main loop decides."""
        _log.warning("worker_unknown", worker=self._worker, reason=error.message)
        self._parts.inbox.put(Command.UNKNOWN)

    # --- port of the slots

    def running(self, ref: TaskRef) -> None:
        """A runner is called now."""
        self._apply(lambda state, now: transitions.on_run(state, ref, now))

    def ended(self, slot: int, ref: TaskRef, ended: Ended) -> None:
        """A runner has come back."""
        self.look_what_is_warm()
        self._apply(lambda state, now: transitions.on_ended(state, slot, ref, ended, now))
        if ref not in self.state.held:  # it was forgotten while it ran: what it wrote since must go too
            self._clean_up(ref)

    # --- port of the deliveries

    def may_publish(self, ref: TaskRef) -> bool:
        """Is the right to publish certain at this moment?"""
        with self.changed:
            return may_publish(self._state, ref, self._parts.clock.monotonic())

    def published(self, ref: TaskRef, report: Report) -> None:
        """Every file is staged."""
        self._apply(lambda state, now: transitions.on_published(state, ref, report, now))

    def dropped(self, ref: TaskRef, why: str) -> None:
        """The scheduler refuses the attempt: it is stale."""
        self._apply(lambda state, _now: transitions.on_dropped(state, ref, why))

    # --- what the main loop asks for

    def look_what_is_warm(self) -> None:
        """Ask the runners which jobs they have open; they use the occasion to end what has been idle for long."""
        warm = self._parts.registry.warm()
        with self.changed:
            self._warm = warm

    def tick(self) -> None:
        """Time has passed."""
        self._apply(transitions.on_tick)

    def block(self, why: str) -> None:
        """Ask for no work while `why` is not empty."""
        if why != self.state.blocked:
            _log.warning("blocked" if why else "unblocked", reason=why)
            self._apply(lambda state, _now: transitions.on_blocked(state, why))

    def leave(self, drain_s: float, why: str = "") -> None:
        """Finish what runs within `drain_s`, then go; `why` is for the scheduler."""
        _log.info("leaving", worker=self._worker, drain_s=drain_s, reason=why)
        self._apply(lambda state, now: transitions.on_leave(state, now, drain_s, why))

    def stop(self) -> None:
        """Hand everything back and go at once."""
        _log.info("stopping", worker=self._worker)
        self._apply(transitions.on_stop)

    def gone(self) -> bool:
        """Is nothing left to do or to say?"""
        return finished(self.state)

    def rendering(self) -> bool:
        """Does any slot still work?"""
        return rendering(self.state)

    def abandon_scratch(self) -> None:
        """The worker ends now: no folder of an attempt stays behind. The journal stays, for the next life."""
        for ref in self.state.held:
            self._parts.scratch.clear(ref)

    # --- obeying

    def _apply(self, decide: Callable[[AgentState, float], Step]) -> None:
        """One transition, its quick actions under the lock, the slow ones after it."""
        slow: list[Forget] = []
        with self.changed:
            step = decide(self._state, self._parts.clock.monotonic())
            self._state = step.state
            pending = list(step.actions)
            while pending:
                action = pending.pop(0)
                if isinstance(action, Forget):
                    slow.append(action)
                else:
                    pending.extend(self._obey(action))
            self.changed.notify_all()
            over = finished(self._state)
        for forget in slow:
            _log.info("attempt_over", task=forget.ref.task, attempt=forget.ref.attempt, reason=forget.why)
            self._clean_up(forget.ref)
        if over:
            self._parts.inbox.put(Command.WAKE)

    def _obey(self, action: Action) -> tuple[Action, ...]:
        """Carry out one quick action; returns what follows from it."""
        match action:
            case Accept(lease):
                self._parts.journal.taken(lease)
                if self._parts.wiper is not None:
                    self._parts.wiper.taken(lease, self._parts.clock.monotonic())
                if fetches(lease):
                    self.fetch_queue.put(lease)
            case Start(lease, slot):
                self._parts.journal.started(ref_of(lease))
                self._slots[slot].start(lease)
            case Interrupt(ref, halt, keep):
                self._interrupt(ref, halt, keep=keep)
            case Publish():
                return self._publish(action)
            case Abandon(ref):
                _log.error("slot_stuck", task=ref.task, attempt=ref.attempt, advice="restart this worker")
            case Forget():
                return ()
        return ()

    def _publish(self, action: Publish) -> tuple[Action, ...]:
        """Through the upload threads, unless there is nothing but a report."""
        work = Finished(action.lease, action.report, action.files)
        stream = self._parts.logs.get(work.ref)
        if work.files or (stream is not None and not stream.empty):
            self.deliveries.submit(work)
            return ()
        self.deliveries.remember(work)
        step = transitions.on_published(self._state, work.ref, work.report, self._parts.clock.monotonic())
        self._state = step.state
        return step.actions

    def _interrupt(self, ref: TaskRef, halt: Halt, *, keep: bool) -> None:
        _log.info("task_interrupted", task=ref.task, attempt=ref.attempt, reason=halt.value, keep=keep)
        for slot, other in self._state.busy.items():
            if other == ref:
                self._slots[slot].interrupt(ref, keep=keep)

    def _clean_up(self, ref: TaskRef) -> None:
        self.deliveries.forget(ref)
        self._parts.logs.close(ref)
        self._parts.progress.drop(ref)
        self._parts.scratch.clear(ref)
        self._parts.journal.over(ref)


def _epitaph(left: Leftover) -> Report:
    """What became of a lease of the former life. A task that may have brought the worker down is a loss that counts."""
    if not left.started:
        return returned(left.lease, "preempted", "Handed back: the worker was restarted before the task began.")
    return failure(left.lease, "lost", "The worker died or was killed while the task ran, and was started again.")
