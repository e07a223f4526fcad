"""The worker's agent: holds the state, lets `worker.transitions` decide, and obeys. The shell around the pure core.

All threads meet here: slots, upload threads, the lanes of the session, and the main loop, which minds time, disk,
parent and signals. A transition and its quick actions happen under one lock; what may take long (removing folders,
forgetting spooled work) happens after it, in the thread that caused it.
"""

from __future__ import annotations

import threading

from scheduler.protocol.work import Report, Running, SyncReply, SyncRequest, TaskRef
from worker import transitions
from worker.actions import Action, Asked, Forget
from worker.answers import CallFailed, Refused, Unreachable
from worker.hands import Decide, Hands
from worker.pacing import View
from worker.parts import Command, Parts
from worker.session import Outgoing
from worker.state import AgentState, Ended, finished, may_publish, named, rendering, sendable, starved, want
from worker.telemetry import logger

_log = logger("agent")


class Agent:
    """State and shell. Implements the ports of slots, deliveries and session."""

    def __init__(self, parts: Parts, state: AgentState, worker: str) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.online = False
        self.load = 0.0
        self._parts, self._state, self._worker = parts, state, worker
        self._hands: Hands | None = None
        self._warm: list[str] = []
        self._one_by_one = False

    def attach(self, hands: Hands) -> None:
        """Give the agent its hands, whose slots and deliveries need it themselves. Before any thread starts."""
        self._hands = hands

    @property
    def state(self) -> AgentState:
        """The present state, a value that never changes."""
        with self.changed:
            return self._state

    @property
    def hands(self) -> Hands:
        """Whoever carries out what is decided."""
        if self._hands is None:
            raise RuntimeError("attach() comes before any work")
        return self._hands

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
            cached=self._parts.cache.folder.recent() if wanted else [],
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
        self.apply(lambda state, now: transitions.on_reply(state, outgoing.asked, reply, now))

    def failed(self, outgoing: Outgoing, error: CallFailed) -> None:
        """A sync got no usable answer; its reports wait. The main loop then saves what was finished."""
        if isinstance(error, Unreachable):
            if self.online:
                _log.warning("offline", worker=self._worker, reason=error.message)
                self._parts.inbox.put(Command.WAKE)
            self.online = False
        reported = outgoing.asked.reported
        self.apply(lambda state, _now: transitions.on_sync_failed(state, reported))
        if isinstance(error, Refused) and reported:
            self._isolate(reported, error)

    def _isolate(self, reported: frozenset[TaskRef], error: Refused) -> None:
        """A report that the scheduler cannot read must not hold up the others: send them singly, and drop that one."""
        self._one_by_one = True
        if len(reported) == 1:
            (ref,) = reported
            _log.error("report_refused", task=ref.task, attempt=ref.attempt, reason=error.message)
            self.apply(lambda state, _now: transitions.on_dropped(state, ref, error.code or "refused"))

    def unknown(self, error: CallFailed) -> None:
        """The scheduler does not know this worker: the main loop decides."""
        _log.warning("worker_unknown", worker=self._worker, reason=error.message)
        self._parts.inbox.put(Command.UNKNOWN)

    # --- port of the slots

    def running(self, ref: TaskRef) -> None:
        """A runner is called now."""
        self.apply(lambda state, now: transitions.on_run(state, ref, now))

    def ended(self, slot: int, ref: TaskRef, ended: Ended) -> None:
        """A runner has come back."""
        self.look_what_is_warm()
        self.apply(lambda state, now: transitions.on_ended(state, slot, ref, ended, now))
        if ref not in self.state.held:  # it was forgotten while it ran: what it wrote since must go too
            self.hands.clean_up(ref)

    # --- port of the deliveries

    def may_publish(self, ref: TaskRef) -> bool:
        """Is the right to publish certain at this moment?"""
        with self.changed:
            return may_publish(self._state, ref, self._parts.clock.monotonic())

    def published(self, ref: TaskRef, report: Report) -> None:
        """Every file is staged."""
        self.apply(lambda state, now: transitions.on_published(state, ref, report, now))

    def dropped(self, ref: TaskRef, why: str) -> None:
        """The scheduler refuses the attempt: it is stale."""
        self.apply(lambda state, _now: transitions.on_dropped(state, ref, why))

    # --- what the main loop asks for

    def look_what_is_warm(self) -> None:
        """Ask the runners which jobs they have open; they use the occasion to end what has been idle for long."""
        warm = self._parts.registry.warm()
        with self.changed:
            self._warm = warm

    def tick(self) -> None:
        """Time has passed."""
        self.apply(transitions.on_tick)

    def block(self, why: str) -> None:
        """Ask for no work while `why` is not empty."""
        if why != self.state.blocked:
            _log.warning("blocked" if why else "unblocked", reason=why)
            self.apply(lambda state, _now: transitions.on_blocked(state, why))

    def leave(self, drain_s: float, why: str = "") -> None:
        """Finish what runs within `drain_s`, then go; `why` is for the scheduler."""
        _log.info("leaving", worker=self._worker, drain_s=drain_s, reason=why)
        self.apply(lambda state, now: transitions.on_leave(state, now, drain_s, why))

    def stop(self) -> None:
        """Hand everything back and go at once."""
        _log.info("stopping", worker=self._worker)
        self.apply(transitions.on_stop)

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

    def apply(self, decide: Decide) -> None:
        """One transition, its quick actions under the lock, the slow ones after it."""
        slow: list[Forget] = []
        with self.changed:
            pending = self._decide(decide)
            while pending:
                action = pending.pop(0)
                if isinstance(action, Forget):
                    slow.append(action)
                elif (follows := self.hands.obey(action, self._state)) is not None:
                    pending += self._decide(follows)
            self.changed.notify_all()
            over = finished(self._state)
        for forget in slow:
            self.hands.forget(forget)
        if over:
            self._parts.inbox.put(Command.WAKE)

    def _decide(self, decide: Decide) -> list[Action]:
        step = decide(self._state, self._parts.clock.monotonic())
        self._state = step.state
        return list(step.actions)
