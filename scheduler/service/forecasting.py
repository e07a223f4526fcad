"""Finish times of all jobs, foretold again and again: the running scheduler's side of `domain.forecasting`.

`run` is called at an interval: it takes a snapshot, reckons in a thread, and keeps the last forecasts in memory for
`why`, for the ranking (`slack_s`) and for the API. Now and then a running job's forecast is recorded, so that it can be
judged when the job has ended (`judging`).
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from scheduler.domain.accuracy import Judged
from scheduler.domain.calibrating import Calibration
from scheduler.domain.cost_forecasting import Share, machine_hours, merged
from scheduler.domain.estimating import FrameTime
from scheduler.domain.forecasting import Forecast, QueuedStep, forecast
from scheduler.domain.portions import Portion
from scheduler.domain.states import TERMINAL_JOBS, JobStatus, WorkerStatus
from scheduler.routing.reserving import Reserved
from scheduler.routing.route import HOME_POOL
from scheduler.service.farm import Farm, iso
from scheduler.service.fleet import Fleet, Host, muster
from scheduler.service.judging import Record, learned, open_jobs, record, settle
from scheduler.service.learning import Estimator
from scheduler.service.plan import PlannedStep
from scheduler.service.queueing import Counts, QueueBuilder, QueueReader, Running, StepCount, alone, ordered, requests
from scheduler.store.transaction import Transaction

NONE_ENDED = "no estimate: the job has ended"
NONE_PAUSED = "no estimate: the job is paused"
NONE_YET = "no estimate yet: finish times are foretold every {interval_s:g} s"
NONE_PLACE = "no estimate: no worker is here that could take it, or it waits for a job that does not run"

TAKING = (WorkerStatus.ACTIVE, WorkerStatus.PROBATION)
"""Workers in these states take work, unless they are draining."""

log = structlog.get_logger()


@dataclass(frozen=True)
class StepOutlook:
    """A step in a forecast: how many tasks it has left, and what a frame of it takes."""

    step: int
    kind: str
    waiting: int
    running: int
    frames_per_task: float
    time: FrameTime


@dataclass(frozen=True)
class Outlook:
    """All that was foretold at one moment. Times are UTC seconds since the epoch."""

    made_at: float = -math.inf
    jobs: Mapping[int, Forecast] = field(default_factory=dict)
    steps: Mapping[int, Sequence[StepOutlook]] = field(default_factory=dict)
    seen: frozenset[int] = frozenset()
    """The jobs that were in the queue."""
    home: Mapping[int, Forecast] = field(default_factory=dict)
    """The same if every job stayed at home: what rules ask that send work away when home cannot make the date."""
    shares: Mapping[int, Sequence[Share]] = field(default_factory=dict)
    """By job that was foretold: which pools do how much of what it has left."""


@dataclass(frozen=True)
class _Moment:
    """What memory knows of the farm at one moment."""

    now_s: float
    plan: Sequence[PlannedStep]
    running: Sequence[Running]
    hosts: Sequence[Host]
    reserved: Reserved
    homes: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """Pool and slots of every worker that runs something, by the group that it would be alone."""


class Forecaster:
    """Foretells when jobs finish, and remembers what it said."""

    def __init__(self, farm: Farm, estimator: Estimator) -> None:
        self._farm, self._estimator = farm, estimator
        self._reader = QueueReader()
        self._begun: dict[tuple[int, int], float] = {}  # running attempts, by when they were first seen
        self._recorded: dict[int, float] = {}
        self._unjudged: set[int] | None = None  # None: the record has not been read yet
        self._calibration = Calibration()
        self._lock = asyncio.Lock()
        self.last = Outlook()

    async def run(self) -> None:
        """Foretell once; called every `[estimates] interval_s`."""
        async with self._lock:
            moment = self._moment()
            counts = await asyncio.to_thread(self._read)
            self.last = await asyncio.to_thread(self._reckon, moment, counts)
            await self._keep(counts.steps)

    # ---- For others -----------------------------------------------------------------------------------------------

    def finish_s(self, job: int) -> float | None:
        """When the job will finish, UTC seconds since the epoch; None: nobody knows."""
        found = self.last.jobs.get(job)
        return found.finish_s if found else None

    def slack_s(self, job: int, deadline_s: float | None) -> float | None:
        """Seconds between the job's finish and its deadline, negative if it will be late; None without either."""
        found = self.last.jobs.get(job)
        return None if found is None or deadline_s is None else deadline_s - found.finish_s

    def told(self, job: int, status: str) -> dict[str, Any]:
        """The `estimate` of `GET /jobs/{id}/why`: finish, low, high and basis; without a finish, basis says why."""
        found = self.last.jobs.get(job)
        if found is None or status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            return {"finish": None, "low": None, "high": None, "basis": self._why_none(job, status)}
        return {
            "finish": iso(found.finish_s),
            "low": iso(found.low_s),
            "high": iso(found.high_s),
            "basis": found.basis,
        }

    def _why_none(self, job: int, status: str) -> str:
        if status in TERMINAL_JOBS:
            return NONE_ENDED
        if status == JobStatus.PAUSED:
            return NONE_PAUSED
        if job in self.last.seen:
            return NONE_PLACE
        return NONE_YET.format(interval_s=self._farm.settings.estimates.interval_s)

    # ---- One forecast ---------------------------------------------------------------------------------------------

    def _moment(self) -> _Moment:
        """In the event loop's thread: what is running, and where."""
        live, now_s = self._farm.live, self._farm.now_s()
        begun = {(lease.task, lease.attempt): now_s for lease in live.leases.values()}
        self._begun = {key: self._begun.get(key, now_s) for key in begun}
        running = [
            Running(lease.step, lease.worker, lease.progress, now_s - self._begun[lease.task, lease.attempt])
            for lease in live.leases.values()
        ]
        hosts = [
            Host(worker.id, worker.pool, worker.machine, worker.slots)
            for worker in live.workers.values()
            if worker.status in TAKING and not worker.drain and not worker.blocked
        ]
        homes = {alone(one.id): (one.pool, float(one.slots)) for one in live.workers.values() if one.leases}
        return _Moment(now_s, live.plan.steps, running, hosts, live.plan.reserved, homes)

    def _read(self) -> Counts:
        with self._farm.store.read() as session:
            if self._unjudged is None:
                self._unjudged, self._calibration = open_jobs(session), learned(session)
            return self._reader.read(session)

    def _reckon(self, moment: _Moment, counts: Counts) -> Outlook:
        asked = requests(moment.plan, counts, self._reader.cards, moment.reserved)
        hosts = [replace(host, rating=counts.ratings.get(host.worker, 1.0)) for host in moment.hosts]
        fleet = muster(hosts, asked.values())
        builder = QueueBuilder(fleet, self._reader.cards, self._estimator)
        queue = builder.build(ordered(moment.plan, counts), counts, asked, moment.running)
        shares, now_s, portions = _shares(counts.steps), moment.now_s, dict[int, list[Portion]]()
        jobs = {
            job: self._calibration.apply(told, now_s, share=shares.get(job, 0.0))
            for job, told in forecast(queue, fleet.groups, now_s, portions).items()
        }
        seen = frozenset(step.job for step in queue)
        home = _at_home(queue, fleet, hosts, now_s)
        steps, places = _outlooks(queue, counts.steps), _places(portions, {**moment.homes, **fleet.places})
        return Outlook(now_s, jobs, steps, seen, jobs if home is None else home, places)

    # ---- The record -----------------------------------------------------------------------------------------------

    async def _keep(self, steps: Sequence[StepCount]) -> None:
        """Record what running jobs were foretold, and judge what was recorded of those that have ended."""
        now_s, every_s = self._farm.now_s(), self._farm.settings.estimates.record_interval_s
        in_queue = {step.job for step in steps}
        unjudged = self._unjudged or set()
        gone = sorted(unjudged - in_queue)
        self._recorded = {job: at for job, at in self._recorded.items() if job in in_queue}
        records = [
            Record(job, self.last.made_at, share, self.last.jobs[job])
            for job, share in _shares(steps, JobStatus.RUNNING).items()
            if job in self.last.jobs and now_s - self._recorded.get(job, -math.inf) >= every_s
        ]
        if not records and not gone:
            return

        def change(tx: Transaction) -> list[list[Judged]]:
            record(tx, records)
            return settle(tx, gone)

        for forecasts in await self._farm.store.awrite(change):
            self._calibration = self._calibration.learn(forecasts)
        self._recorded |= {each.job: now_s for each in records}
        self._unjudged = (unjudged | {each.job for each in records}) - set(gone)
        log.debug("forecasts.recorded", recorded=len(records), ended=len(gone))


def _outlooks(queue: Sequence[QueuedStep], steps: Sequence[StepCount]) -> dict[int, list[StepOutlook]]:
    """By job: its steps as they went into the forecast."""
    kinds = {step.step: step.kind for step in steps}
    found: dict[int, list[StepOutlook]] = defaultdict(list)
    for step in queue:
        waiting, running = step.tasks_waiting, step.tasks_running
        outlook = StepOutlook(step.step, kinds[step.step], waiting, running, step.frames_per_task, step.time)
        found[step.job].append(outlook)
    return found


def _places(
    portions: Mapping[int, Sequence[Portion]], places: Mapping[str, tuple[str, float]]
) -> dict[int, Sequence[Share]]:
    """By job: which pools do how much of it."""
    return {
        job: merged(
            (pool, one.tasks, machine_hours(one.slot_s, slots), one.doubt, one.spread)
            for one in parts
            for pool, slots in (places.get(one.group, ("", 1.0)),)
        )
        for job, parts in portions.items()
    }


def _shares(steps: Sequence[StepCount], status: str | None = None) -> dict[int, float]:
    """Of each job (in that status), the share of its tasks that have succeeded."""
    done: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for step in steps:
        if status is None or step.status == status:
            done[step.job][0] += step.succeeded
            done[step.job][1] += step.total
    return {job: succeeded / total for job, (succeeded, total) in done.items() if total}


def _at_home(
    queue: Sequence[QueuedStep], fleet: Fleet, hosts: Sequence[Host], now_s: float
) -> Mapping[int, Forecast] | None:
    """The forecast without any other pool; None where nobody works in another one."""
    groups = {fleet.group_of[host.worker] for host in hosts if host.pool == HOME_POOL}
    if groups == set(fleet.groups):
        return None
    staying = [replace(step, slots=tuple(group for group in step.slots if group in groups)) for step in queue]
    return forecast(staying, fleet.groups, now_s)
