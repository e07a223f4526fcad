"""Money for instances: what one costs, what is reserved, what a budget lets be launched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.budgeting import (
    EVERYBODY,
    LATE_S,
    Paid,
    Pledge,
    Rent,
    Rented,
    Rents,
    committed,
    forecast_usd,
    grant,
    reached,
    runs_out_at_s,
)

HOUR_S = 3600.0
BY_SECOND = Rent(3.6, 1.0, HOUR_S - LATE_S)
"""A tenth of a cent for each second, 3.60 USD for the longest life."""


def test_an_instance_costs_whole_units_from_its_launch() -> None:
    by_hour = Rent(2.0, HOUR_S, 3 * HOUR_S)

    assert BY_SECOND.usd(0.0) == BY_SECOND.usd(-5.0) == 0.0
    assert BY_SECOND.usd(10.0) == pytest.approx(0.01)
    assert BY_SECOND.usd(10.2) == pytest.approx(0.011)
    assert by_hour.usd(1.0) == by_hour.usd(HOUR_S) == 2.0
    assert by_hour.usd(HOUR_S + 1.0) == 4.0


def test_what_is_reserved_covers_the_longest_life_and_how_late_it_may_end() -> None:
    assert BY_SECOND.full_usd == pytest.approx(3.6)
    assert BY_SECOND.usd(10 * HOUR_S) == pytest.approx(3.6)
    assert Rent(2.0, HOUR_S, HOUR_S).full_usd == 4.0  # a minute late begins another hour


def test_reservation_turns_into_spending_and_the_sum_stays() -> None:
    pledges = [Pledge(BY_SECOND, 2)]
    one = Rented(BY_SECOND, launched_at_s=0.0)

    for now_s in (0.0, 10.0, 1000.0, 5 * HOUR_S):
        found = committed(EVERYBODY, Rents(0.0, [one], pledges), now_s)
        assert found.usd == pytest.approx(7.2)
        assert found.spent_usd == pytest.approx(BY_SECOND.usd(now_s))


def test_what_is_gone_has_cost_what_it_lived_and_holds_nothing() -> None:
    gone = Rented(BY_SECOND, launched_at_s=0.0, ended_at_s=100.0)
    found = committed(EVERYBODY, Rents(0.0, [gone], [Pledge(BY_SECOND, 0)]), HOUR_S)

    assert (found.spent_usd, found.reserved_usd, found.usd_per_hour) == (pytest.approx(0.1), 0.0, 0.0)


def test_a_period_counts_only_what_was_spent_in_it() -> None:
    one = Rented(BY_SECOND, launched_at_s=-1000.0)
    found = committed(EVERYBODY, Rents(0.0, [one], [Pledge(BY_SECOND, 1)]), 500.0)

    assert found.spent_usd == pytest.approx(0.5)
    assert found.reserved_usd == pytest.approx(3.6 - 1.5)


def test_a_project_pays_its_share() -> None:
    shares = {"Alpha": 0.25, "Beta": 0.75}
    one = Rented(BY_SECOND, 0.0, shares=shares)
    pledges = [Pledge(BY_SECOND, 1, shares)]
    alpha, gamma = (committed(name, Rents(0.0, [one], pledges), 400.0) for name in ("Alpha", "Gamma"))

    assert (alpha.spent_usd, alpha.reserved_usd, alpha.usd_per_hour) == (
        pytest.approx(0.1),
        pytest.approx(0.8),
        pytest.approx(0.9),
    )
    assert gamma.usd == 0.0


def test_what_was_paid_and_is_gone_counts_by_its_shares_and_pool() -> None:
    rents = Rents(0.0, paid=[Paid(4.0, {"Alpha": 0.5}, "aws"), Paid(1.0, {}, "gce")])

    assert committed(EVERYBODY, rents, 100.0).spent_usd == pytest.approx(5.0)
    assert committed("Alpha", rents, 100.0).spent_usd == pytest.approx(2.0)
    assert committed(EVERYBODY, rents.of("gce"), 100.0).spent_usd == pytest.approx(1.0)
    assert rents.pools == {"aws", "gce"}


def test_an_instance_that_nobody_ordered_is_spent_on_and_reserved_for_by_nobody() -> None:
    stranger = Rented(BY_SECOND, 0.0, pledged=False)
    found = committed(EVERYBODY, Rents(0.0, [stranger], [Pledge(BY_SECOND, 1)]), 100.0)

    assert (found.spent_usd, found.reserved_usd) == (pytest.approx(0.1), pytest.approx(3.6))


# ---- What may be launched -----------------------------------------------------------------------------------------


def test_as_many_as_the_farms_budget_has_room_for() -> None:
    granted = grant(5, 3.0, {}, {EVERYBODY: 10.0})

    assert granted.count == 3
    assert granted.reasons == ("budget 'farm' has 10.00 USD left that nothing is reserved for",)


def test_without_budgets_or_price_there_is_no_bound() -> None:
    assert grant(5, 3.0, {"Alpha": 1.0}, {}) == grant(5, 3.0, {"Alpha": 2.0}, {"Beta": 0.0})
    assert grant(5, 0.0, {}, {EVERYBODY: 0.0}).count == 5
    assert grant(-1, 3.0, {}, {}).count == 0


def test_a_project_without_money_drops_out_with_what_was_wanted_for_it() -> None:
    granted = grant(10, 3.0, {"Alpha": 80.0, "Beta": 20.0}, {"Alpha": 1.0})

    assert (granted.count, granted.shares) == (2, {"Beta": 1.0})
    assert "'Alpha'" in granted.reasons[0]


def test_when_no_project_can_pay_nothing_is_launched() -> None:
    granted = grant(3, 3.0, {"Alpha": 1.0}, {"Alpha": 2.99, EVERYBODY: 100.0})

    assert (granted.count, granted.shares) == (0, {})
    assert granted.reasons


def test_a_projects_own_budget_bounds_the_count() -> None:
    granted = grant(9, 4.0, {"Alpha": 1.0, "Beta": 1.0}, {"Alpha": 9.0, EVERYBODY: 100.0})

    assert (granted.count, granted.shares) == (4, {"Alpha": 0.5, "Beta": 0.5})


@given(
    wanted=st.integers(0, 50),
    unit_usd=st.floats(0.001, 50),
    demand=st.dictionaries(st.sampled_from("ABCD"), st.floats(0.01, 1000), max_size=4),
    rooms=st.dictionaries(st.sampled_from([EVERYBODY, *"ABCD"]), st.floats(-5, 500), max_size=5),
)
def test_no_budget_is_ever_promised_more_than_it_has(wanted, unit_usd, demand, rooms) -> None:
    granted = grant(wanted, unit_usd, demand, rooms)

    assert 0 <= granted.count <= wanted
    assert sum(granted.shares.values()) == pytest.approx(1.0 if granted.shares else 0.0)
    for budget, room in rooms.items():
        part = 1.0 if budget == EVERYBODY else granted.shares.get(budget, 0.0)
        assert granted.count * part * unit_usd <= max(0.0, room) + 1e-6
    assert granted.count == wanted or granted.reasons


# ---- Alerts and forecasts -----------------------------------------------------------------------------------------


def test_thresholds_are_reached_in_order() -> None:
    assert reached(79.9, 100.0, (1.0, 0.8)) == []
    assert reached(80.0, 100.0, (1.0, 0.8)) == [0.8]
    assert reached(120.0, 100.0, (1.0, 0.8)) == [0.8, 1.0]
    assert reached(0.0, 0.0, (0.5,)) == [0.5]


def test_the_forecast_goes_on_as_it_was() -> None:
    assert forecast_usd(30.0, start_s=0.0, now_s=10.0, end_s=40.0) == pytest.approx(120.0)
    assert forecast_usd(30.0, start_s=0.0, now_s=10.0, end_s=None) is None
    assert forecast_usd(0.0, start_s=10.0, now_s=10.0, end_s=20.0) is None


def test_money_runs_out_at_the_present_pace() -> None:
    assert runs_out_at_s(7.2, 3.6, now_s=100.0) == 100.0 + 2 * HOUR_S
    assert runs_out_at_s(7.2, 0.0, now_s=100.0) is None
