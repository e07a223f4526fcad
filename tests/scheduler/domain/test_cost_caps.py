"""Cost caps: what is set aside, what is stopped, and that a job never costs more, however wrong the estimates are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.domain.cost_caps import (
    FREE_ONLY,
    Bill,
    OpenAttempt,
    Standing,
    TaskLength,
    allow,
    judge,
    to_stop,
)
from scheduler.domain.costs import in_usd

AHEAD_S = 10.0
CENT_A_SECOND = 0.01


def attempt(task: int, ran_s: float, longest_s: float = 0.0, *, lost: bool = False) -> OpenAttempt:
    return OpenAttempt(task, 1, CENT_A_SECOND, ran_s, longest_s, lost)


def test_what_runs_is_set_aside_what_it_was_thought_to_take_and_more_when_it_takes_longer() -> None:
    assert attempt(1, 30.0, 90.0).reserved_usd(AHEAD_S) == 1.0
    assert attempt(1, 120.0, 90.0).reserved_usd(AHEAD_S) == 1.3
    assert Bill(5.0, 1.0, (attempt(1, 30.0, 90.0),)).left_usd(AHEAD_S) == 3.0


def test_as_many_tasks_start_as_what_is_left_pays_for_at_their_longest() -> None:
    assert allow(3.5, CENT_A_SECOND, TaskLength(90.0), idle=False, ahead_s=AHEAD_S).count == 3
    assert allow(0.9, CENT_A_SECOND, TaskLength(90.0), idle=True, ahead_s=AHEAD_S).count == 0
    assert allow(-1.0, CENT_A_SECOND, TaskLength(1.0), idle=True, ahead_s=AHEAD_S).count == 0


def test_a_task_is_set_aside_no_less_than_it_may_cost_until_somebody_looks() -> None:
    assert allow(0.25, CENT_A_SECOND, TaskLength(0.001), idle=False, ahead_s=AHEAD_S).count == 2


def test_a_task_of_which_nothing_is_known_may_try_alone_with_all_that_is_left() -> None:
    unknown = TaskLength(3600.0, known=False)

    found = allow(5.0, CENT_A_SECOND, unknown, idle=True, ahead_s=AHEAD_S)
    assert (found.count, found.unit_usd) == (1, 5.0)
    assert allow(5.0, CENT_A_SECOND, unknown, idle=False, ahead_s=AHEAD_S).count == 0
    assert allow(0.19, CENT_A_SECOND, unknown, idle=True, ahead_s=AHEAD_S).count == 0
    assert allow(80.0, CENT_A_SECOND, unknown, idle=True, ahead_s=AHEAD_S).count == 2


def test_the_newest_attempts_stop_first_and_no_more_than_must() -> None:
    bill = Bill(10.0, 5.0, tuple(attempt(task, ran_s=task * 50.0) for task in range(1, 5)))

    assert bill.spent_usd == 10.0
    assert to_stop(Bill(10.0, 4.79, bill.open), AHEAD_S) == [bill.open[0], bill.open[1]]
    assert to_stop(Bill(10.0, 4.0, bill.open), AHEAD_S) == []
    assert len(to_stop(bill, AHEAD_S)) == 4


def test_lost_attempts_are_given_up_before_any_that_runs() -> None:
    bill = Bill(1.0, 0.3, (attempt(1, 5.0), attempt(2, 60.0, lost=True)))

    assert [one.task for one in to_stop(bill, AHEAD_S)] == [2]
    assert bill.without(to_stop(bill, AHEAD_S)).spent_usd == 0.35


def test_a_pool_stands_open_is_full_or_is_paid_out() -> None:
    minute = [TaskLength(60.0)]

    assert judge(Bill(1.0), CENT_A_SECOND, minute, AHEAD_S).standing is Standing.OPEN
    full = judge(Bill(1.0, 0.0, (attempt(1, 1.0, 60.0),)), CENT_A_SECOND, minute, AHEAD_S)
    assert full.standing is Standing.FULL and "0.30 USD left beside" in full.words
    spent = judge(Bill(1.0, 0.5), CENT_A_SECOND, minute, AHEAD_S)
    assert spent.standing is Standing.SPENT
    assert spent.words == "its cost cap of 1.00 USD has 0.50 USD left, and one more task here may cost 0.70 USD"
    assert judge(Bill(0.0), CENT_A_SECOND, minute, AHEAD_S).words == FREE_ONLY
    assert judge(Bill(0.0), 0.0, minute, AHEAD_S).standing is Standing.OPEN


def test_little_money_is_told_with_two_digits_that_count() -> None:
    assert [in_usd(usd) for usd in (12.3, 0.1, 0.0123, 0.00001, 0.0)] == [
        *("12.30", "0.10", "0.012", "less than 0.0001", "0.00")
    ]


# ---- Never over the cap ----------------------------------------------------------------------------------------------


@dataclass
class _Attempt:
    number: int
    usd_per_s: float
    thought_s: float
    takes_s: float
    began_s: float


class _Farm:
    """A job with a cap on a farm that is wrong about everything: tasks take as long as they like."""

    def __init__(self, cap_usd: float) -> None:
        self.cap_usd, self.now_s, self.settled_usd, self.left_usd = cap_usd, 0.0, 0.0, 0.0
        self.open: list[_Attempt] = []
        self.started = 0
        self.look()

    @property
    def spent_usd(self) -> float:
        return self.settled_usd + sum((self.now_s - one.began_s) * one.usd_per_s for one in self.open)

    def bill(self) -> Bill:
        return Bill(self.cap_usd, self.settled_usd, tuple(
            OpenAttempt(one.number, 1, one.usd_per_s, self.now_s - one.began_s, one.thought_s) for one in self.open
        ))  # fmt: skip

    def look(self) -> None:
        stopped = {one.task for one in to_stop(self.bill(), AHEAD_S)}
        for one in [one for one in self.open if one.number in stopped]:
            self.end(one)
        self.left_usd = self.bill().left_usd(AHEAD_S)
        self.idle = not self.open

    def start(self, usd_per_s: float, thought_s: float, takes_s: float, *, known: bool) -> None:
        length = TaskLength(thought_s, known)
        found = allow(self.left_usd, usd_per_s, length, idle=self.idle, ahead_s=AHEAD_S)
        if found.count <= 0:
            return
        self.started += 1
        self.left_usd -= found.unit_usd
        self.idle = False
        self.open.append(_Attempt(self.started, usd_per_s, thought_s, takes_s, self.now_s))

    def end(self, one: _Attempt) -> None:
        self.open.remove(one)
        self.settled_usd += (self.now_s - one.began_s) * one.usd_per_s

    def advance(self, seconds: float) -> None:
        """Time passes; what is done ends on the way."""
        until_s = self.now_s + seconds
        for one in sorted(self.open, key=lambda one: one.began_s + one.takes_s):
            if one.began_s + one.takes_s <= until_s:
                self.now_s = max(self.now_s, one.began_s + one.takes_s)
                self.end(one)
        self.now_s = until_s


rates = st.floats(1e-5, 0.1)
lengths = st.floats(0.0, 500.0)
starts = st.tuples(rates, lengths, lengths, st.booleans())
rounds = st.tuples(st.floats(0.0, AHEAD_S), st.lists(st.tuples(st.floats(0.0, 1.0), starts), max_size=6))


@settings(max_examples=400)
@given(st.floats(0.0, 20.0), st.lists(rounds, min_size=1, max_size=40))
def test_a_job_never_costs_more_than_its_cap_however_wrong_the_estimates_are(cap_usd, story) -> None:
    farm = _Farm(cap_usd)
    for pause_s, begun in story:
        passed = 0.0
        for part, (usd_per_s, thought_s, takes_s, known) in sorted(begun, key=lambda start: start[0]):
            farm.advance((part - passed) * pause_s)
            passed = part
            farm.start(usd_per_s, thought_s, takes_s, known=known)
            assert farm.spent_usd <= cap_usd + 1e-9
        farm.advance((1.0 - passed) * pause_s)
        assert farm.spent_usd <= cap_usd + 1e-9
        farm.look()
    assert cap_usd > 0 or farm.started == 0


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0), st.lists(st.tuples(rates, lengths, lengths, st.booleans())))
def test_what_goes_on_after_a_look_stays_under_the_cap_until_the_next(cap_usd, settled_usd, runs) -> None:
    running = tuple(
        OpenAttempt(number, 1, usd_per_s, ran_s, longest_s, lost)
        for number, (usd_per_s, ran_s, longest_s, lost) in enumerate(runs)
    )
    bill = Bill(cap_usd, settled_usd, running)

    kept = bill.without(to_stop(bill, AHEAD_S))

    then_usd = kept.spent_usd + AHEAD_S * sum(one.usd_per_s for one in kept.open)
    assert not kept.open or then_usd <= cap_usd + 1e-9
    assert math.isclose(kept.left_usd(AHEAD_S), cap_usd - kept.settled_usd - sum(
        one.reserved_usd(AHEAD_S) for one in kept.open
    ), abs_tol=1e-9)  # fmt: skip
