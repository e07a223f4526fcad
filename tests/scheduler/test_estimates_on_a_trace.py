"""Estimates on a replayed trace: the estimator and the forecast see a studio's farm only as far as it has come."""

from __future__ import annotations

import pytest
from render_traces import make_jobs, replayed

from scheduler.domain.accuracy import Judged, judge

SEEDS = (0, 1, 2)
ERROR_MAX, COVERAGE_MIN = 0.20, 0.75
"""What is promised of finish times: half of them are this close, and intervals of 80 % hold at least this often."""


@pytest.fixture(scope="module")
def forecasts() -> list[Judged]:
    return [told for seed in SEEDS for told in replayed(seed)]


def test_half_of_the_finish_times_are_off_by_less_than_a_fifth(forecasts: list[Judged]) -> None:
    found = judge(forecasts)

    assert found.count > 1000
    assert found.median_error is not None
    assert found.median_error < ERROR_MAX


def test_the_interval_of_80_percent_holds(forecasts: list[Judged]) -> None:
    found = judge(forecasts)

    assert found.coverage is not None
    assert found.coverage >= COVERAGE_MIN


def test_intervals_are_not_bought_with_width(forecasts: list[Judged]) -> None:
    """An interval of everything would hold always: half of them stay within a third to three times of what remained."""
    ratios = sorted((told.high_s - told.made_s) / max(1.0, told.low_s - told.made_s) for told in forecasts)

    assert ratios[len(ratios) // 2] < 3.0


def test_a_trace_is_the_same_for_the_same_seed() -> None:
    assert make_jobs(1, days=1, jobs_per_day=5) == make_jobs(1, days=1, jobs_per_day=5)
    assert make_jobs(1, days=1, jobs_per_day=5) != make_jobs(2, days=1, jobs_per_day=5)
