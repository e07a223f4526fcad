"""The agent's core under every order of events that hypothesis can think of, beside a scheduler that is only a model.

The model leases, expires, cancels, drains and answers late or never; runners end whenever they like; time jumps.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scheduler.protocol.work import Ack, Lease, Report, Scene, SyncReply, TaskRef
from worker import transitions
from worker.actions import Abandon, Accept, Asked, Forget, Interrupt, Publish, Start, Step
from worker.runners.base import Produced
from worker.state import (
    AgentState,
    Ended,
    Halt,
    Limits,
    Mode,
    Phase,
    fence_at,
    finished,
    may_publish,
    named,
    queued,
    sendable,
    want,
)
from worker.verdicts import failure

LEASE_S = 20.0


def make_lease(task: int, attempt: int, job: str = "00001", timeout_s: float = 3600.0) -> Lease:
    return Lease(
        task, attempt, f"s{task}.{attempt}", job, "render", "null", [1], "png", {}, Scene(), timeout_s=timeout_s
    )


class AgentMachine(RuleBasedStateMachine):
    """Rules are what can happen to a worker; invariants what must never happen."""

    @initialize(slots=st.integers(1, 3), prefetch=st.integers(0, 2))
    def begin(self, slots: int, prefetch: int) -> None:
        self.now = 1000.0
        self.state = AgentState(Limits(slots=slots, prefetch=prefetch, stuck_s=30.0, backlog_max=3))
        self.next_task = 0
        self.running: dict[TaskRef, int] = {}  # what slots' threads are in
        self.publishing: dict[TaskRef, Report] = {}
        self.started: set[TaskRef] = set()
        self.published: set[TaskRef] = set()
        self.forgotten: set[TaskRef] = set()
        self.interrupted: dict[TaskRef, Halt] = {}
        self.leased: set[TaskRef] = set()
        self.flying: list[tuple[Asked, int]] = []
        self.done_with: set[TaskRef] = set()  # cancelled or acknowledged by the model scheduler
        self.draining = False

    # --- what happens

    @rule(seconds=st.sampled_from([0.0, 0.01, 1.0, 7.0, 16.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.obey(transitions.on_tick(self.state, self.now))

    @rule(reports=st.booleans())
    def sync_is_sent(self, reports: bool) -> None:
        refs = sendable(self.state, self.now) if reports else []
        for ref in refs:
            report = self.state.held[ref].report
            assert report is not None
            assert report.outcome != "done" or may_publish(self.state, ref, self.now)
        self.state = transitions.on_send(self.state, refs).state
        asked = Asked(self.now, frozenset(named(self.state)), frozenset(refs))
        self.flying.append((asked, want(self.state)))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), cancel=st.booleans(), stale=st.booleans(), job=st.sampled_from(["00001", "00002"]))
    def sync_is_answered(self, data: st.DataObject, cancel: bool, stale: bool, job: str) -> None:
        """Answers may overtake one another."""
        asked, wanted = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        leases: list[Lease] = []
        for _ in range(data.draw(st.integers(0, wanted))):
            self.next_task += 1
            leases.append(make_lease(self.next_task, data.draw(st.integers(1, 3)), job, timeout_s=30.0))
            self.leased.add(TaskRef(leases[-1].task, leases[-1].attempt))
        victims = [data.draw(st.sampled_from(sorted(asked.named, key=str)))] if cancel and asked.named else []
        acks = [Ack(ref.task, ref.attempt, 409 if stale else 200) for ref in asked.reported]
        self.done_with.update(victims)
        before = self.state
        reply = SyncReply(leases, victims, self.draining, 6.0, acks)
        step = transitions.on_reply(self.state, asked, reply, self.now)
        self.obey(step)
        for ref in asked.named - set(victims):
            if ref in self.state.held:
                assert self.state.held[ref].renewed_at >= asked.sent_at >= 0
        for ref in before.held:
            if ref in self.state.held:
                assert self.state.held[ref].renewed_at >= before.held[ref].renewed_at

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def sync_is_lost(self, data: st.DataObject) -> None:
        asked, _ = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.obey(transitions.on_sync_failed(self.state, asked.reported))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["done", "failed", "cancelled"]), seconds=st.sampled_from([0.1, 60.0]))
    def runner_ends(self, data: st.DataObject, how: str, seconds: float) -> None:
        ref = data.draw(st.sampled_from(sorted(self.running, key=str)))
        self.end(ref, how, seconds)

    @precondition(lambda self: self.publishing)
    @rule(data=st.data(), stale=st.booleans())
    def delivery_ends(self, data: st.DataObject, stale: bool) -> None:
        ref = data.draw(st.sampled_from(sorted(self.publishing, key=str)))
        report = self.publishing.pop(ref)
        if stale:
            self.obey(transitions.on_dropped(self.state, ref, "stale_attempt"))
        else:
            self.obey(transitions.on_published(self.state, ref, report, self.now))

    @rule()
    def scheduler_drains(self) -> None:
        self.draining = not self.draining

    @rule(why=st.sampled_from(["", "disk low"]))
    def disk_changes(self, why: str) -> None:
        self.obey(transitions.on_blocked(self.state, why))

    @rule(drain_s=st.sampled_from([0.0, 10.0, 100.0]))
    @precondition(lambda self: self.next_task > 4)
    def told_to_leave(self, drain_s: float) -> None:
        self.obey(transitions.on_leave(self.state, self.now, drain_s))

    @rule()
    @precondition(lambda self: self.next_task > 6)
    def told_to_stop(self) -> None:
        self.obey(transitions.on_stop(self.state, self.now))

    # --- what must hold

    @invariant()
    def slots_are_never_shared(self) -> None:
        busy = list(self.state.busy.values())
        assert len(busy) == len(set(busy)) <= self.state.limits.slots
        assert set(self.running) == set(busy)
        for ref, held in self.state.held.items():
            if held.phase is Phase.RUNNING:
                assert held.slot is not None and self.state.busy[held.slot] == ref

    @invariant()
    def nothing_is_forgotten_without_a_reason_and_nothing_twice(self) -> None:
        assert self.leased == set(self.state.held) | self.forgotten
        assert not set(self.state.held) & self.forgotten

    @invariant()
    def no_slot_idles_while_a_lease_waits(self) -> None:
        if self.state.mode is Mode.WORKING and queued(self.state):
            assert len(self.state.busy) == self.state.limits.slots

    @invariant()
    def it_asks_for_no_more_than_it_can_use(self) -> None:
        state = self.state
        assert 0 <= want(state) <= state.limits.slots + state.limits.prefetch
        if state.mode is not Mode.WORKING or state.draining or state.blocked:
            assert want(state) == 0
        if want(state):
            assert want(state) + len(state.busy) + len(queued(state)) <= state.limits.slots + state.limits.prefetch

    @invariant()
    def past_the_fence_nothing_is_published_that_the_scheduler_has_not_judged(self) -> None:
        for ref, held in self.state.held.items():
            if may_publish(self.state, ref, self.now):
                assert held.late or self.now < fence_at(held, self.state.limits.fence_margin_s)
                assert held.late or self.now < held.renewed_at + LEASE_S

    def teardown(self) -> None:
        """Whatever has happened: told to leave, and answered, a worker comes to an end with nothing held."""
        if not hasattr(self, "state"):
            return
        while self.flying:
            self.obey(transitions.on_sync_failed(self.state, self.flying.pop()[0].reported))
        self.obey(transitions.on_leave(self.state, self.now, 0.0))
        self.obey(transitions.on_tick(self.state, self.now))
        for ref in list(self.running):
            self.end(ref, "cancelled", 1.0)
        for ref, report in list(self.publishing.items()):
            self.obey(transitions.on_published(self.state, ref, report, self.now))
        renewal = Asked(self.now, frozenset(named(self.state)))
        self.obey(transitions.on_reply(self.state, renewal, SyncReply([], [], False, 6.0, []), self.now))
        refs = sendable(self.state, self.now)
        self.state = transitions.on_send(self.state, refs).state
        acks = [Ack(ref.task, ref.attempt, 200) for ref in refs]
        asked = Asked(self.now, frozenset(), frozenset(refs))
        self.obey(transitions.on_reply(self.state, asked, SyncReply([], [], False, 6.0, acks), self.now))
        assert finished(self.state), self.state.held

    # --- the model of the shell

    def end(self, ref: TaskRef, how: str, seconds: float) -> None:
        slot = self.running.pop(ref)
        lease = make_lease(ref.task, ref.attempt)
        ended = {
            "done": Ended(seconds, files=_files()),
            "failed": Ended(seconds, failed=failure(lease, "user", "no camera")),
            "cancelled": Ended(seconds, cancelled=True),
        }[how]
        self.obey(transitions.on_ended(self.state, slot, ref, ended, self.now))

    def obey(self, step: Step) -> None:
        self.state = step.state
        for action in step.actions:
            match action:
                case Accept(lease):
                    assert TaskRef(lease.task, lease.attempt) not in self.started
                case Start(lease, slot):
                    ref = TaskRef(lease.task, lease.attempt)
                    assert ref not in self.started and slot not in self.running.values()
                    self.started.add(ref)
                    self.running[ref] = slot
                case Interrupt(ref, halt):
                    assert ref in self.running
                    assert ref not in self.interrupted or halt is Halt.CANCELLED
                    self.interrupted[ref] = halt
                case Publish(lease, report, files):
                    ref = TaskRef(lease.task, lease.attempt)
                    assert ref not in self.published and self.interrupted.get(ref) is not Halt.CANCELLED
                    assert not files or report.outcome == "done"
                    self.published.add(ref)
                    self.publishing[ref] = report
                case Forget(ref, why):
                    assert ref not in self.forgotten and why
                    self.forgotten.add(ref)
                    self.publishing.pop(ref, None)
                case Abandon(ref):
                    assert ref in self.running


def _files() -> tuple[Produced, ...]:
    from pathlib import Path

    return (Produced(Path("a.png"), "frame"),)


TestAgentMachine: Any = AgentMachine.TestCase
