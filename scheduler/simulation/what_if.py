"""What if this job were submitted: who finishes when, and who finishes later because of it.

The queue of the moment is taken as data, the job that does not exist is put into it, and both are replayed forward with
the farm's own ranking and routing. Nothing is stored. `snapshots` takes the snapshot of a running farm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scheduler.domain.cost_forecasting import Interval, Share
from scheduler.domain.estimating import Z80
from scheduler.domain.forecasting import UNFORESEEN
from scheduler.protocol.traces import JobLine, MachineSpec, PoolSpec, WorkerLine, new_farm
from scheduler.routing.machines import Needs
from scheduler.routing.route import HOME_POOL
from scheduler.simulation.engine import simulate
from scheduler.simulation.options import Options
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.planner import Variant
from scheduler.simulation.traces import Trace
from scheduler.simulation.workload import WorkJob, Workload, WorkStep

TASKS_MAX = 4000
"""Tasks that are replayed; of a longer queue, several tasks of a step are taken as one longer one."""

JOBS_MAX = 500
"""Jobs that are replayed, the best ranked first; those behind them hardly matter, and are left out."""

PLANS_MAX = 40
"""Plans that one replay makes."""

DELTA_MIN_S = 1.0
"""Smaller shifts of other jobs are not told."""

NOWHERE = ("-",)
"""What a job names that may go to no pool: there is none of this name."""

BASIS = "the queue of {jobs} jobs replayed with and without it"


@dataclass(frozen=True, slots=True)
class QueuedWork:
    """What is left of a step: tasks that wait and run, what one takes on average, and how sure that is (log-sd)."""

    waiting: int
    mean_s: float
    level: int = 0
    running: int = 0
    doubt: float = 0.0


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job as the question sees it. Times are seconds since the epoch, priority and deadline those in force."""

    job: str
    needs: Needs
    steps: tuple[QueuedWork, ...]
    priority: int = 50
    boost: float = 0.0
    submitted_s: float = 0.0
    deadline_s: float | None = None
    name: str = ""
    project: str = ""
    shot: str = ""
    owner: str = ""
    pools: tuple[str, ...] = ()
    cloud: str = "allow"
    depends_on: tuple[str, ...] = ()
    frames: int = 1
    closed: frozenset[str] = frozenset()
    """Pools that its cost cap closes."""

    @property
    def tasks(self) -> int:
        """Tasks that are left."""
        return sum(step.waiting + step.running for step in self.steps)


@dataclass(frozen=True)
class FarmSnapshot:
    """The farm at a moment: jobs in rank order, workers by pool and machine, pools, the policy and rules in force."""

    now_s: float
    jobs: Sequence[QueuedJob]
    workers: Sequence[tuple[str, MachineSpec, int]]
    variant: Variant
    pools: Sequence[PoolSpec] = ()
    use: Mapping[str, float] = field(default_factory=dict[str, float])
    """Each project's part of the recent use, 0 to 1."""
    origin: str | None = None
    """The moment in ISO 8601, on the studio's clock; rules about day and night need it."""


@dataclass(frozen=True, slots=True)
class Finish:
    """When a job finishes, seconds since the epoch; `low_s` to `high_s` hold 80 %."""

    finish_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class Shift:
    """A job that finishes at another time because of the new one; `delta_s` is positive where it is later."""

    job: str
    before_s: float
    after_s: float

    @property
    def delta_s(self) -> float:
        """How much later."""
        return self.after_s - self.before_s


class Costs(NamedTuple):
    """US dollars for the job's work, by a replay with times as expected, shorter and longer; and who does it."""

    usd: Interval
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class WhatIf:
    """The answer. `finish` None: no pool that the rules allow could ever take the job, or it waits for ever."""

    finish: Finish | None
    finishes: Mapping[str, Finish] = field(default_factory=dict[str, Finish])
    shifts: Sequence[Shift] = ()
    left_out: int = 0
    basis: str = ""
    costs: Costs | None = None
    """What the job costs, where it finishes."""


def what_if(snapshot: FarmSnapshot, job: QueuedJob) -> WhatIf:
    """When the job would finish if it were submitted now, when every other one would, and by how much that moves it.

    Takes about a second for the longest queue that is replayed: call it in a thread.
    """
    kept = tuple(snapshot.jobs[:JOBS_MAX])
    with_it = (*kept, job)
    before = _finishes(_replay(snapshot, kept, with_it, 0.0))
    replays = [_replay(snapshot, with_it, with_it, doubts) for doubts in (-Z80, 0.0, Z80)]
    low, after, high = (_finishes(one) for one in replays)
    now_s = snapshot.now_s
    told = {
        name: Finish(now_s + at_s, now_s + min(at_s, low.get(name, at_s)), now_s + max(at_s, high.get(name, at_s)))
        for name, at_s in after.items()
    }
    shifts = [
        Shift(name, now_s + at_s, now_s + after[name])
        for name, at_s in before.items()
        if name in after and abs(after[name] - at_s) >= DELTA_MIN_S
    ]
    shifts.sort(key=lambda shift: (-abs(shift.delta_s), shift.job))
    left_out = len(snapshot.jobs) - len(kept)
    costs = _costs(job, replays) if job.job in told else None
    return WhatIf(told.get(job.job), told, shifts, left_out, BASIS.format(jobs=len(kept)), costs)


def _costs(job: QueuedJob, replays: Sequence[Outcome]) -> Costs | None:
    """What the replays (shorter times, as expected, longer) say of the job."""
    found = [one for outcome in replays for one in outcome.jobs if one.job == job.job]
    if len(found) != len(replays):
        return None
    usd, expected = sorted(one.usd for one in found), found[1]
    scale = job.tasks / max(1, expected.tasks)  # of a long queue several tasks were replayed as one
    shares = [
        Share(pool, tasks * scale, hours)
        for pool, (tasks, hours) in sorted(expected.shares.items(), key=lambda item: (-item[1][1], item[0]))
    ]
    return Costs(Interval(usd[0], expected.usd, usd[-1]), tuple(shares))


def _replay(snapshot: FarmSnapshot, jobs: Sequence[QueuedJob], all_jobs: Sequence[QueuedJob], doubts: float) -> Outcome:
    """Replay the queue with every time longer by so many standard deviations of what is known of it.

    Grain and plans are those of `all_jobs`, so that two replays differ by the job and by nothing else.
    """
    grain = max(1, math.ceil(sum(job.tasks for job in all_jobs) / TASKS_MAX))
    names = {job.job for job in jobs}
    every = tuple(dict.fromkeys((HOME_POOL, *(pool.name for pool in snapshot.pools))))
    runs = [_work(job, snapshot.now_s, names, grain, doubts, every) for job in jobs]
    workers = tuple(
        WorkerLine(worker=f"w{number}", pool=pool, count=count, machine=machine)
        for number, (pool, machine, count) in enumerate(snapshot.workers)
        if count > 0
    )
    trace = Trace(new_farm(tuple(snapshot.pools), origin=snapshot.origin), workers, tuple(run.line for run in runs))
    work = Workload(trace, tuple(runs), frozenset(run.needs.renderer for run in runs))
    running = {
        (job.job, index): min(step.running, -(-(step.running + step.waiting) // grain))
        for job in jobs
        for index, step in enumerate(job.steps)
        if step.running
    }
    options = Options(
        plan_interval_s=_interval_s(snapshot, all_jobs),
        running=running,
        sparing=True,
        record_shares=True,
        bins=1,
        use_slot_s=_use_slot_s(snapshot),
    )
    return simulate(work, snapshot.variant, options)


def _interval_s(snapshot: FarmSnapshot, jobs: Sequence[QueuedJob]) -> float:
    """Plans are made a few dozen times in the time that all work takes on all slots."""
    slots = sum(machine.slots * machine.rating * count for _pool, machine, count in snapshot.workers)
    work_s = sum((step.waiting + step.running) * step.mean_s for job in jobs for step in job.steps)
    longest_s = max((step.mean_s for job in jobs for step in job.steps), default=1.0)
    return max(1.0, work_s / max(1.0, slots) / PLANS_MAX, longest_s / PLANS_MAX)


def _use_slot_s(snapshot: FarmSnapshot) -> dict[str, float]:
    """Parts as slot-seconds: what a farm that was busy all the time has been used for, faded by its half-life."""
    slots = sum(machine.slots * count for _pool, machine, count in snapshot.workers)
    whole = slots * snapshot.variant.ordering.share_half_life_s / math.log(2.0)
    return {project: part * whole for project, part in snapshot.use.items()}


def _work(job: QueuedJob, now_s: float, names: set[str], grain: int, doubts: float, every: tuple[str, ...]) -> WorkJob:
    left = tuple(pool for pool in job.pools or every if pool not in job.closed)
    open_pools = left or NOWHERE if job.closed else job.pools
    steps = _steps(job, grain, doubts)
    needs = job.needs
    line = JobLine(
        job=job.job,
        submitted_s=0.0,
        seconds=tuple(step.seconds for step in steps),
        name=job.name,
        project=job.project,
        shot=job.shot,
        owner=job.owner,
        priority=job.priority,
        boost=job.boost,
        deadline_s=None if job.deadline_s is None else job.deadline_s - now_s,
        renderer=needs.renderer,
        frame_count=max(1, job.frames),
        cloud="never" if job.cloud == "never" else "prefer" if job.cloud == "prefer" else "allow",
        pools=open_pools,
        depends_on=tuple(name for name in job.depends_on if name in names),
    )
    return WorkJob(line, needs, steps, submitted_s=job.submitted_s - now_s)


def _steps(job: QueuedJob, grain: int, doubts: float) -> tuple[WorkStep, ...]:
    """What is left as steps; the tasks of one feed those of the next, shared out evenly."""
    levels = sorted((step for step in job.steps), key=lambda step: step.level)
    counts = [-(-(step.waiting + step.running) // grain) for step in levels]
    made: list[WorkStep] = []
    for index, (step, count) in enumerate(zip(levels, counts, strict=True)):
        longer = math.exp(doubts * math.hypot(step.doubt, UNFORESEEN))
        each_s = step.mean_s * longer * (step.waiting + step.running) / max(1, count)
        parts = counts[index - 1] if index else 0
        waiting = tuple((parts * (place + 1)) // count - (parts * place) // count for place in range(count))
        following = counts[index + 1] if index + 1 < len(counts) else 0
        feeds = tuple((index + 1, _fed(place, count, following)) if following else None for place in range(count))
        kind = "merge" if step.level else "render"
        made.append(WorkStep(step.level, kind, (each_s,) * count, waiting, feeds))
    return tuple(made)


def _fed(place: int, count: int, following: int) -> int:
    """Which of the following tasks a part feeds, so that each gets as many as it waits for."""
    return next(to for to in range(following) if (count * (to + 1)) // following > place)


def _finishes(outcome: Outcome) -> dict[str, float]:
    return {job.job: job.ended_s for job in outcome.jobs if job.ended_s is not None and job.status == "SUCCEEDED"}
