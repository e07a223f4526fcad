"""Who goes first: one formula, as data in the settings, whose parts can be shown. Steps are ranked, never tasks: a few
thousand rows, whatever the size of the jobs. It owns neither the numbers that go in (production's wishes, estimates,
recent use) nor what is done with the order.

    score = priority + boost_weight · boost + deadline_points · urgency(slack) + share_points · (entitled − use)
          + age_points_per_day · days waiting + merge_points · level

Everything is in points of the priority's scale, 0 to 100. Without shares and boosts the terms after the priority stay
below one point together under the default policy, so that priority is law and the rest only orders equals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DAY_S = 86_400.0

AGE_DAYS_MAX = 90.0
"""Days of waiting that count; with the default policy age never gains more than 0.09 points."""

MERGE_LEVELS_MAX = 10
"""Levels of merging that count; with the default policy they never gain more than 0.005 points."""

URGENCY_STEEPNESS = 4.0
"""With 4, the urgency is a half at no slack, a tenth at a slack of the horizon, nine tenths at as much lateness."""

HORIZONS_MAX = 1e6
"""Slack beyond this many horizons, either way, makes no further difference."""


@dataclass(frozen=True, slots=True)
class RankInput:
    """What ranking needs to know of a step.

    `submitted_s` is wall time in seconds since the epoch; `priority` the effective one, 0 to 100; `level` 0 renders,
    higher levels merge; `slack_s` the time to spare until the deadline if the job goes on as foretold (negative: it
    will be late; None: no deadline); `boost` points that were bought.
    """

    step: int
    job: int
    priority: int
    submitted_s: float
    level: int
    project: str = ""
    slack_s: float | None = None
    boost: float = 0.0


@dataclass(frozen=True)
class Policy:
    """The weights of the formula; see the module's text. `shares` maps projects to weights; others have no share."""

    deadline_points: float = 0.9
    deadline_horizon_s: float = 21_600.0
    share_points: float = 100.0
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    age_points_per_day: float = 0.001
    boost_weight: float = 1.0
    merge_points: float = 0.0005
    """Reducers go before producers of the same job, so that finished frames appear while others still render."""


class Ranked(NamedTuple):
    """A step with its score; the higher score goes first. A tuple, because a tick makes thousands of them."""

    step: int
    job: int
    score: float


def rank(steps: Iterable[RankInput], policy: Policy, use: Mapping[str, float], now_s: float) -> list[Ranked]:
    """The steps in the order in which they should be leased, best first; ties by job and step number.

    Args:
        steps: every step that may be leased from.
        policy: the weights.
        use: project to its part of the farm's recent use, 0 to 1 (`domain.shares`); a project not in it has had none.
        now_s: wall time, seconds since the epoch.
    """
    rows = list(steps)
    return [Ranked(rows[place].step, rows[place].job, score) for place, score in order(rows, policy, use, now_s)]


def order(rows: Sequence[RankInput], policy: Policy, use: Mapping[str, float], now_s: float) -> list[tuple[int, float]]:
    """The same as places in `rows` with their scores, best first."""
    shared = _share_points(policy, use, {row.project for row in rows} if policy.shares else ())
    score = sum(_terms(rows, policy, shared, now_s), np.zeros(len(rows)))
    steps, jobs = np.array([row.step for row in rows]), np.array([row.job for row in rows])
    best_first = np.lexsort((steps, jobs, -score))
    return list(zip(best_first.tolist(), score[best_first].tolist(), strict=True))


def parts(
    step: RankInput, policy: Policy, use: Mapping[str, float], now_s: float, *, waiting: Iterable[str] = ()
) -> dict[str, float]:
    """What makes up the step's score: priority, deadline, share, boost, age and merge; they sum to it.

    `waiting` are the projects that have work in the queue beside the step's own, for the share depends on them.
    """
    shared = _share_points(policy, use, {step.project, *waiting})
    priority, boost, deadline, share, age, merge = (float(term[0]) for term in _terms([step], policy, shared, now_s))
    return {"priority": priority, "deadline": deadline, "share": share, "boost": boost, "age": age, "merge": merge}


def entitlements(policy: Policy, waiting: Iterable[str]) -> dict[str, float]:
    """The part of the farm, 0 to 1, that each project with waiting work has a right to; only listed projects have."""
    weights = {project: policy.shares[project] for project in set(waiting) if policy.shares.get(project, 0.0) > 0.0}
    total = sum(weights[project] for project in sorted(weights))
    return {project: weight / total for project, weight in weights.items()}


def urgency(slack_s: float | Floats, horizon_s: float) -> Floats:
    """How pressing deadlines are, above 0 and below 1: falls with the slack and never quite reaches either end."""
    steep = URGENCY_STEEPNESS * np.clip(np.asarray(slack_s, dtype=np.float64) / horizon_s, -HORIZONS_MAX, HORIZONS_MAX)
    return 0.5 - 0.5 * steep / (1.0 + np.abs(steep))


def _share_points(policy: Policy, use: Mapping[str, float], waiting: Iterable[str]) -> dict[str, float]:
    entitled = entitlements(policy, waiting)
    return {project: policy.share_points * (part - use.get(project, 0.0)) for project, part in entitled.items()}


def _terms(
    rows: Sequence[RankInput], policy: Policy, shared: Mapping[str, float], now_s: float
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """Priority, boost, deadline, share, age, merge: a column each, for a tick has ten thousand steps."""
    slack_s = np.array([row.slack_s for row in rows], dtype=np.float64)  # None becomes NaN
    deadline = policy.deadline_points * urgency(slack_s, policy.deadline_horizon_s)
    days = (now_s - np.array([row.submitted_s for row in rows], dtype=np.float64)) / DAY_S
    levels = np.minimum([row.level for row in rows], MERGE_LEVELS_MAX)
    return (
        np.array([row.priority for row in rows], dtype=np.float64),
        np.array([row.boost for row in rows], dtype=np.float64) * policy.boost_weight,
        np.where(np.isnan(slack_s), 0.0, deadline),
        np.array([shared.get(row.project, 0.0) for row in rows], dtype=np.float64) if shared else np.zeros(len(rows)),
        np.clip(days, 0.0, AGE_DAYS_MAX) * policy.age_points_per_day,
        levels * policy.merge_points,
    )
