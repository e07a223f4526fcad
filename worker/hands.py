"""The agent's hands: what `worker.transitions` has decided is carried out here, action by action."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scheduler.protocol.work import TaskRef
from worker import transitions
from worker.actions import Abandon, Accept, Action, Forget, Interrupt, Publish, Start, Step
from worker.parts import Parts
from worker.resources import fetches
from worker.slots import Slot
from worker.spool import Finished
from worker.state import AgentState, Halt, ref_of
from worker.telemetry import logger
from worker.uploads import Deliveries

Decide = Callable[[AgentState, float], Step]
"""A transition that waits only for the present state and the present time, in seconds on the monotonic clock."""

_log = logger("agent")


class Hands:
    """Carries out actions, under the agent's lock; but `forget` and `clean_up` may take long, and go without it."""

    def __init__(self, parts: Parts, slots: Mapping[int, Slot], deliveries: Deliveries) -> None:
        self._parts, self._slots, self._deliveries = parts, slots, deliveries

    def obey(self, action: Action, state: AgentState) -> Decide | None:
        """Carry out one action; returns the transition that follows from it, if one does."""
        match action:
            case Accept(lease):
                self._parts.journal.taken(lease)
                if self._parts.wiper is not None:
                    self._parts.wiper.taken(lease, self._parts.clock.monotonic())
                if fetches(lease):
                    self._parts.to_fetch.put(lease)
            case Start(lease, slot):
                self._parts.journal.started(ref_of(lease))
                self._slots[slot].start(lease)
            case Interrupt(ref, halt, keep):
                self._interrupt(state, ref, halt, keep=keep)
            case Publish():
                return self._publish(action)
            case Abandon(ref):
                _log.error("slot_stuck", task=ref.task, attempt=ref.attempt, advice="restart this worker")
            case Forget():
                self.forget(action)
        return None

    def _publish(self, action: Publish) -> Decide | None:
        """Through the upload threads, unless there is nothing but a report."""
        work = Finished(action.lease, action.report, action.files)
        stream = self._parts.logs.get(work.ref)
        if work.files or (stream is not None and not stream.empty):
            self._deliveries.submit(work)
            return None
        self._deliveries.remember(work)
        return lambda state, now: transitions.on_published(state, work.ref, work.report, now)

    def _interrupt(self, state: AgentState, ref: TaskRef, halt: Halt, *, keep: bool) -> None:
        _log.info("task_interrupted", task=ref.task, attempt=ref.attempt, reason=halt.value, keep=keep)
        for slot, other in state.busy.items():
            if other == ref:
                self._slots[slot].interrupt(ref, keep=keep)

    def forget(self, action: Forget) -> None:
        """An attempt is over."""
        _log.info("attempt_over", task=action.ref.task, attempt=action.ref.attempt, reason=action.why)
        self.clean_up(action.ref)

    def clean_up(self, ref: TaskRef) -> None:
        """Remove everything of an attempt."""
        self._deliveries.forget(ref)
        self._parts.logs.close(ref)
        self._parts.progress.drop(ref)
        self._parts.scratch.clear(ref)
        self._parts.journal.over(ref)
