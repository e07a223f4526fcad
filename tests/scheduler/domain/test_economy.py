"""Points: whatever happens in whatever order, no account goes below nothing and no point is lost or made."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from scheduler.domain.economy import (
    BALANCE_MAX,
    POINTS_QUANTUM,
    Booking,
    BookingKind,
    Prices,
    Purchase,
    Refusal,
    buy_boost,
    points_earned,
    points_left,
    put_in,
    refunds,
)

PRICES = Prices(earn_points_per_hour=2.0, boost_cost_points=3.0, boost_max=20.0)
USERS = ("anna", "ben")

amounts = st.one_of(st.floats(-1, 200), st.integers(0, 100).map(float), st.sampled_from([1e-7, 1e9, float("nan")]))


def test_earning_is_power_times_vcpu_hours_times_rate():
    assert points_earned(1.5, 4, 1800, PRICES) == pytest.approx(1.5 * 4 * 0.5 * 2.0)


@given(st.floats(allow_nan=True), st.floats(), st.floats())
def test_earning_is_never_negative_and_never_nonsense(rating, vcpus, seconds):
    earned = points_earned(rating, vcpus, seconds, PRICES)
    assert math.isfinite(earned)
    assert earned >= 0.0


def test_a_purchase_costs_what_it_says_and_has_a_cap():
    bought = buy_boost(100.0, 0.0, 30.0, PRICES)
    assert bought == Purchase(Booking(BookingKind.SPENT, -30.0, 70.0), 10.0)
    assert points_left(10.0, PRICES) == 30.0
    assert buy_boost(70.0, 10.0, 31.0, PRICES) is Refusal.OVER_CAP
    assert buy_boost(20.0, 0.0, 21.0, PRICES) is Refusal.TOO_FEW
    assert buy_boost(20.0, 0.0, 0.0, PRICES) is Refusal.NOT_POSITIVE


def test_an_account_has_room_for_so_much_and_no_more():
    assert put_in(BALANCE_MAX - 1, 10.0, BookingKind.GRANTED) == Booking(BookingKind.GRANTED, 1.0, BALANCE_MAX)


def test_refunds_give_back_what_is_still_out():
    assert refunds([("anna", -5.0), ("ben", -1.0), ("anna", -2.0), ("ben", 1.0)]) == {"anna": 7.0}


class Ledger(RuleBasedStateMachine):
    """Two users and a few jobs, with every booking that there is, in any order."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.balances = dict.fromkeys(USERS, 0.0)
        self.entries: list[tuple[str, Booking, int | None]] = []
        self.boosts: dict[int, float] = {}
        self.started: set[int] = set()

    def book(self, user: str, booking: Booking, job: int | None = None) -> None:
        self.balances[user] = booking.balance
        self.entries.append((user, booking, job))

    @rule(target=jobs)
    def a_job_is_submitted(self):
        number = len(self.boosts)
        self.boosts[number] = 0.0
        return number

    @rule(user=st.sampled_from(USERS), points=amounts, kind=st.sampled_from([BookingKind.EARNED, BookingKind.GRANTED]))
    def points_come_in(self, user, points, kind):
        self.book(user, put_in(self.balances[user], 0.0 if math.isnan(points) else points, kind))

    @rule(user=st.sampled_from(USERS), job=jobs, points=amounts)
    def points_are_spent(self, user, job, points):
        bought = buy_boost(self.balances[user], self.boosts[job], points, PRICES)
        if isinstance(bought, Purchase):
            self.book(user, bought.booking, job)
            self.boosts[job] = bought.boost

    @rule(job=jobs)
    def a_job_starts(self, job):
        self.started.add(job)

    @rule(target=jobs, job=consumes(jobs))
    def a_job_is_canceled(self, job):
        if job not in self.started:
            booked = [(user, booking.points) for user, booking, of in self.entries if of == job]
            for user, points in refunds(booked).items():
                self.book(user, put_in(self.balances[user], points, BookingKind.REFUNDED), job)
            self.boosts[job] = 0.0
        return multiple()

    @invariant()
    def nobody_has_less_than_nothing(self):
        assert all(balance >= 0.0 for balance in self.balances.values())
        assert all(booking.balance >= 0.0 for _user, booking, _job in self.entries)

    @invariant()
    def the_entries_add_up_to_the_balance(self):
        for user, balance in self.balances.items():
            moved = math.fsum(booking.points for of, booking, _job in self.entries if of == user)
            assert moved == pytest.approx(balance, rel=1e-12, abs=POINTS_QUANTUM)

    @invariant()
    def a_boost_is_what_was_paid_for_and_under_the_cap(self):
        for job, boost in self.boosts.items():
            paid = -math.fsum(booking.points for _user, booking, of in self.entries if of == job)
            assert boost <= PRICES.boost_max
            if max(self.balances.values()) < BALANCE_MAX / 2:  # a full account takes no refund
                assert boost == pytest.approx(paid / PRICES.boost_cost_points, abs=1e-5)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
