"""The measure of forecasts, and intervals that learn from their misses."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.accuracy import Accuracy, Judged, by_renderer, by_share, judge
from scheduler.domain.calibrating import FACTOR_MAX, Calibration, Sides, calibrate
from scheduler.domain.forecasting import Forecast


def judged(finish: float, actual: float, *, share: float = 0.0, renderer: str = "null") -> Judged:
    return Judged(renderer, share, 0.0, finish, finish / 2, finish * 2, actual)


def test_the_error_is_relative_to_what_remained() -> None:
    assert judged(120, 100).error == pytest.approx(0.2)
    assert judge([judged(120, 100), judged(300, 100), judged(100, 100)]) == Accuracy(3, pytest.approx(0.2), 2 / 3)
    assert judge([]) == Accuracy(0, None, None)


def test_groups() -> None:
    forecasts = [judged(1, 1, share=0.0, renderer="b"), judged(1, 9, share=0.6, renderer="a"), judged(1, 1, share=1.0)]

    assert list(by_renderer(forecasts)) == ["a", "b", "null"]
    assert {bounds: found.count for bounds, found in by_share(forecasts).items()} == {
        (0.0, 0.1): 1,
        (0.5, 0.75): 1,
        (0.75, 1.0): 1,
    }


def test_misses_widen_their_own_side() -> None:
    late, early = (Calibration().learn([judged(100, actual)] * 3) for actual in (1000, 1))
    start = Sides()

    assert late.waiting.late > start.late
    assert late.waiting.early <= start.early
    assert early.waiting.early > start.early
    assert late.begun == early.begun == start


@given(st.lists(st.floats(0.01, 100), max_size=60))
def test_intervals_stay_ordered_and_bounded(actuals: list[float]) -> None:
    calibration = calibrate([[judged(10, actual, share=0.5)] for actual in actuals])
    told = calibration.apply(Forecast(110, 105, 130, ""), 100, share=0.5)

    assert 100 < told.low_s <= told.finish_s == 110 <= told.high_s
    assert 1 <= calibration.begun.late <= FACTOR_MAX


def test_eight_of_ten_hold_after_a_while_though_the_forecast_is_far_too_sure() -> None:
    rng = random.Random(3)
    calibration, held = Calibration(), []
    for _ in range(600):
        told = calibration.apply(Forecast(100, 90, 111, ""), 0, share=0)
        actual = 100 * rng.lognormvariate(0, 0.35)
        result = Judged("null", 0, 0, told.finish_s, told.low_s, told.high_s, actual)
        held.append(result.held)
        calibration = calibration.learn([result])

    assert sum(held[200:]) / len(held[200:]) == pytest.approx(0.8, abs=0.05)


def test_a_job_that_ends_now_has_no_width() -> None:
    told = Forecast(100, 100, 100, "")

    assert Calibration().apply(told, 100, share=0) == told
