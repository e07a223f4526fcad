"""When each job of a replay will finish, as ranking and rules are told: the farm's own forecast over the virtual queue.

The farm learns frame times; a replay knows them, and takes the true mean and spread of each step, or what an estimator
says. A forecast is made anew at intervals, as on the farm; a job that came since is taken as if it were alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from scheduler.domain.estimating import FrameTime
from scheduler.domain.forecasting import Forecast, QueuedStep, forecast
from scheduler.domain.slots import SlotGroup
from scheduler.simulation.fleet import Fleet
from scheduler.simulation.queueing import JobRun, StepRun

RUNNING_LEFT = 0.5
"""Part that a running task is taken to have left."""


class Estimator(Protocol):
    """Where the frame times of a replay's forecasts come from."""

    def time_of(self, step: StepRun) -> FrameTime:
        """What one task of this step takes, on the reference machine."""
        ...


class TrueTimes:
    """The times that the step's tasks will really take: an estimator that has learned everything."""

    def __init__(self) -> None:
        self._known: dict[int, FrameTime] = {}

    def time_of(self, step: StepRun) -> FrameTime:
        """The true mean and spread."""
        found = self._known.get(step.number)
        if found is None:
            found = self._known[step.number] = _time_of(step.work.seconds)
        return found


class Foresight:
    """Keeps every job's expected finish and slack up to date."""

    def __init__(self, interval_s: float, estimator: Estimator | None = None, *, at_home: bool = False) -> None:
        self._interval_s, self.estimator, self.at_home = interval_s, estimator or TrueTimes(), at_home
        self._made_s = -math.inf

    def look(self, planned: Iterable[StepRun], steps: Sequence[StepRun], fleet: Fleet, now_s: float) -> None:
        """Set the finish and the slack of the jobs of these steps. `planned` are the steps of the last plan, in order.

        The order of the last plan is what the farm forecasts over, too: the next one is made with the result.
        """
        if now_s - self._made_s >= self._interval_s:
            self._made_s = now_s
            known = [step for step in planned if step.left and step.job.leasable]
            self._forecast(known, steps, fleet, now_s)
        slots = max(1.0, max(fleet.slots().values(), default=1.0))
        for job in dict.fromkeys(step.job for step in steps):
            if job.finish_s is None:
                job.finish_s = now_s + self._alone_s(job, slots)
            job.slack_s = None if job.deadline_s is None else job.deadline_s - max(now_s, job.finish_s)

    def _forecast(self, known: list[StepRun], steps: Sequence[StepRun], fleet: Fleet, now_s: float) -> None:
        seen = set(known)
        queue = [self._queued(step, fleet) for step in (*known, *(step for step in steps if step not in seen))]
        told = forecast(queue, groups_of(fleet), now_s)
        home = _staying(queue, fleet, told, now_s) if self.at_home else {}
        for job in dict.fromkeys(step.job for step in steps):
            found: Forecast | None = told.get(job.index)
            job.finish_s = None if found is None else found.finish_s
            if self.at_home:
                stays = home.get(job.index)
                job.home_unknown = False
                job.home_finish_s = None if stays is None else stays.finish_s
                job.home_high_s = None if stays is None else stays.high_s

    def _queued(self, step: StepRun, fleet: Fleet) -> QueuedStep:
        job = step.job
        groups = tuple(
            group_name(name, number)
            for name, pool in fleet.pools.items()
            for number, kind in enumerate(pool.kinds)
            if kind.workers and kind.can_take(job.work.needs)
        )
        running = ((groups[0], RUNNING_LEFT),) * step.leased if groups else ()
        return QueuedStep(
            step.number,
            job.index,
            step.work.level,
            step.left - step.leased,
            self.estimator.time_of(step),
            groups,
            running,
        )

    def _alone_s(self, job: JobRun, slots: float) -> float:
        return sum(self.estimator.time_of(step).mean_s * max(1.0, step.left / slots) for step in job.steps if step.left)


def group_name(pool: str, number: int) -> str:
    """The name of the slots of one kind of machine."""
    return f"{pool}/{number}"


def groups_of(fleet: Fleet) -> dict[str, SlotGroup]:
    """The slots that there are, by kind."""
    return {
        group_name(name, number): SlotGroup(kind.workers * kind.slots, kind.rating)
        for name, pool in fleet.pools.items()
        for number, kind in enumerate(pool.kinds)
    }


def _staying(
    queue: Sequence[QueuedStep], fleet: Fleet, told: Mapping[int, Forecast], now_s: float
) -> Mapping[int, Forecast]:
    """The forecast if every job stayed at home, as the farm makes it; the same one where nobody works elsewhere."""
    rented = {
        group_name(name, number)
        for name, pool in fleet.pools.items()
        for number, kind in enumerate(pool.kinds)
        if pool.rented and kind.workers
    }
    if not rented:
        return told
    staying = [
        replace(step, slots=tuple(name for name in step.slots if name not in rented))
        if rented & set(step.slots)
        else step
        for step in queue
    ]
    return forecast(staying, groups_of(fleet), now_s)


def _time_of(seconds: Sequence[float]) -> FrameTime:
    mean_s = max(1e-3, statistics.fmean(seconds))
    logs = [math.log(max(1e-3, each_s)) for each_s in seconds]
    spread = statistics.pstdev(logs) if len(logs) > 1 else 0.0
    return frame_time(mean_s, spread, len(seconds), "the true times of the trace")


def frame_time(mean_s: float, spread: float, count: int, basis: str) -> FrameTime:
    """A frame time of which the mean is known."""
    mid_s = mean_s * math.exp(-spread * spread / 2)
    return FrameTime(mid_s=mid_s, low_s=mid_s, high_s=mid_s, spread=spread, count=count, basis=basis)
