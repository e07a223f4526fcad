"""How one state of the agent follows from another, and what is to be done about it. PURE.

Every function takes a state and what happened and returns a `Step`: the next state and the actions for the shell, in
order. Cancelling is a flag on the attempt, not a state of its own, so that it may arrive in any phase.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from scheduler.protocol.work import Ack, Lease, Report, SyncReply, TaskRef
from worker.actions import ACCEPTED, RETRIED, Abandon, Accept, Asked, Forget, Interrupt, Publish, Start, Step
from worker.state import NEVER, AgentState, Ended, Halt, Held, Mode, Phase, queued, ref_of
from worker.verdicts import returned, verdict


def on_reply(state: AgentState, asked: Asked, reply: SyncReply, now: float) -> Step:
    """A sync was answered: renew, take acks, obey cancels and drain, take leases, fill slots."""
    cancelled = [ref for ref in reply.cancel if ref not in asked.reported]
    step = Step(_renewed(state, asked.sent_at, asked.named.difference(cancelled)))
    step = step.then(_acknowledged(step.state, reply.acks, asked.reported))
    for ref in cancelled:
        step = step.then(_cancelled(step.state, ref, now))
    step = step.then(_drained(step.state, reply.drain, asked.sent_at))
    for lease in reply.leases:
        step = step.then(_leased(step.state, lease, asked.sent_at, now))
    return step.then(_fill(step.state, now))


def on_run(state: AgentState, ref: TaskRef, now: float) -> Step:
    """The scene is here and the runner is called now: the task's own time begins."""
    held = state.held.get(ref)
    if held is None or held.phase is not Phase.RUNNING:
        return Step(state)
    return Step(_put(state, ref, replace(held, since=now)))


def on_ended(state: AgentState, slot: int, ref: TaskRef, ended: Ended, now: float) -> Step:
    """A slot is free again; what becomes of its attempt follows from the result and from why it was stopped."""
    busy = {number: other for number, other in state.busy.items() if number != slot}
    state = replace(state, busy=busy)
    held = state.held.get(ref)
    if held is None or held.phase is not Phase.RUNNING:
        return _fill(state, now)
    if ended.failed is None and not ended.cancelled:
        state = replace(state, last_task_s=ended.seconds)
    step = _settled(state, ref, held, ended, now)
    return step.then(_fill(step.state, now))


def on_published(state: AgentState, ref: TaskRef, report: Report, now: float) -> Step:
    """The files are staged and the log is sent: the report may go."""
    held = state.held.get(ref)
    if held is None:
        return Step(state)
    reporting = replace(held, phase=Phase.REPORTING, report=report, since=now)
    return Step(_put(_without(state, ref), ref, reporting))  # to the end: reports go in the order of delivery


def on_dropped(state: AgentState, ref: TaskRef, why: str) -> Step:
    """The attempt is not ours any more: never publish, never report."""
    if ref not in state.held:
        return Step(state)
    return Step(_without(state, ref), (Forget(ref, why),))


def on_sync_failed(state: AgentState, reported: Collection[TaskRef]) -> Step:
    """The sync got no answer: its reports are to be sent again (the scheduler answers a repeated one the same way)."""
    for ref in reported:
        held = state.held.get(ref)
        if held is not None:
            state = _put(state, ref, replace(held, in_flight=False))
    return Step(state)


def on_send(state: AgentState, refs: Collection[TaskRef]) -> Step:
    """These reports travel now."""
    for ref in refs:
        state = _put(state, ref, replace(state.held[ref], in_flight=True))
    return Step(state)


def on_adopted(state: AgentState, lease: Lease, now: float) -> Step:
    """Work that was finished earlier (by this worker's former life) waits in the spool for delivery."""
    ref = ref_of(lease)
    if ref in state.held:
        return Step(state)
    return Step(_put(state, ref, Held(lease, Phase.PUBLISHING, renewed_at=NEVER, since=now)))


def on_given_up(state: AgentState, lease: Lease, report: Report, now: float) -> Step:
    """A lease of this worker's former life is reported as what became of it."""
    ref = ref_of(lease)
    if ref in state.held:
        return Step(state)
    return Step(_put(state, ref, Held(lease, Phase.REPORTING, renewed_at=NEVER, since=now, report=report)))


def on_blocked(state: AgentState, why: str) -> Step:
    """Ask for no work while `why` is not empty (disk low, spool full)."""
    return Step(replace(state, blocked=why))


def on_tick(state: AgentState, now: float) -> Step:
    """Time has passed: end what took too long, give up what does not stop, return what waits too long for a slot."""
    step = Step(state)
    for ref, held in state.held.items():
        if held.phase is Phase.RUNNING:
            step = step.then(_overdue(step.state, ref, held, now))
        elif held.phase is Phase.QUEUED and now - held.since >= state.limits.prefetch_hold_s:
            # Tasks are longer than they were: no more prefetching until a short one has ended again.
            step = Step(replace(step.state, last_task_s=None), step.actions)
            step = step.then(_returned(step.state, ref, "it waited too long for a slot"))
    if state.mode is Mode.LEAVING and state.leave_by is not None and now >= state.leave_by:
        for ref in _running(step.state):
            step = step.then(_halted(step.state, ref, Halt.PREEMPTED, now, keep=True))
    return step


def on_leave(state: AgentState, now: float, drain_s: float, why: str = "") -> Step:
    """Asked to go (SIGTERM, a provider's notice): nothing new, waiting leases go back, what runs may finish for
    `drain_s`. Then it is stopped, and goes back with what it has so far where its runner can save that."""
    if state.mode is Mode.STOPPING:
        return Step(state)
    leave_by = now + drain_s if state.leave_by is None else min(state.leave_by, now + drain_s)
    step = Step(replace(state, mode=Mode.LEAVING, leave_by=leave_by, leaving=why or state.leaving))
    return step.then(_return_queued(step.state, "the worker is leaving"))


def on_stop(state: AgentState, now: float) -> Step:
    """Asked again: every lease that has not produced anything goes back at once, and what runs is interrupted."""
    step = Step(replace(state, mode=Mode.STOPPING))
    step = step.then(_return_queued(step.state, "the worker is stopping"))
    for ref in _running(step.state):
        step = step.then(_halted(step.state, ref, Halt.PREEMPTED, now))
        step = step.then(_returned(step.state, ref, "the worker is stopping"))
    for ref, held in step.state.held.items():
        if held.phase is Phase.PUBLISHING and held.halt is Halt.PREEMPTED:  # a checkpoint that will not arrive in time
            step = step.then(_returned(step.state, ref, "the worker is stopping"))
    return step


def _settled(state: AgentState, ref: TaskRef, held: Held, ended: Ended, now: float) -> Step:
    """The attempt's fate: forgotten when it was cancelled, else delivered."""
    if held.halt is Halt.CANCELLED:
        return on_dropped(state, ref, "cancelled")
    report = verdict(held, ended)
    files = ended.files if report.outcome in ("done", "returned") else ()
    publishing = replace(held, phase=Phase.PUBLISHING, slot=None, since=now)
    return Step(_put(state, ref, publishing), (Publish(held.lease, report, files),))


def _renewed(state: AgentState, sent_at: float, refs: Collection[TaskRef]) -> AgentState:
    held = dict(state.held)
    for ref in refs:
        if ref in held and held[ref].renewed_at < sent_at:
            held[ref] = replace(held[ref], renewed_at=sent_at)
    return replace(state, held=held)


def _acknowledged(state: AgentState, acks: Sequence[Ack], reported: Collection[TaskRef]) -> Step:
    step = Step(state)
    for ack in acks:
        ref = TaskRef(ack.task, ack.attempt)
        if ref not in state.held:
            continue
        if ack.status in RETRIED:
            continue
        why = "reported" if ack.status in ACCEPTED else (ack.code or f"refused with {ack.status}")
        step = step.then(Step(_without(step.state, ref), (Forget(ref, why),)))
    return step.then(on_sync_failed(step.state, reported))


def _cancelled(state: AgentState, ref: TaskRef, now: float) -> Step:
    """Stop what has not finished. Finished work is offered all the same: late but current work counts."""
    held = state.held.get(ref)
    if held is None:
        return Step(state)
    if held.phase is Phase.QUEUED:
        return on_dropped(state, ref, "cancelled")
    if held.phase is Phase.RUNNING:
        return _halted(state, ref, Halt.CANCELLED, now)
    return Step(_put(state, ref, replace(held, late=True)))


def _halted(state: AgentState, ref: TaskRef, halt: Halt, now: float, *, keep: bool = False) -> Step:
    """Interrupt once; a cancel outranks an earlier reason, because then nothing may be reported."""
    held = state.held[ref]
    if held.halt is not None and halt is not Halt.CANCELLED:
        return Step(state)
    halted_at = held.halted_at if held.halt is not None else now
    return Step(_put(state, ref, replace(held, halt=halt, halted_at=halted_at)), (Interrupt(ref, halt, keep),))


def _drained(state: AgentState, drain: bool, sent_at: float) -> Step:
    """Answers may overtake one another: the one to the later question counts."""
    if sent_at < state.drain_told_at:
        return Step(state)
    state = replace(state, draining=drain, drain_told_at=sent_at)
    return _return_queued(state, "the worker is drained") if drain else Step(state)


def _leased(state: AgentState, lease: Lease, sent_at: float, now: float) -> Step:
    ref = ref_of(lease)
    if ref in state.held:
        return Step(state)
    state = _put(state, ref, Held(lease, Phase.QUEUED, renewed_at=sent_at, since=now))
    if state.mode is not Mode.WORKING or state.draining:
        return _returned(state, ref, "the worker is leaving")
    return Step(state, (Accept(lease),))


def _fill(state: AgentState, now: float) -> Step:
    """Give waiting leases to free slots, oldest first, preferring the slot that has the job's scene open."""
    if state.mode is not Mode.WORKING:
        return Step(state)
    step = Step(state)
    for ref in queued(state):
        current = step.state
        free = [slot for slot in range(current.limits.slots) if slot not in current.busy]
        if not free:
            break
        held = current.held[ref]
        slot = next((slot for slot in free if current.slot_jobs.get(slot) == held.lease.job), free[0])
        following = replace(
            _put(current, ref, replace(held, phase=Phase.RUNNING, slot=slot, since=now)),
            busy={**current.busy, slot: ref},
            slot_jobs={**current.slot_jobs, slot: held.lease.job},
        )
        step = step.then(Step(following, (Start(held.lease, slot),)))
    return step


def _overdue(state: AgentState, ref: TaskRef, held: Held, now: float) -> Step:
    if held.halt is None:
        overdue = now - held.since >= held.lease.timeout_s
        return _halted(state, ref, Halt.TIMEOUT, now) if overdue else Step(state)
    patience_s = state.limits.save_s if held.halt is Halt.PREEMPTED else state.limits.stuck_s
    if now - held.halted_at < patience_s:
        return Step(state)
    if held.halt is Halt.CANCELLED:
        return Step(_without(state, ref), (Abandon(ref), Forget(ref, "cancelled, but it does not stop")))
    report = verdict(held, Ended(seconds=now - held.since, cancelled=True))
    reporting = replace(held, phase=Phase.REPORTING, report=report, slot=None, since=now)
    return Step(_put(state, ref, reporting), (Abandon(ref),))


def _return_queued(state: AgentState, why: str) -> Step:
    step = Step(state)
    for ref in queued(state):
        step = step.then(_returned(step.state, ref, why))
    return step


def _returned(state: AgentState, ref: TaskRef, why: str) -> Step:
    held = state.held[ref]
    report = returned(held.lease, "preempted", f"Handed back: {why}.")
    return Step(_put(state, ref, replace(held, phase=Phase.REPORTING, report=report)))


def _running(state: AgentState) -> list[TaskRef]:
    return [ref for ref, held in state.held.items() if held.phase is Phase.RUNNING]


def _put(state: AgentState, ref: TaskRef, held: Held) -> AgentState:
    return replace(state, held={**state.held, ref: held})


def _without(state: AgentState, ref: TaskRef) -> AgentState:
    return replace(state, held={other: held for other, held in state.held.items() if other != ref})
