"""Whose priority counts, and where the farm's order differs from production's wish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.wishes import Source, Standing, drifts, effective_deadline, effective_priority


@pytest.mark.parametrize(
    ("own", "tracked", "override", "expected"),
    [
        (50, None, None, (50, Source.JOB)),
        (50, 80, None, (80, Source.TRACKER)),
        (50, 0, None, (0, Source.TRACKER)),
        (50, 80, 10, (10, Source.OVERRIDE)),
        (50, None, 0, (0, Source.OVERRIDE)),
    ],
)
def test_an_override_counts_before_the_tracker_and_the_tracker_before_the_job(own, tracked, override, expected):
    assert effective_priority(own, tracked, override) == expected


def test_the_earlier_deadline_counts():
    assert effective_deadline(None, None) is None
    assert effective_deadline(5.0, None) == effective_deadline(None, 5.0) == effective_deadline(9.0, 5.0) == 5.0


def test_the_order_that_production_wants_is_no_drift():
    rows = [Standing(1, 90, 90, 1, 90.2), Standing(2, None, 95, 2, 90.1), Standing(3, 30, 30, 3, 30.0)]
    assert drifts(rows) == {}


def test_an_override_is_named_at_both_jobs():
    rows = [Standing(1, 30, 95, 1, 95.0), Standing(2, 90, 90, 2, 90.0)]
    found = drifts(rows)
    assert found[1] == "A person has set its priority to 95; production wants 30."
    assert found[2].startswith("It comes after job 00001, which production wants less (30 against 90)")
    assert "was given 95 by a person" in found[2]


def test_shares_and_boosts_are_named():
    shared = drifts([Standing(1, 50, 50, 1, 75.0), Standing(2, 60, 60, 2, 60.0)])
    assert "deadline, share and age count 25 points more" in shared[1]
    boosted = drifts([Standing(1, 50, 50, 1, 65.0, boost=15.0), Standing(2, 60, 60, 2, 60.0)])
    assert "15 points of priority were bought for it" in boosted[2]
    assert "deadline" not in boosted[2]


def test_holds_and_pauses_that_differ_are_drift():
    assert "a person lets it go on" in drifts([Standing(1, 50, 50, held="hld")])[1]
    assert drifts([Standing(1, 50, 50, paused=True, held="hld", held_by="tracking")]) == {}
    assert "A person has paused it" in drifts([Standing(1, 50, 50, paused=True)])[1]
    assert drifts([Standing(1, None, 50, paused=True)]) == {}


@given(st.lists(st.tuples(st.none() | st.integers(0, 5), st.booleans()), max_size=12))
def test_exactly_the_jobs_in_an_inversion_drift(queue):
    rows = [Standing(n, wanted, wanted or 0, n + 1 if placed else None) for n, (wanted, placed) in enumerate(queue)]
    placed = [row for row in rows if row.wanted is not None and row.place is not None]
    inverted = {
        row.job
        for n, first in enumerate(placed)
        for second in placed[n + 1 :]
        if first.wanted < second.wanted
        for row in (first, second)
    }
    assert set(drifts(rows)) == inverted
