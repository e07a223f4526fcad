"""How a replay is run: its options, how often it plans and forecasts, and what it leaves to chance."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scheduler.simulation.foresight import Estimator
from scheduler.simulation.workload import Workload

PLAN_INTERVAL_MAX_S = 300.0
PLANS_AIMED_AT = 2000
"""A plan is made anew at the latest after a 2,000th of the trace's length, between one second and five minutes."""

FORECASTS_AIMED_AT = 400
"""Finish times are foretold anew after a 400th of the trace's length, and at most every fifteen seconds."""

FORECAST_INTERVAL_MIN_S = 15.0

BURST_FORECAST_S = 900.0
"""Where machines are rented by forecasts they are at most so old, however long the trace."""

BINS = 400
"""Points of each curve over the time in which jobs are submitted."""


class Recording(NamedTuple):
    """What a replay keeps beside its curves: every lease, and which pool did how much of each job."""

    leases: bool = False
    shares: bool = False


@dataclass(frozen=True)
class Options:
    """How a replay is run. `failure_rate` is the chance that an attempt fails, 0 to 1, decided by `seed`.

    `running` maps (job, step) to how many of its tasks run already at second 0. `estimator` says what frame times
    forecasts are made with; None: the true ones. Plans are made at least `plan_interval_s` apart if `sparing`, whatever
    has changed: for answers that must come quickly. `use_slot_s` is the recent use of the farm at second 0 by project.
    """

    seed: int = 0
    plan_interval_s: float | None = None
    failure_rate: float = 0.0
    record_leases: bool = False
    record_shares: bool = False
    bins: int = BINS
    running: Mapping[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    estimator: Estimator | None = None
    sparing: bool = False
    use_slot_s: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between plans, between forecasts, and of one point of the curves."""

    plan_s: float
    forecast_s: float
    bin_s: float


def pace_of(work: Workload, options: Options) -> Pace:
    """The pace that suits the length of the work: the time in which jobs come, and at least its longest task."""
    last_s = max((job.line.submitted_s for job in work.jobs), default=0.0)
    longest_s = max((max(step.seconds) for job in work.jobs for step in job.steps), default=1.0)
    span_s = max(last_s, longest_s, 1.0)
    plan_s = options.plan_interval_s or min(PLAN_INTERVAL_MAX_S, max(1.0, span_s / PLANS_AIMED_AT))
    forecast_s = max(FORECAST_INTERVAL_MIN_S, span_s / FORECASTS_AIMED_AT)
    return Pace(plan_s, forecast_s, max(1.0, span_s / options.bins))


def fails_after(options: Options, attempt: str) -> float | None:
    """After which part of its time, 0 to 1, an attempt of this name fails; None: it succeeds.

    The same attempt fares alike in every variant, so that variants differ by what they do and not by their luck.
    """
    if not options.failure_rate:
        return None
    luck = random.Random(f"{options.seed}:{attempt}")
    part = luck.random()
    return part if luck.random() < options.failure_rate else None
