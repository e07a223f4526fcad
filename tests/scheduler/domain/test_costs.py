"""Core-hours and money add up, and periods begin when they should."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.costs import HOUR_S, Period, Usage, account, period_end_s, period_start_s

usages = st.builds(
    Usage,
    pool=st.sampled_from(["onprem", "aws", "gce"]),
    project=st.sampled_from(["Alpha", "Beta"]),
    seconds=st.floats(0, 1e6),
    attempts=st.integers(0, 100),
    useful=st.booleans(),
    vcpus=st.integers(1, 96).map(float),
    slots=st.integers(1, 8),
)
PRICES = {"aws": 0.14, "gce": 0.2}


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_an_hour_of_a_slot_is_its_share_of_the_worker() -> None:
    found = account([Usage("aws", "Alpha", 2 * HOUR_S, 3, useful=True, vcpus=8.0, slots=4)], {"aws": 0.4})

    assert (found.core_hours, found.usd) == (pytest.approx(4.0), pytest.approx(0.2))
    assert (found.retry_core_hours, found.retry_usd, found.attempts, found.retries) == (0.0, 0.0, 3, 0)


def test_work_without_a_result_is_paid_for_and_shown_apart() -> None:
    good = Usage("aws", "Alpha", HOUR_S, 1, useful=True, vcpus=2.0)
    lost = Usage("aws", "Alpha", HOUR_S / 2, 2, useful=False, vcpus=2.0)

    found = account([good, lost], {"aws": 1.0})

    assert (found.core_hours, found.usd) == (pytest.approx(3.0), pytest.approx(1.5))
    assert (found.retry_core_hours, found.retry_usd) == (pytest.approx(1.0), pytest.approx(0.5))
    assert (found.attempts, found.retries) == (3, 2)


def test_a_pool_without_a_price_is_free_and_its_hours_count() -> None:
    found = account([Usage("onprem", "", HOUR_S, 1, useful=True)], PRICES)

    assert (found.core_hours, found.usd) == (1.0, 0.0)


@given(st.lists(usages, max_size=12), st.lists(usages, max_size=12))
def test_accounts_of_parts_add_up_to_the_account_of_all(some: list[Usage], others: list[Usage]) -> None:
    one, two, both = account(some, PRICES), account(others, PRICES), account(some + others, PRICES)

    assert both.usd == pytest.approx(one.usd + two.usd)
    assert both.core_hours == pytest.approx(one.core_hours + two.core_hours)
    assert both.retries == one.retries + two.retries
    assert 0.0 <= both.retry_usd <= both.usd + 1e-9
    assert 0.0 <= both.retry_core_hours <= both.core_hours + 1e-9


@pytest.mark.parametrize(
    ("period", "starts", "ends"),
    [
        ("day", "2026-02-26T00:00", "2026-02-27T00:00"),
        ("week", "2026-02-23T00:00", "2026-03-02T00:00"),
        ("month", "2026-02-01T00:00", "2026-03-01T00:00"),
    ],
)
def test_periods_begin_in_utc(period: Period, starts: str, ends: str) -> None:
    now_s = at("2026-02-26T17:30")

    assert period_start_s(period, now_s) == at(starts)
    assert period_end_s(period, now_s) == at(ends)


def test_the_whole_time_has_no_end() -> None:
    assert (period_start_s("total", 1e9), period_end_s("total", 1e9)) == (0.0, None)


@given(st.floats(0, 4e9), st.sampled_from(["day", "week", "month"]))
def test_now_lies_in_its_period_and_the_next_one_begins_where_it_ends(now_s: float, period: Period) -> None:
    start, end = period_start_s(period, now_s), period_end_s(period, now_s)

    assert end is not None
    assert start <= now_s < end
    assert period_start_s(period, end) == end
