"""The policy deadline: as few machines as late as will do for what cannot make its date at home."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rented import HOUR_S, NOW_S, asked, late, one, pool, waiting

from scheduler.domain.bursting import amount_in_words
from scheduler.domain.overflowing import overflows
from scheduler.domain.resizing import decide
from scheduler.domain.scaling import Ground, Policy, Stage


def test_what_is_in_time_at_home_rents_nothing():
    found = asked(pool(Policy.DEADLINE, margin_tasks=0), work=(late(late_h=-1, in_h=10), waiting(2, 500)))

    assert found.scalings[0].launch == 0
    assert found.covers == ()


def test_only_the_part_that_home_cannot_do_is_taken_over():
    # Half an hour late on ten slots: five hours of work.
    found = asked(pool(Policy.DEADLINE, margin_tasks=0, haste=0), work=(late(tasks=60, late_h=0.5, in_h=4),))

    (cover,) = found.covers
    assert cover.stage is Stage.BURSTING
    assert cover.work_s == pytest.approx(5 * HOUR_S)
    # 4 h less boot and a task: 3.8 h, for which 1.3 instances would just do; with four times as many, 6.
    assert found.scalings[0].launch == 6


def test_what_one_job_gives_away_helps_those_behind_it():
    first, second = late(1, 60, late_h=0.5, in_h=4), late(2, 60, late_h=0.6, in_h=4)
    view = pool(Policy.DEADLINE, margin_tasks=0)

    over = overflows(Ground(NOW_S, (view,), (first, second)), {"cloud": view})

    assert over[1].work_s == pytest.approx(5 * HOUR_S)
    assert over[2].work_s == pytest.approx(1 * HOUR_S)


def test_jobs_that_are_covered_anyhow_give_first():
    """Whose turn it is at home may change; nobody new is rented for then."""
    covered, other = late(1, 60, late_h=-2, in_h=4), late(2, 60, late_h=0.5, in_h=4)
    view = pool(Policy.DEADLINE, margin_tasks=0)

    over = overflows(Ground(NOW_S, (view,), (covered, other), covered={1: "cloud"}), {"cloud": view})

    assert {job: found.work_s for job, found in over.items()} == {1: pytest.approx(5 * HOUR_S)}


def test_launching_waits_until_the_latest_moment_with_something_in_hand():
    view = pool(Policy.DEADLINE, margin_tasks=0, haste=0.5)
    early = asked(view, work=(late(tasks=60, late_h=0.5, in_h=12),))

    (cover,) = early.covers
    assert early.scalings[0].launch == 0
    assert cover.stage is Stage.LATER
    assert "nothing is rented yet" in cover.reason
    assert cover.starts_s is not None

    def at(now_s: float) -> int:
        work = late(tasks=60, late_h=0.5, in_h=12)
        return decide(Ground(now_s, (view,), (work,))).scalings[0].launch

    assert at(cover.starts_s - 60) == 0
    assert at(cover.starts_s + 1) > 0


def test_a_job_that_began_goes_on_though_it_would_be_early_enough():
    view = pool(Policy.DEADLINE, margin_tasks=0, haste=0.5)
    work = late(tasks=60, late_h=0.5, in_h=12)

    assert asked(view, work=(work,), covered={1: "cloud"}).covers[0].stage is Stage.BURSTING


def test_boot_transfer_and_losses_make_it_begin_earlier():
    def starts_s(**more: Any) -> float:
        view = pool(Policy.DEADLINE, margin_tasks=0, **more)
        return asked(view, work=(late(tasks=60, late_h=0.5, in_h=24),)).covers[0].starts_s or 0.0

    assert starts_s(boot_s=1860.0) == pytest.approx(starts_s() - 1800)
    assert starts_s(transfer_s=1800.0) == pytest.approx(starts_s() - 1800)
    assert starts_s(loss_per_hour=0.5) < starts_s()


def test_a_job_is_covered_by_the_cheapest_pool_that_can_make_its_date():
    cheap = pool(Policy.DEADLINE, name="cheap", price_usd_per_hour=0.1, workers_max=1, margin_tasks=0)
    dear = pool(Policy.DEADLINE, name="dear", margin_tasks=0)
    small = late(1, 10, late_h=0.1, in_h=8, pools=("dear", "cheap"))
    large = late(2, 90, late_h=1.5, in_h=8, pools=("dear", "cheap"))

    found = {cover.job: cover.pool for cover in asked(cheap, dear, work=(small, large)).covers}

    assert found == {1: "cheap", 2: "dear"}


def test_no_money_for_what_no_pool_can_save():
    view = pool(Policy.DEADLINE, workers_max=1, margin_tasks=0, grace_s=HOUR_S)
    hopeless = late(1, 90, late_h=9, in_h=2)

    found = asked(view, work=(hopeless,))
    assert found.covers[0].stage is Stage.HOPELESS
    assert found.scalings[0].launch == 0
    assert asked(replace(view, grace_s=99 * HOUR_S), work=(hopeless,)).scalings[0].launch == 1


def test_the_work_of_the_hopeless_stays_at_home_and_makes_others_late():
    view = pool(Policy.DEADLINE, workers_max=2, margin_tasks=0, haste=0, grace_s=0.0)
    hopeless = late(1, 600, late_h=9, in_h=2)
    other = late(2, 12, late_h=0.1, in_h=12)

    found = {cover.job: cover for cover in asked(view, work=(hopeless, other)).covers}

    assert found[1].stage is Stage.HOPELESS
    assert found[2].stage is Stage.BURSTING
    assert found[2].work_s == pytest.approx(HOUR_S)


def test_where_not_all_can_be_in_time_the_largest_is_put_off_and_served_last():
    view = pool(Policy.DEADLINE, workers_max=2, margin_tasks=0, grace_s=99 * HOUR_S)
    jobs = (
        late(1, 60, late_h=3, in_h=4, home_power=9.0),
        late(2, 6, late_h=3, in_h=4, home_power=9.0),
        late(3, 12, late_h=9, in_h=5, home_power=9.0),
    )

    decision = asked(view, work=jobs)

    assert list(decision.covered) == [2, 3, 1]
    assert decision.reserved([view]) == {"cloud": {2: 0, 3: 1, 1: 2}}
    assert decision.scalings[0].launch == 2


def test_what_may_run_nowhere_else_is_done_without_a_date():
    found = asked(pool(Policy.DEADLINE), work=(waiting(tasks=5, home=False, home_power=0.0),))

    assert found.scalings[0].launch == 5
    assert found.covers[0].reason.startswith("it cannot be done at home")


def test_a_unit_that_is_paid_for_is_used():
    """Four hours of work in hours that are paid for as a whole: never more than four instances."""
    view = pool(Policy.DEADLINE, margin_tasks=0, billing_s=HOUR_S)

    assert one(view, late(tasks=200, late_h=0.4, in_h=1.3)).launch == 4


def test_the_margin_fades_as_the_date_comes_near():
    close = late(tasks=60, late_h=-0.5, in_h=10)

    assert (
        asked(pool(Policy.DEADLINE, margin_tasks=25), work=(close,)).covers[0].reason.startswith("it would end only 30")
    )
    assert asked(pool(Policy.DEADLINE, margin_tasks=25), work=(late(tasks=60, late_h=-0.5, in_h=0.9),)).covers == ()


def test_a_job_that_a_demand_pool_takes_needs_no_cover():
    hungry = pool(Policy.DEMAND, name="hungry", workers_max=100)
    work = late(tasks=40, late_h=1, in_h=4, pools=("hungry", "cloud"))

    found = asked(hungry, pool(Policy.DEADLINE), work=(work,))

    assert [scaling.launch for scaling in found.scalings] == [40, 0]
    assert found.covers == ()


@pytest.mark.parametrize(("work_s", "words"), [(45, "45 s"), (600, "10 min"), (3600, "1.0 h"), (360_000, "100.0 h")])
def test_an_amount_of_work_is_never_told_as_nothing(work_s: float, words: str):
    assert amount_in_words(work_s) == words


def test_what_a_cost_cap_does_not_pay_for_is_not_taken_over():
    ground = Ground(NOW_S, (pool(Policy.DEADLINE),), (late(late_h=2, in_h=3),))
    capped = replace(ground, work=(replace(late(late_h=2, in_h=3), rooms={"cloud": 0}),))

    assert overflows(ground, {"cloud": pool(Policy.DEADLINE)})
    assert not overflows(capped, {"cloud": pool(Policy.DEADLINE)})
    work = replace(waiting(), left=10, left_s=600.0, task_s=60.0, rooms={"cloud": 3})
    assert work.elsewhere_s(["cloud"]) == 180.0
