"""Intervals that learn from their misses, so that four of five hold whatever kind of farm this is.

What the forecast cannot know (how often urgent jobs come, how machines fail) differs from studio to studio, but shows
in how often jobs end after their interval, or before it. After each job the two sides are widened or narrowed a
little: adaptive conformal inference (Gibbs & Candès, Adaptive Conformal Inference Under Distribution Shift, 2021), on
a logarithmic scale and for each side by itself. The finish time itself is left as it is: corrected in the same way it
follows the jobs that happened to end last, and on replayed traces its error doubled.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scheduler.domain.accuracy import Judged
from scheduler.domain.forecasting import Forecast

MISSES = 0.1
"""Part of the forecasts that may miss on each side of an interval that holds 80 %."""

RATE = 0.25
"""How quickly a side is widened by a miss: one that missed altogether by a quarter, on a logarithmic scale."""

FACTOR_MIN, FACTOR_MAX = 1.0, 6.0
"""Bounds of both factors: sides are never narrower than the forecast itself says."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Factors of the interval's width, as logarithms of time: towards earlier and towards later."""

    early: float = 1.0
    late: float = 2.0

    def learn(self, forecasts: Sequence[Judged]) -> Sides:
        """The sides after a job that was foretold this."""
        if not forecasts:
            return self
        count = len(forecasts)
        early = sum(told.actual_s < told.low_s for told in forecasts) / count
        late = sum(told.actual_s > told.high_s for told in forecasts) / count
        return Sides(_moved(self.early, early), _moved(self.late, late))

    def apply(self, told: Forecast, now_s: float) -> Forecast:
        """The forecast with the interval that experience asks for."""
        left, low, high = (moment - now_s for moment in told[:3])
        if low <= 0:
            return told
        return told._replace(
            low_s=min(told.finish_s, now_s + left * (low / left) ** self.early),
            high_s=max(told.finish_s, now_s + left * (high / left) ** self.late),
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """The sides for jobs of which nothing has ended yet, and for those that are under way."""

    waiting: Sides = Sides()
    begun: Sides = Sides()

    def learn(self, forecasts: Sequence[Judged]) -> Calibration:
        """The calibration after a job has ended; `forecasts` are all that it was foretold, as they were told."""
        waiting = [told for told in forecasts if told.share <= 0]
        begun = [told for told in forecasts if told.share > 0]
        return Calibration(self.waiting.learn(waiting), self.begun.learn(begun))

    def apply(self, told: Forecast, now_s: float, *, share: float) -> Forecast:
        """The forecast with the interval that experience asks for, of a job of which this share is done."""
        return (self.begun if share > 0 else self.waiting).apply(told, now_s)


def calibrate(jobs: Iterable[Sequence[Judged]]) -> Calibration:
    """What the record teaches: each job's forecasts, in the order in which the jobs ended."""
    calibration = Calibration()
    for forecasts in jobs:
        calibration = calibration.learn(forecasts)
    return calibration


def _moved(factor: float, missed: float) -> float:
    return min(max(factor * math.exp(RATE * (missed - MISSES)), FACTOR_MIN), FACTOR_MAX)
