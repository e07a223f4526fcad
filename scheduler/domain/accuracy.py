"""How good forecasts were: the error of the remaining time, and how often the interval held.

Judged are forecasts whose job has succeeded since. Medians, not means: one job that was held up says little about the
others. Owns the measure, not the records (`service.judging`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TypeVar

Key = TypeVar("Key")

REMAINING_MIN_S = 1.0
"""Remaining times are taken to be at least this, so that the last moment of a job has a relative error."""

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Bounds of the classes by share of the job that was done."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A forecast and what became of it. All times on one clock, in seconds."""

    renderer: str
    share: float
    made_s: float
    finish_s: float
    low_s: float
    high_s: float
    actual_s: float

    @property
    def error(self) -> float:
        """The error of the remaining time, relative to what it really was."""
        return abs(self.finish_s - self.actual_s) / max(self.actual_s - self.made_s, REMAINING_MIN_S)

    @property
    def held(self) -> bool:
        """Whether the job finished inside the interval."""
        return self.low_s <= self.actual_s <= self.high_s


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of `count` forecasts: the median relative error of remaining times, and the share of intervals that held."""

    count: int
    median_error: float | None
    coverage: float | None


def judge(forecasts: Sequence[Judged]) -> Accuracy:
    """How good these were; of none, nothing is said."""
    if not forecasts:
        return Accuracy(0, None, None)
    errors = median(forecast.error for forecast in forecasts)
    held = sum(forecast.held for forecast in forecasts)
    return Accuracy(len(forecasts), errors, held / len(forecasts))


def by_renderer(forecasts: Iterable[Judged]) -> dict[str, Accuracy]:
    """The same, for each renderer by name."""
    return dict(sorted(_grouped(forecasts, lambda forecast: forecast.renderer).items()))


def by_share(forecasts: Iterable[Judged]) -> dict[tuple[float, float], Accuracy]:
    """The same, by how much of the job was done when they were made."""
    return dict(sorted(_grouped(forecasts, lambda forecast: _class_of(forecast.share)).items()))


def _class_of(share: float) -> tuple[float, float]:
    classes = list(pairwise(SHARES))
    return next((bounds for bounds in classes if share < bounds[1]), classes[-1])


def _grouped(forecasts: Iterable[Judged], key: Callable[[Judged], Key]) -> dict[Key, Accuracy]:
    groups: dict[Key, list[Judged]] = {}
    for forecast in forecasts:
        groups.setdefault(key(forecast), []).append(forecast)
    return {name: judge(found) for name, found in groups.items()}
