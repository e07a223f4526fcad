"""The fast forward of the queue: known answers, invariants, and a long queue."""

from __future__ import annotations

import heapq
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.estimating import FrameTime
from scheduler.domain.forecasting import QueuedStep, forecast
from scheduler.domain.slots import SlotGroup, longest_of

GROUPS = ("home",)
TOLERANCE = 0.04
"""Slots that become free within 2.5 % of one another are one entry."""


def exactly(seconds: float) -> FrameTime:
    return FrameTime(seconds, seconds, seconds, 0.0, 10, f"{seconds:g} s")


def about(seconds: float, spread: float = 0.3, doubt: float = 0.2) -> FrameTime:
    return FrameTime(seconds, seconds / 1.5, seconds * 1.5, spread, 10, "frames", doubt)


def step(job: int, tasks: int, time: FrameTime, **more: object) -> QueuedStep:
    values = {"step": job, "level": 0, "slots": GROUPS} | more
    return QueuedStep(job=job, tasks_waiting=tasks, time=time, **values)  # type: ignore[arg-type]


def finishes(queue: list[QueuedStep], slots: float = 4, power: float = 1.0) -> dict[int, float]:
    return {job: told.finish_s for job, told in forecast(queue, {"home": SlotGroup(slots, power)}, 0.0).items()}


def test_one_wave_two_waves_and_the_next_job() -> None:
    assert finishes([step(1, 4, exactly(100))]) == {1: pytest.approx(100)}
    assert finishes([step(1, 5, exactly(100))]) == {1: pytest.approx(200)}
    assert finishes([step(1, 6, exactly(100)), step(2, 2, exactly(50))]) == {
        1: pytest.approx(200),
        2: pytest.approx(150, rel=TOLERANCE),
    }


def test_power_and_chunks() -> None:
    assert finishes([step(1, 4, exactly(100))], power=2.0) == {1: pytest.approx(50)}
    assert finishes([step(1, 4, exactly(100), frames_per_task=10.0)]) == {1: pytest.approx(1000)}
    assert finishes([step(1, 4, exactly(160), frames_per_task=1 / 16)]) == {1: pytest.approx(10)}


def test_a_task_that_takes_the_whole_machine() -> None:
    assert finishes([step(1, 2, exactly(100), width=4.0)]) == {1: pytest.approx(200)}


def test_what_runs_counts_with_what_is_left() -> None:
    running = (("home", 0.5),) * 4
    found = finishes([step(1, 0, exactly(100), running=running), step(2, 4, exactly(100))])

    assert found == {1: pytest.approx(50), 2: pytest.approx(150, rel=TOLERANCE)}


def test_merges_come_after_their_parts() -> None:
    queue = [
        step(1, 2, exactly(10), step=12, level=2),
        step(1, 2, exactly(20), step=11, level=1),
        step(1, 8, exactly(100)),
    ]

    assert finishes(queue, slots=8)[1] == pytest.approx(130)


def test_a_job_that_waits_starts_when_the_other_has_finished_and_others_use_the_slots() -> None:
    queue = [
        step(1, 4, exactly(100)),
        step(2, 4, exactly(100), after=(3,)),
        step(3, 4, exactly(100)),
        step(4, 4, exactly(100)),
    ]
    found = finishes(queue)

    assert found[3] == pytest.approx(200, rel=TOLERANCE)
    assert found[2] == pytest.approx(300, rel=TOLERANCE)
    assert found[4] == pytest.approx(400, rel=TOLERANCE)


def test_chains_of_jobs() -> None:
    queue = [step(number, 1, exactly(10), after=(number - 1,) if number > 1 else ()) for number in range(1, 30)]

    assert finishes(queue)[29] == pytest.approx(290)
    assert finishes(list(reversed(queue)))[29] == pytest.approx(290)


def test_who_cannot_run_has_no_forecast() -> None:
    queue = [
        step(1, 1, exactly(10), slots=("moon",)),
        step(2, 1, exactly(10), after=(1,)),
        step(3, 1, exactly(10), after=(99,)),
        step(4, 1, exactly(10), after=(4,)),
        step(5, 1, exactly(10)),
    ]

    assert set(finishes(queue)) == {5}
    assert forecast([], {}, 0.0) == {}
    assert forecast(queue, {}, 0.0) == {}
    assert forecast(queue, {"home": SlotGroup(0)}, 0.0) == {}


def test_groups_share_a_step_by_their_power() -> None:
    slots = {"slow": SlotGroup(10, 0.5), "fast": SlotGroup(10, 2.0)}
    both = forecast([step(1, 1000, exactly(100), slots=("slow", "fast"))], slots, 0.0)[1].finish_s
    fast = forecast([step(1, 1000, exactly(100), slots=("fast",))], slots, 0.0)[1].finish_s

    assert both == pytest.approx(1000 * 100 / 25, rel=0.1)
    assert fast == pytest.approx(1000 * 100 / 20, rel=0.1)


def test_of_many_frames_one_takes_long() -> None:
    one, many = (finishes([step(1, tasks, about(100))], slots=100)[1] for tasks in (1, 100))

    assert many > 1.5 * one
    assert longest_of(1) == 0.0
    assert longest_of(100) == pytest.approx(2.5, abs=0.05)


def test_doubt_widens_the_interval_of_the_jobs_behind() -> None:
    slots = {"home": SlotGroup(4)}
    sure, unsure = (
        forecast([step(1, 100, about(100, doubt=doubt)), step(2, 4, about(100))], slots, 0.0)[2]
        for doubt in (0.05, 0.8)
    )

    assert unsure.high_s / unsure.low_s > 1.5 * sure.high_s / sure.low_s


steps = st.lists(
    st.builds(
        lambda tasks, seconds, spread, doubt, frames: (tasks, about(seconds, spread, doubt), frames),
        st.integers(1, 300),
        st.floats(0.1, 1e4),
        st.floats(0, 1),
        st.floats(0, 2),
        st.sampled_from((1.0, 0.25, 10.0)),
    ),
    min_size=1,
    max_size=12,
)


def queued(found: list[tuple[int, FrameTime, float]], factor: float = 1.0) -> list[QueuedStep]:
    return [
        step(
            number,
            tasks,
            FrameTime(time.mid_s * factor, time.low_s * factor, time.high_s * factor, time.spread, 1, "", time.doubt),
            frames_per_task=frames,
        )
        for number, (tasks, time, frames) in enumerate(found)
    ]


@given(steps, st.integers(1, 50))
def test_intervals_are_ordered_and_nothing_ends_before_now(
    found: list[tuple[int, FrameTime, float]], slots: int
) -> None:
    told = forecast(queued(found), {"home": SlotGroup(slots)}, 1e6)

    assert len(told) == len(found)
    for each in told.values():
        assert 1e6 <= each.low_s <= each.finish_s <= each.high_s < math.inf


@given(steps, st.integers(1, 50))
def test_it_is_the_same_on_every_scale(found: list[tuple[int, FrameTime, float]], slots: int) -> None:
    group = {"home": SlotGroup(slots)}
    once, scaled = forecast(queued(found), group, 0.0), forecast(queued(found, 1024.0), group, 0.0)

    for job, told in once.items():
        for value, other in zip(told[:3], scaled[job][:3], strict=True):
            assert other == pytest.approx(1024.0 * value, rel=1e-6)


@given(steps, st.integers(1, 50), st.integers(1, 400))
def test_more_work_never_ends_sooner(found: list[tuple[int, FrameTime, float]], slots: int, more: int) -> None:
    group = {"home": SlotGroup(slots)}
    tasks, time, frames = found[-1]
    grown = [*found[:-1], (tasks + more, time, frames)]
    last = len(found) - 1
    before, after = forecast(queued(found), group, 0.0)[last], forecast(queued(grown), group, 0.0)[last]

    # The resolution of times follows the typical task, which more work may change.
    assert after.finish_s >= before.finish_s * (1 - TOLERANCE)


@given(steps, st.integers(1, 50))
def test_it_is_deterministic(found: list[tuple[int, FrameTime, float]], slots: int) -> None:
    group = {"home": SlotGroup(slots)}

    assert forecast(queued(found), group, 5.0) == forecast(queued(found), group, 5.0)


def list_schedule(found: list[tuple[int, FrameTime, float]], slots: int) -> list[float]:
    """The oracle: every task by itself onto the slot that is free first."""
    free, ends = [0.0] * slots, []
    for tasks, time, frames in found:
        latest = 0.0
        for _ in range(tasks):
            end = heapq.heappop(free) + time.mean_s * frames
            heapq.heappush(free, end)
            latest = max(latest, end)
        ends.append(latest)
    return ends


@given(steps, st.integers(1, 50))
def test_it_agrees_with_list_scheduling_task_by_task(found: list[tuple[int, FrameTime, float]], slots: int) -> None:
    sure = [(tasks, exactly(time.mid_s), frames) for tasks, time, frames in found]
    told = forecast(queued(sure), {"home": SlotGroup(slots)}, 0.0)
    longest = max(time.mean_s * frames for _tasks, time, frames in sure)

    for job, end in enumerate(list_schedule(sure, slots)):
        assert told[job].finish_s == pytest.approx(end, rel=0.06, abs=1.1 * longest)


def test_ten_thousand_steps_on_five_hundred_slots() -> None:
    rng = random.Random(1)
    queue = [step(number, rng.randint(1, 200), about(rng.lognormvariate(5, 1))) for number in range(10_000)]
    group = {"home": SlotGroup(500)}

    told = forecast(queue, group, 0.0)

    assert len(told) == 10_000
    assert all(0.0 < found.low_s <= found.finish_s <= found.high_s for found in told.values())
