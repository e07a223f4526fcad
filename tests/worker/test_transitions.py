"""Single decisions of the agent's core, each a story of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.protocol.work import Ack, Lease, Report, Scene, SyncReply, TaskRef
from worker import transitions
from worker.actions import Abandon, Accept, Asked, Forget, Interrupt, Publish, Start
from worker.state import AgentState, Ended, Halt, Held, Limits, Phase, may_publish, named, renew_due_at, sendable, want
from worker.verdicts import MESSAGE_MAX, failure

NOW = 100.0


def lease(task: int = 1, attempt: int = 1, **more: object) -> Lease:
    given = {"job": "00001", "timeout_s": 3600.0, "lease_s": 20.0, **more}
    return Lease(
        task,
        attempt,
        "s",
        kind="render",
        renderer="null",
        frames=[1],
        format="png",
        settings={},
        scene=Scene(),
        **given,
    )  # type: ignore[arg-type]


def reply(
    *leases: Lease, cancel: tuple[TaskRef, ...] = (), drain: bool = False, acks: tuple[Ack, ...] = ()
) -> SyncReply:
    return SyncReply(list(leases), list(cancel), drain, 6.0, list(acks))


def working(*leases: Lease, limits: Limits | None = None) -> AgentState:
    state = AgentState(limits or Limits())
    return transitions.on_reply(state, Asked(NOW), reply(*leases), NOW).state


def test_a_lease_is_recorded_and_starts_in_a_free_slot() -> None:
    step = transitions.on_reply(AgentState(Limits()), Asked(NOW - 5), reply(lease(1), lease(2)), NOW)
    assert step.actions == (Accept(lease(1)), Accept(lease(2)), Start(lease(1), 0))
    assert step.state.held[TaskRef(2, 1)].phase is Phase.QUEUED
    assert step.state.held[TaskRef(1, 1)].renewed_at == NOW - 5, "counted from when the sync was sent"


def test_the_same_lease_twice_is_one_lease() -> None:
    state = working(lease(1))
    step = transitions.on_reply(state, Asked(NOW + 1), reply(lease(1)), NOW + 1)
    assert step.actions == ()


def test_a_slot_with_the_jobs_scene_open_is_preferred() -> None:
    state = AgentState(Limits(slots=2), slot_jobs={1: "00007"})
    step = transitions.on_reply(state, Asked(NOW), reply(lease(1, job="00007")), NOW)
    assert Start(lease(1, job="00007"), 1) in step.actions


@pytest.mark.parametrize(
    ("last_task_s", "wanted"), [(None, 1), (0.1, 2), (10.0, 2), (10.1, 1)], ids=["first", "short", "edge", "long"]
)
def test_prefetching_follows_from_how_long_the_last_task_took(last_task_s: float | None, wanted: int) -> None:
    assert want(AgentState(Limits(), last_task_s=last_task_s)) == wanted


def test_a_backlog_of_undelivered_work_stops_asking() -> None:
    state = AgentState(Limits(slots=4, backlog_max=2))
    assert want(state) == 4
    held = {TaskRef(task, 1): Held(lease(task), Phase.PUBLISHING, NOW, NOW) for task in (1, 2)}
    assert want(replace(state, held=held)) == 0


def test_a_lease_that_waits_too_long_goes_back_and_prefetching_stops() -> None:
    state = replace(working(lease(1), lease(2)), last_task_s=0.1)
    step = transitions.on_tick(state, NOW + 15)
    report = step.state.held[TaskRef(2, 1)].report
    assert report is not None and report.outcome == "returned"
    assert step.state.last_task_s is None


def test_a_task_gets_its_full_time_after_its_scene_has_arrived() -> None:
    ref = TaskRef(1, 1)
    state = working(lease(1, timeout_s=10.0))
    state = transitions.on_run(state, ref, NOW + 9).state
    assert transitions.on_tick(state, NOW + 11).actions == ()
    assert transitions.on_tick(state, NOW + 19).actions == (Interrupt(ref, Halt.TIMEOUT),)


def test_a_result_that_is_complete_counts_although_time_was_up() -> None:
    ref = TaskRef(1, 1)
    state = transitions.on_tick(working(lease(1, timeout_s=1.0)), NOW + 2).state
    step = transitions.on_ended(state, 0, ref, Ended(2.0), NOW + 2)
    publish = step.actions[0]
    assert isinstance(publish, Publish) and publish.report.outcome == "done"


def test_a_cancel_after_a_timeout_still_means_that_nothing_is_reported() -> None:
    ref = TaskRef(1, 1)
    state = transitions.on_tick(working(lease(1, timeout_s=1.0)), NOW + 2).state
    state = transitions.on_reply(state, Asked(NOW + 2), reply(cancel=(ref,)), NOW + 2).state
    assert named(state) == []
    assert transitions.on_ended(state, 0, ref, Ended(2.0, cancelled=True), NOW + 3).actions == (
        Forget(ref, "cancelled"),
    )


def test_finished_work_is_offered_although_its_lease_was_lost() -> None:
    """Late but current work counts: the scheduler's fence decides, not an old answer."""
    ref = TaskRef(1, 1)
    state = transitions.on_ended(working(lease(1)), 0, ref, Ended(5.0), NOW).state
    assert not may_publish(state, ref, NOW + 18)
    state = transitions.on_reply(state, Asked(NOW + 30), reply(cancel=(ref,)), NOW + 30).state
    assert may_publish(state, ref, NOW + 99)
    assert renew_due_at(state, 6.0) is None


def test_a_done_report_waits_at_the_fence_and_a_failure_does_not() -> None:
    done, failed = TaskRef(1, 1), TaskRef(2, 1)
    state = working(lease(1), lease(2), limits=Limits(slots=2))
    for ref, outcome in ((done, "done"), (failed, "failed")):
        report = Report(ref.task, ref.attempt, "s", outcome)  # type: ignore[arg-type]
        state = transitions.on_published(state, ref, report, NOW).state
    assert sendable(state, NOW + 17.9) == [done, failed]
    assert sendable(state, NOW + 18.0) == [failed]


@pytest.mark.parametrize(
    ("status", "held"), [(200, False), (202, False), (409, False), (422, False), (503, True), (507, True)]
)
def test_an_answered_report_is_over_unless_the_scheduler_could_not_take_it(status: int, held: bool) -> None:
    ref = TaskRef(1, 1)
    state = transitions.on_published(working(lease(1)), ref, Report(1, 1, "s", "done"), NOW).state
    state = transitions.on_send(state, [ref]).state
    assert sendable(state, NOW) == []
    asked = Asked(NOW, frozenset(), frozenset({ref}))
    state = transitions.on_reply(state, asked, reply(acks=(Ack(1, 1, status),)), NOW).state
    assert (ref in state.held) is held
    assert sendable(state, NOW) == ([ref] if held else [])


def test_an_old_answer_does_not_undo_a_drain() -> None:
    state = transitions.on_reply(AgentState(Limits()), Asked(NOW), reply(drain=True), NOW).state
    state = transitions.on_reply(state, Asked(NOW - 1), reply(drain=False), NOW).state
    assert state.draining and want(state) == 0


def test_a_lease_that_arrives_while_leaving_goes_straight_back() -> None:
    state = transitions.on_leave(AgentState(Limits()), NOW, 60.0).state
    step = transitions.on_reply(state, Asked(NOW), reply(lease(1)), NOW)
    assert step.actions == ()
    assert sendable(step.state, NOW) == [TaskRef(1, 1)]


def test_a_shorter_patience_wins() -> None:
    state = transitions.on_leave(AgentState(Limits()), NOW, 60.0).state
    assert transitions.on_leave(state, NOW, 5.0).state.leave_by == NOW + 5
    assert transitions.on_leave(state, NOW, 500.0).state.leave_by == NOW + 60


def test_a_task_that_does_not_stop_is_given_up() -> None:
    ref = TaskRef(1, 1)
    state = transitions.on_tick(working(lease(1, timeout_s=1.0)), NOW + 1).state
    step = transitions.on_tick(state, NOW + 61)
    assert step.actions == (Abandon(ref),)
    report = step.state.held[ref].report
    assert report is not None and report.failure == "user"
    assert step.state.busy == {0: ref}, "its slot is not free"
    assert want(step.state) == 0


def test_a_long_message_is_cut() -> None:
    assert len(failure(lease(), "infra", "x" * 10_000).message) == MESSAGE_MAX
