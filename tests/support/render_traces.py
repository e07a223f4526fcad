"""A small studio on a virtual clock, to judge estimates by: shots whose frames take what frames take, on a mixed farm.

Frame times are lognormal by show, shot and frame; they drift along a shot, change with every iteration (sometimes
much), have outliers, and are only seen through machines of different power. Jobs arrive by day, some of them urgent.
`replay` runs them through list scheduling and lets the real estimator and the real forecast look at the farm as it
would see it: only attempts that have ended, only jobs that have come, no future.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from scheduler.domain.accuracy import Judged
from scheduler.domain.calibrating import Calibration
from scheduler.domain.estimating import scene_key, share_left
from scheduler.domain.forecasting import Forecast, QueuedStep, forecast
from scheduler.domain.slots import SlotGroup
from scheduler.service.learning import Estimator, JobFacts
from scheduler.settings import EstimateSettings

DAY_S, HOUR_S = 86_400.0, 3600.0
LOOK_S = 1800.0
"""How often the forecast looks."""

RATINGS = (0.6, 1.0, 1.0, 1.7)
OUTLIERS, JUMPS = 0.015, 0.1
MERGE_S = 6.0


@dataclass
class Step:
    """True seconds of each task on the reference machine."""

    number: int
    kind: str
    level: int
    tasks: list[float]
    frames_per_task: float
    begun: int = 0
    ended: int = 0


@dataclass
class Job:
    """A job of the trace."""

    facts: JobFacts
    priority: int
    submitted_s: float
    steps: list[Step]
    ended_s: float = math.inf

    @property
    def share(self) -> float:
        """The part of its tasks that has ended."""
        return sum(step.ended for step in self.steps) / sum(len(step.tasks) for step in self.steps)


@dataclass
class Slot:
    """A slot of a machine."""

    rating: float
    free: bool = True


@dataclass
class Task:
    """A task at work."""

    job: Job
    step: Step
    slot: Slot
    begun_s: float
    ends_s: float


def make_jobs(seed: int, *, days: int, jobs_per_day: int) -> list[Job]:
    """The studio's jobs in the order in which they come."""
    rng = random.Random(seed)
    shows = [(name, renderer, rng.gauss(math.log(150), 0.7)) for name, renderer in
             (("Alpha", "blender"), ("Beta", "blender"), ("Gamma", "mitsuba"))]  # fmt: skip
    shots = [
        (show, renderer, f"{show.lower()}/sh{number:03d}", rng.gauss(level, 0.6), rng.randint(40, 160))
        for show, renderer, level in shows
        for number in range(12)
    ]
    versions: dict[str, tuple[int, float]] = {}
    found: list[Job] = []
    for at in sorted(
        day * DAY_S + rng.triangular(8, 20, 17) * HOUR_S for day in range(days) for _ in range(jobs_per_day)
    ):
        show, renderer, shot, level, frames = rng.choice(shots)
        version, shift = versions.get(shot, (0, 0.0))
        shift += rng.gauss(0, 0.12) + (rng.uniform(-0.7, 0.7) if rng.random() < JUMPS else 0.0)
        versions[shot] = version + 1, shift
        facts = JobFacts(len(found) + 1, show, renderer, scene_key(f"{shot}_v{version:03d}.blend"))
        times = list(_frame_times(rng, level + shift, frames))
        priority = rng.choices((50, 60, 80), (80, 15, 5))[0]
        found.append(Job(facts, priority, at, _steps(rng, len(found) * 10, times)))
    return found


def _frame_times(rng: random.Random, level: float, frames: int) -> Iterator[float]:
    """Neighbours are alike: a slow wave along the shot, a walk, noise; now and then a frame that takes much longer."""
    phase, wave, walk = rng.uniform(0, 6.28), abs(rng.gauss(0, 0.2)), 0.0
    for frame in range(frames):
        walk = 0.9 * walk + rng.gauss(0, 0.05)
        seconds = math.exp(level + wave * math.sin(phase + 4 * frame / frames) + walk + rng.gauss(0, 0.1))
        yield seconds * (rng.uniform(3, 8) if rng.random() < OUTLIERS else 1.0)


def _steps(rng: random.Random, number: int, times: list[float]) -> list[Step]:
    """Whole frames, chunks of five, or four tiles each and a merge."""
    how = rng.random()
    if how < 0.65:
        return [Step(number, "render", 0, times, 1.0)]
    if how < 0.85:
        chunks = [sum(times[start : start + 5]) for start in range(0, len(times), 5)]
        return [Step(number, "render", 0, chunks, len(times) / len(chunks))]
    tiles = [each * share for each in times for share in _shares(rng)]
    merges = [MERGE_S * rng.lognormvariate(0, 0.2) for _ in times]
    return [Step(number, "part", 0, tiles, 0.25), Step(number + 1, "merge", 1, merges, 1.0)]


def _shares(rng: random.Random) -> list[float]:
    weights = [rng.lognormvariate(0, 0.4) for _ in range(4)]
    return [1.05 * weight / sum(weights) for weight in weights]


@dataclass
class Replay:
    """The farm on a virtual clock."""

    jobs: list[Job]
    slots: list[Slot]
    rng: random.Random
    estimator: Estimator = field(default_factory=lambda: Estimator(EstimateSettings()))
    judged: list[Judged] = field(default_factory=list)
    calibration: Calibration = field(default_factory=Calibration)
    _queue: list[Job] = field(default_factory=list)
    _running: list[Task] = field(default_factory=list)
    _told: dict[int, list[tuple[float, float, Forecast]]] = field(default_factory=lambda: defaultdict(list))

    def run(self) -> list[Judged]:
        """All jobs to their end; returns every forecast with what became of it."""
        events: list[tuple[float, int, str, object]] = []
        count = 0
        for job in self.jobs:
            heapq.heappush(events, (job.submitted_s, count := count + 1, "submit", job))
        heapq.heappush(events, (LOOK_S, count := count + 1, "look", None))
        left = len(self.jobs)
        while left:
            now_s, _count, what, whom = heapq.heappop(events)
            if isinstance(whom, Job):
                self._queue.append(whom)
                self._queue.sort(key=lambda job: (-job.priority, job.submitted_s))
            elif isinstance(whom, Task):
                left -= self._end(whom, now_s)
            else:
                self._look(now_s)
                heapq.heappush(events, (now_s + LOOK_S, count := count + 1, what, None))
            for task in self._begin(now_s):
                heapq.heappush(events, (task.ends_s, count := count + 1, "end", task))
        return self.judged

    def _begin(self, now_s: float) -> Iterator[Task]:
        """Free slots take the next tasks of the best job; merges when enough parts are there."""
        free = [slot for slot in self.slots if slot.free]
        for job in self._queue:
            for step in reversed(job.steps):
                ready = len(step.tasks) if step.level == 0 else job.steps[0].ended // 4
                while free and step.begun < min(ready, len(step.tasks)):
                    slot = free.pop(self.rng.randrange(len(free)))
                    slot.free = False
                    seconds = step.tasks[step.begun] / slot.rating * self.rng.lognormvariate(0, 0.04)
                    step.begun += 1
                    task = Task(job, step, slot, now_s, now_s + seconds)
                    self._running.append(task)
                    yield task
            if not free:
                return

    def _end(self, task: Task, now_s: float) -> int:
        """A task ends; returns 1 if its job has ended with it."""
        task.slot.free = True
        self._running.remove(task)
        task.step.ended += 1
        job, step = task.job, task.step
        self.estimator.note(job.facts, step.kind, step.frames_per_task, now_s - task.begun_s, task.slot.rating)
        if job.share < 1:
            return 0
        self._queue.remove(job)
        judged = [
            Judged(job.facts.renderer, share, made_s, told.finish_s, told.low_s, told.high_s, now_s)
            for made_s, share, told in self._told.pop(job.facts.job, ())
        ]
        self.judged += judged
        self.calibration = self.calibration.learn(judged)
        return 1

    def _look(self, now_s: float) -> None:
        """What the farm would foretell now."""
        groups: dict[str, int] = defaultdict(int)
        for slot in self.slots:
            groups[str(slot.rating)] += 1
        slots = {name: SlotGroup(count, float(name)) for name, count in groups.items()}
        queue = [
            self._queued(job, step, now_s, tuple(slots))
            for job in self._queue
            for step in reversed(job.steps)
            if step.ended < len(step.tasks)
        ]
        for job, told in forecast(queue, slots, now_s).items():
            share = next(each.share for each in self._queue if each.facts.job == job)
            self._told[job].append((now_s, share, self.calibration.apply(told, now_s, share=share)))

    def _queued(self, job: Job, step: Step, now_s: float, groups: tuple[str, ...]) -> QueuedStep:
        time = self.estimator.frame_time(job.facts, step.kind)
        mean_s = time.mean_s * step.frames_per_task
        running = tuple(
            (
                str(task.slot.rating),
                share_left(self._progress(task, now_s), (now_s - task.begun_s) * task.slot.rating, mean_s),
            )
            for task in self._running
            if task.step is step
        )
        waiting = len(step.tasks) - step.begun
        return QueuedStep(step.number, job.facts.job, step.level, waiting, time, groups, running, step.frames_per_task)

    def _progress(self, task: Task, now_s: float) -> float:
        """What the renderer says: Blender counts samples, and is off by a tenth; Mitsuba says nothing."""
        if task.job.facts.renderer != "blender" or task.step.kind == "merge":
            return 0.0
        true = (now_s - task.begun_s) / (task.ends_s - task.begun_s)
        return min(1.0, true * self.rng.uniform(0.9, 1.1))


def replayed(seed: int, *, days: int = 3, jobs_per_day: int = 100, slots: int = 48) -> list[Judged]:
    """Every forecast of a replay with what became of it."""
    rng = random.Random(seed + 1)
    farm = [Slot(RATINGS[number % len(RATINGS)]) for number in range(slots)]
    return Replay(make_jobs(seed, days=days, jobs_per_day=jobs_per_day), farm, rng).run()
