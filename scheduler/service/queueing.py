"""The queue as the forecast sees it: steps in rank order with their tasks, frame times and the slots that they may use.

Built from three snapshots: what memory knows at a moment (running tasks and the plan, taken in the event loop's
thread), the counts of the store's steps, and the facts of jobs, which never change and are read once. Decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlmodel import Session, col

from scheduler.domain.estimating import FrameTime, share_left, work_kind
from scheduler.domain.forecasting import QueuedStep
from scheduler.routing.machines import Needs
from scheduler.routing.reserving import Reserved, left_open
from scheduler.routing.route import HOME_POOL
from scheduler.service.fleet import Asked, Fleet
from scheduler.service.learning import Estimator, JobFacts, job_facts
from scheduler.service.plan import PlannedStep
from scheduler.service.planning import needs_of
from scheduler.store.tables import Job

JOBS_READ_MAX = 500
"""Jobs whose facts are read with one query."""

# Every step that still has tasks, of jobs that are in the queue: few rows, and narrow ones.
_OPEN_STEPS = text(
    """
    SELECT step.id, step.job_id, step.kind, step.level, step.final, step.blocked + step.ready, step.leased,
    step.succeeded, step.blocked + step.ready + step.leased + step.succeeded + step.failed + step.canceled,
    job.status, job.waiting_on
    FROM step JOIN job ON job.id = step.job_id WHERE job.status IN ('QUEUED', 'RUNNING') ORDER BY step.id
    """
)
_UNMET = text(
    """
    SELECT job_dependency.job, job_dependency.needs FROM job_dependency JOIN job ON job.id = job_dependency.job
    WHERE NOT job_dependency.met AND job.status = 'QUEUED' ORDER BY job_dependency.job, job_dependency.needs
    """
)
_FACTS = tuple(
    col(column)
    for column in (Job.id, Job.project, Job.renderer, Job.shot, Job.frame_count, Job.scene, Job.requires, Job.pools)
)
_RATINGS = text("SELECT id, rating FROM worker WHERE rating IS NOT NULL")


class StepCount(NamedTuple):
    """A step of the store: `waiting` are the tasks that nobody has begun, `total` all that there ever were."""

    step: int
    job: int
    kind: str
    level: int
    final: bool
    waiting: int
    leased: int
    succeeded: int
    total: int
    status: str
    waiting_on: int


class Running(NamedTuple):
    """A task at work: on which worker, how far it says it is, and for how long it has been seen."""

    step: int
    worker: str
    progress: float
    seen_s: float


@dataclass(frozen=True)
class JobCard:
    """What never changes of a job: what its frame times depend on, and what its tasks ask for."""

    facts: JobFacts
    frames: int
    needs: Needs
    pools: tuple[str, ...]


@dataclass(frozen=True)
class Counts:
    """What the store says: open steps, unmet dependencies (job, needs), ratings by worker."""

    steps: Sequence[StepCount]
    unmet: Sequence[tuple[int, int]]
    ratings: Mapping[str, float]


class QueueReader:
    """Reads the store for the forecast; remembers the facts of jobs."""

    def __init__(self) -> None:
        self.cards: dict[int, JobCard] = {}

    def read(self, session: Session) -> Counts:
        """One consistent snapshot; the facts of its jobs are then in `cards`."""
        connection = session.connection()
        steps = [StepCount(*row) for row in connection.execute(_OPEN_STEPS)]
        unmet = [(int(job), int(needs)) for job, needs in connection.execute(_UNMET)]
        ratings = {str(worker): float(rating) for worker, rating in connection.execute(_RATINGS)}
        open_jobs = {step.job for step in steps}
        self.cards = {job: card for job, card in self.cards.items() if job in open_jobs}
        missing = sorted(open_jobs - self.cards.keys())
        for start in range(0, len(missing), JOBS_READ_MAX):
            batch = missing[start : start + JOBS_READ_MAX]
            for job, *columns in session.execute(select(*_FACTS).where(col(Job.id).in_(batch))):
                self.cards[job] = _card(job, *columns)
        return Counts(steps, unmet, ratings)


def _card(job: int, project: str, renderer: str, shot: str, frames: int, *parts: Any) -> JobCard:
    scene, requires, pools = parts
    needs = needs_of(renderer, scene, requires)
    return JobCard(job_facts(job, project, renderer, scene, shot), frames, needs, tuple(pools) or (HOME_POOL,))


def alone(worker: str) -> str:
    """The group of a worker that takes nothing new: no step names it, and what runs there still counts."""
    return f"@{worker}"


def requests(
    plan: Iterable[PlannedStep], counts: Counts, cards: Mapping[int, JobCard], reserved: Reserved
) -> dict[int, Asked]:
    """By step: what it asks for. The plan knows best; jobs that wait for others are not in it."""
    asked = {
        planned.card.step: Asked(planned.card.needs, left_open(planned.route.chosen, planned.card.job, reserved))
        for planned in plan
    }
    for step in counts.steps:
        card = cards.get(step.job)
        if step.waiting_on and card is not None:
            asked.setdefault(step.step, Asked(card.needs, card.pools))
    return asked


def ordered(plan: Iterable[PlannedStep], counts: Counts) -> list[StepCount]:
    """The open steps in rank order. A job that waits for others comes right after the last of them."""
    by_step = {step.step: step for step in counts.steps}
    followers: dict[int, list[int]] = defaultdict(list)
    by_job: dict[int, list[StepCount]] = defaultdict(list)
    for step in counts.steps:
        by_job[step.job].append(step)
    left: dict[int, set[int]] = defaultdict(set)
    for job, needs in counts.unmet:
        followers[needs].append(job)
        left[job].add(needs)
    found: list[StepCount] = []
    seen: set[int] = set()
    for planned in plan:
        step = by_step.get(planned.card.step)
        if step is None or step.waiting_on:
            continue
        found.append(step)
        stack = [step.job] if step.job not in seen else []
        while stack:
            job = stack.pop()
            seen.add(job)
            for follower in followers.get(job, ()):
                left[follower].discard(job)
                if not left[follower] and follower not in seen:
                    found.extend(by_job.get(follower, ()))
                    stack.append(follower)
    return found


class QueueBuilder:
    """Puts one queue together."""

    def __init__(self, fleet: Fleet, cards: Mapping[int, JobCard], estimator: Estimator) -> None:
        self._fleet, self._cards, self._estimator = fleet, cards, estimator
        self.times: dict[tuple[int, str], FrameTime] = {}

    def build(
        self, steps: Iterable[StepCount], counts: Counts, asked: Mapping[int, Asked], running: Iterable[Running]
    ) -> list[QueuedStep]:
        """The steps as the forecast takes them, in the same order."""
        at_work: dict[int, list[Running]] = defaultdict(list)
        for task in running:
            at_work[task.step].append(task)
        after: dict[int, tuple[int, ...]] = defaultdict(tuple)
        for job, needs in counts.unmet:
            after[job] += (needs,)
        return [
            self._queued(step, asked[step.step], at_work.get(step.step, ()), after.get(step.job, ()))
            for step in steps
            if step.job in self._cards and step.step in asked
        ]

    def _queued(self, step: StepCount, asked: Asked, at_work: Sequence[Running], after: tuple[int, ...]) -> QueuedStep:
        card, kind = self._cards[step.job], work_kind(step.kind, final=bool(step.final))
        frames = card.frames / step.total if kind in ("render", "part") and step.total else 1.0
        time = self.time_of(step.job, kind)
        return QueuedStep(
            step=step.step,
            job=step.job,
            level=step.level,
            tasks_waiting=step.waiting,
            time=time,
            slots=self._fleet.usable.get(asked, ()),
            running=tuple((self._group(task), self._left(task, time.mean_s * frames)) for task in at_work),
            frames_per_task=frames,
            width=self._fleet.width.get(asked.needs, 1.0),
            after=after,
        )

    def time_of(self, job: int, kind: str) -> FrameTime:
        """What a frame of this job takes; asked once for each job and kind."""
        found = self.times.get((job, kind))
        if found is None:
            found = self.times[job, kind] = self._estimator.frame_time(self._cards[job].facts, kind)
        return found

    def _group(self, task: Running) -> str:
        return self._fleet.group_of.get(task.worker) or alone(task.worker)

    def _left(self, task: Running, task_s: float) -> float:
        """The share of a task that is left, by its progress and by the time that it has been seen at work."""
        return share_left(task.progress, task.seen_s * self._fleet.power(self._group(task)), task_s)
