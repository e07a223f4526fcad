"""Who goes first. Steps are ranked, never tasks: a few thousand rows at most, whatever the size of the jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RankInput:
    """What ranking needs to know of a step. `submitted_s` is wall time in seconds since the epoch."""

    step: int
    job: int
    priority: int
    submitted_s: float
    level: int


@dataclass(frozen=True)
class Ranked:
    """A step with its score and the parts that make it up; the higher score goes first."""

    step: int
    job: int
    score: float
    parts: dict[str, float]


AGE_WEIGHT_PER_DAY = 0.001
"""Age only orders jobs of equal priority: it would take 1,000 days of waiting to gain one point."""

MERGE_BONUS = 0.0005
"""Reducers go before producers of the same job, so that finished frames appear while others still render."""


def rank(steps: Iterable[RankInput], now_s: float) -> list[Ranked]:
    """The steps in the order in which they should be leased: priority, then age; ties by job and step number."""
    return sorted((_score(step, now_s) for step in steps), key=lambda ranked: (-ranked.score, ranked.job, ranked.step))


def _score(step: RankInput, now_s: float) -> Ranked:
    age = max(0.0, now_s - step.submitted_s) / 86_400.0 * AGE_WEIGHT_PER_DAY
    bonus = step.level * MERGE_BONUS
    return Ranked(
        step.step, step.job, step.priority + age + bonus, {"priority": step.priority, "age": age, "merge": bonus}
    )
