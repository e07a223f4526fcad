"""What a job will cost: where the forecast lays its work, and the money that this is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.cost_forecasting import Share, foretell, machine_hours, merged, under_cap
from scheduler.domain.estimating import FrameTime
from scheduler.domain.forecasting import QueuedStep, forecast
from scheduler.domain.portions import Portion
from scheduler.domain.slots import SlotGroup

PRICES = {"cloud": 2.0}
TIME = FrameTime(mid_s=100.0, low_s=100.0, high_s=100.0, spread=0.0, count=9, basis="9 frames")


def portions_of(*steps: QueuedStep, **groups: SlotGroup) -> dict[int, list[Portion]]:
    found: dict[int, list[Portion]] = {}
    forecast(steps, groups, 0.0, found)
    return found


def test_the_forecast_says_which_slots_do_how_much() -> None:
    step = QueuedStep(1, 7, 0, 30, TIME, ("home", "cloud"))

    (home, cloud) = portions_of(step, home=SlotGroup(10), cloud=SlotGroup(20, 2.0))[7]

    assert home.tasks + cloud.tasks == pytest.approx(30)
    assert home.slot_s == pytest.approx(home.tasks * 100.0)
    assert cloud.slot_s == pytest.approx(cloud.tasks * 50.0)


def test_running_tasks_count_where_they_run_with_what_they_have_left() -> None:
    step = QueuedStep(1, 7, 0, 2, TIME, ("home",), running=(("cloud", 0.5), ("gone", 0.25)))

    found = portions_of(step, home=SlotGroup(1), cloud=SlotGroup(1, 2.0))[7]

    assert [(one.group, one.tasks, one.slot_s) for one in found] == [
        *(("home", 2, 200.0), ("cloud", 1.0, 25.0), ("gone", 1.0, 25.0))
    ]


def test_a_job_without_a_place_has_no_portions() -> None:
    assert portions_of(QueuedStep(1, 7, 0, 2, TIME, ()), home=SlotGroup(1)) == {}


@given(
    st.integers(1, 3000),
    st.lists(st.tuples(st.integers(1, 200), st.floats(0.2, 5.0)), min_size=1, max_size=4),
    st.floats(0.0, 1.0),
)
def test_every_task_is_laid_once(tasks: int, kinds: list[tuple[int, float]], spread: float) -> None:
    groups = {f"g{number}": SlotGroup(count, power) for number, (count, power) in enumerate(kinds)}
    time = FrameTime(mid_s=60.0, low_s=60.0, high_s=60.0, spread=spread)

    found = portions_of(QueuedStep(1, 7, 0, tasks, time, tuple(groups)), **groups)[7]

    assert sum(one.tasks for one in found) == pytest.approx(tasks)


def test_shares_are_added_up_by_pool_and_what_is_not_known_is_common_to_them() -> None:
    (cloud, home) = merged([("home", 4, 1.0, 0.5, 0.0), ("cloud", 9, 3.0, 0.0, 0.9), ("home", 4, 1.0, 0.5, 0.0)])

    assert (cloud.pool, cloud.tasks, cloud.machine_hours) == ("cloud", 9, 3.0)
    assert cloud.sd == pytest.approx(0.3)
    assert (home.tasks, home.machine_hours, home.sd) == (8, 2.0, 0.5)


def test_what_is_free_costs_nothing_and_what_has_a_price_its_hours() -> None:
    free = foretell([Share("onprem", 10, 4.0, 1.0)], PRICES)
    mixed = foretell([Share("onprem", 10, 4.0), Share("cloud", 5, 1.5, 0.5)], PRICES, spent_usd=1.0)

    assert free.usd is not None and (free.usd.low, free.usd.likely, free.usd.high) == (0.0, 0.0, 0.0)
    assert mixed.usd is not None and mixed.usd.likely == 4.0
    assert mixed.usd.low == pytest.approx(1.0 + 3.0 / 1.898, rel=1e-3)
    assert mixed.usd.high == pytest.approx(1.0 + 3.0 * 1.898, rel=1e-3)


def test_where_a_price_or_the_frame_times_are_unknown_there_is_no_number() -> None:
    shares = [Share("onprem", 10, 4.0), Share("cloud", 5, 1.5)]

    unpriced = foretell(shares, {}, ["cloud"])
    guessed = foretell(shares, PRICES, unknown="a guess: nothing has been rendered with blender yet")
    free = foretell(shares[:1], PRICES, unknown="a guess")

    assert unpriced.usd is None and unpriced.note == "the price of pool cloud is not known yet"
    assert (
        guessed.usd is None
        and not guessed.timed
        and guessed.note.endswith("not known: nothing has been rendered with blender yet")
    )
    assert free.usd is not None and free.usd.high == 0.0 and not free.timed


def test_a_job_with_a_cap_is_told_no_more_than_that_and_what_follows() -> None:
    found = foretell([Share("cloud", 5, 2.0, 0.5)], PRICES)

    capped, roomy = under_cap(found, 3.0), under_cap(found, 5.0)

    assert capped.usd is not None and (capped.usd.likely, capped.usd.high) == (3.0, 3.0)
    assert capped.note.startswith("without its cost cap of 3.00 USD it would cost about 4.00 USD")
    assert roomy.usd is not None and (roomy.usd.likely, roomy.usd.high, roomy.note) == (4.0, 5.0, "")
    assert under_cap(found, None) is found
    spent = under_cap(foretell([], PRICES, spent_usd=2.0), 1.0, 2.0)
    assert spent.usd is not None and spent.usd.likely == 2.0


def test_machine_hours_count_a_slot_as_its_part_of_the_machine() -> None:
    assert machine_hours(7200.0, 4.0) == 0.5
