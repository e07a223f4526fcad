"""When jobs finish: a fast forward of the queue in rank order over the slots that there are.

List scheduling (Graham, Bounds on Multiprocessing Timing Anomalies, 1969): whichever slot is free first takes the next
task of the best step. Slots that become free at nearly the same time are one entry, coarser the further away it is, so
that a step costs a few operations however many tasks and slots there are. A job's merges follow its renders; a job
that waits for others starts when they have finished, and others use the slots meanwhile.

Every finish comes with an interval that holds 80 %: what is not known of the job's own frames, of the jobs before it,
of its last frames, and of what nobody can foretell. Owns neither frame times (`domain.estimating`) nor the rank
(`domain.ranking`).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from scheduler.domain.estimating import Z80, FrameTime
from scheduler.domain.portions import Portion, running_portions, waiting_portions
from scheduler.domain.slots import Lanes, SlotGroup, longest_s, place, time_unit_s

UNFORESEEN = 0.08
"""Log-sd of remaining times from what happens meanwhile: jobs that come, machines that go."""

DOUBT_MAX = 0.8
"""Log-sd up to which doubt raises the mean; beyond it a guess would outweigh what is known."""

RIVAL_SHARE = 0.6
"""Running tasks that have at least this part of the longest one's time left may turn out to be the last."""

RELATIVE_SD_MAX = 2.5
"""Beyond this an interval says no more than "nobody knows"."""

LAST_FRAME_SD = 0.6
"""The last of several frames varies less than one frame does."""


@dataclass(frozen=True, slots=True)
class QueuedStep:
    """A step as the forecast sees it. `running` holds, for each of its running tasks, the slot group and the share that
    is left. `frames_per_task` scales `time`: 10 for a chunk of ten, 1/16 for one of sixteen tiles. `slots` names the
    groups that may take it, `width` the slots that one task occupies, `after` the jobs that must have finished.
    """

    step: int
    job: int
    level: int
    tasks_waiting: int
    time: FrameTime
    slots: tuple[str, ...]
    running: tuple[tuple[str, float], ...] = ()
    frames_per_task: float = 1.0
    width: float = 1.0
    after: tuple[int, ...] = ()

    @property
    def tasks_running(self) -> int:
        """How many of its tasks run."""
        return len(self.running)


class Forecast(NamedTuple):
    """When a job finishes, in the time that `forecast` was given as now: `low_s` to `high_s` hold 80 %."""

    finish_s: float
    low_s: float
    high_s: float
    basis: str


class _Work(NamedTuple):
    """A step with the seconds that a task takes on average on the reference machine, and tasks' log-sd."""

    step: QueuedStep
    task_s: float
    spread: float


class _Farm(dict[str, Lanes]):
    """The groups of slots by name."""

    def __init__(self, groups: Iterable[tuple[str, Lanes]]) -> None:
        super().__init__(groups)
        self._usable: dict[tuple[str, ...], list[Lanes]] = {}

    def usable(self, names: tuple[str, ...]) -> list[Lanes]:
        """Those of these groups that there are. Thousands of steps name the same few."""
        found = self._usable.get(names)
        if found is None:
            found = self._usable[names] = [self[name] for name in names if name in self]
        return found


@dataclass(slots=True)
class _Job:
    """A job on its way through the fast forward. `finish_s` and `sd_s` count from now."""

    job: int
    works: list[_Work] = field(default_factory=list)
    after: tuple[int, ...] = ()
    finish_s: float = 0.0
    sd_s: float = 0.0


def forecast(
    queue: Sequence[QueuedStep],
    slots: Mapping[str, SlotGroup],
    now_s: float,
    portions: dict[int, list[Portion]] | None = None,
) -> dict[int, Forecast]:
    """When each job finishes. `queue` stands in rank order; `slots` are the groups of slots with their power.

    A job that no slot may take, or that waits for one not in the queue, has none. `portions`, if given, is filled.
    """
    works = _works(queue)
    unit_s = time_unit_s([work.task_s for work in works], [s.tasks_waiting + s.tasks_running for s in queue])
    lanes = _Farm(
        (name, Lanes(group, unit_s, name)) for name, group in slots.items() if group.count > 0 and group.power > 0
    )
    _hold_running(works, lanes)
    done: dict[int, _Job] = {}
    for job, ready_s in _in_order(_jobs(works), lanes, done):
        parts: list[Portion] | None = None if portions is None else []
        if _fast_forward(job, lanes, ready_s, done, parts):
            done[job.job] = job
            if portions is not None and parts is not None:
                portions[job.job] = parts
    return _told(done, now_s)


def _works(queue: Sequence[QueuedStep]) -> list[_Work]:
    """All steps' numbers at once. Frames of one task even out, so that chunks vary less than frames.

    Of what is little known the mean is above the typical value: a job of which nothing is known may be a monster.
    """
    mean_s = np.array([step.time.mean_s for step in queue])
    doubt = np.array([step.time.doubt for step in queue])
    spread = np.array([step.time.spread for step in queue])
    frames = np.array([step.frames_per_task for step in queue])
    task_s = mean_s * frames * np.exp(np.minimum(doubt, DOUBT_MAX) ** 2 / 2)
    return list(map(_Work, queue, task_s.tolist(), (spread / np.sqrt(np.maximum(1.0, frames))).tolist()))


def _jobs(works: Sequence[_Work]) -> dict[int, _Job]:
    """The jobs by the rank of their best step; within one, what renders before what merges."""
    jobs: dict[int, _Job] = {}
    for work in works:
        step = work.step
        job = jobs.get(step.job)
        if job is None:
            jobs[step.job] = _Job(step.job, [work], step.after)
        else:
            job.works.append(work)
            job.works.sort(key=lambda work: work.step.level)
            if step.after != job.after:
                job.after = tuple(sorted({*job.after, *step.after}))
    return jobs


def _hold_running(works: Sequence[_Work], lanes: _Farm) -> None:
    """What runs holds its slot for as long as it has left."""
    for step, task_s, _spread in works:
        for name, left in step.running:
            lane = lanes.get(name)
            if lane is not None:
                lane.occupy(step.width, left * task_s / lane.power)


def _in_order(jobs: Mapping[int, _Job], lanes: _Farm, done: Mapping[int, _Job]) -> Iterator[tuple[_Job, float]]:
    """Each job with the time from which it may start, when its turn is. Jobs that wait are passed over until then.

    `done` grows while this runs: a job that is yielded and finishes is in it when the next one is asked for.
    """
    queue = _Waiting(done)
    for job in jobs.values():
        while queue.ready and queue.ready[0][0] <= min((lane.free_s for lane in lanes.values()), default=0.0):
            yield from queue.first()
        if job.after:
            queue.put(job)
        else:
            yield job, 0.0
            queue.release(job.job)
    while queue.ready:
        yield from queue.first()


class _Waiting:
    """Jobs that wait for others: `ready` are those whose others are done, by the time when that is."""

    def __init__(self, done: Mapping[int, _Job]) -> None:
        self._done = done
        self.ready: list[tuple[float, int, _Job]] = []
        self._followers: dict[int, list[_Job]] = {}
        self._order = 0

    def put(self, job: _Job) -> None:
        """A job waits: for the first of its others that is not done, or until all have finished."""
        need = next((need for need in job.after if need not in self._done), None)
        if need is not None:
            self._followers.setdefault(need, []).append(job)
            return
        self._order += 1
        heapq.heappush(self.ready, (max(self._done[need].finish_s for need in job.after), self._order, job))

    def release(self, job: int) -> None:
        """A job was looked at; where it is done, who waited for it may wait for less."""
        if self._followers and job in self._done:
            for follower in self._followers.pop(job, ()):
                self.put(follower)

    def first(self) -> Iterator[tuple[_Job, float]]:
        """The job that may start first."""
        ready_s, _order, job = heapq.heappop(self.ready)
        yield job, ready_s
        self.release(job.job)


def _fast_forward(
    job: _Job, lanes: _Farm, ready_s: float, done: Mapping[int, _Job], parts: list[Portion] | None
) -> bool:
    """Place the job's tasks; False where some of them cannot be placed."""
    before_sd = max([done[need].sd_s for need in job.after], default=0.0) if job.after else 0.0
    finish, variance = ready_s, before_sd**2
    for work in job.works:
        lengths = (work.task_s, work.step.time.doubt, work.spread)
        ended, spread = _running_end(work, lanes) if work.step.running else (0.0, 0.0)
        if work.step.tasks_waiting:
            usable = lanes.usable(work.step.slots)
            if not usable:
                return False
            laid = [lane.laid for lane in usable] if parts is not None else ()
            waiting_end, waiting_variance = _lay(work, usable, ready_s, before_sd)
            if parts is not None:
                parts += waiting_portions(work.step.tasks_waiting, *lengths, usable, laid)
            if work.step.level > 0 and waiting_end < finish + work.task_s:
                # The last merge begins when the last part is there.
                waiting_end, waiting_variance = finish + work.task_s, variance
            if waiting_end >= ended:
                ended, spread = waiting_end, waiting_variance
        if parts is not None:
            parts += running_portions(work.step.running, *lengths, lanes)
        if ended >= finish:
            finish, variance = ended, spread
    job.finish_s, job.sd_s = finish, math.sqrt(variance + (UNFORESEEN * finish) ** 2)
    return True


def _lay(work: _Work, usable: Sequence[Lanes], ready_s: float, before_sd: float) -> tuple[float, float]:
    """Place a step's waiting tasks; returns when the last of them ends, and the variance of that.

    It comes from the jobs before it, from its own typical frame, and from its last frames.
    """
    step, task_s, spread = work
    doubt = step.time.doubt
    slots = step.tasks_waiting * step.width
    work_s = slots * task_s / len(usable)
    ahead = usable[0].book(work_s, doubt) if len(usable) == 1 else max([lane.book(work_s, doubt) for lane in usable])
    start, last, finish = place(usable, slots, task_s, not_before_s=ready_s, spread=spread)
    before = max(start * ahead, before_sd)
    own = (finish - start) * doubt
    tail = (finish - last) * spread * LAST_FRAME_SD
    return finish, before * before + own * own + tail * tail


def _running_end(work: _Work, lanes: _Farm) -> tuple[float, float]:
    """When the last of the running tasks ends, and the variance of that: of several, one takes longest."""
    step, task_s, spread = work
    left = [share / (lanes[name].power if name in lanes else 1.0) for name, share in step.running]
    longest = max(left)
    rivals = sum(1 for each in left if each >= RIVAL_SHARE * longest)
    seconds = longest_s(longest * task_s, spread, rivals)
    return seconds, (seconds * math.hypot(step.time.doubt, spread)) ** 2


def _told(done: Mapping[int, _Job], now_s: float) -> dict[int, Forecast]:
    """Finishes as moments. Intervals are those of logarithms: late is later than early is early."""
    finish = np.array([job.finish_s for job in done.values()])
    sd = np.array([job.sd_s for job in done.values()])
    relative = np.divide(sd, finish, out=np.zeros_like(sd), where=finish > 0)
    factor = np.exp(Z80 * np.minimum(relative, RELATIVE_SD_MAX))
    moments = zip(
        (finish + now_s).tolist(), (finish / factor + now_s).tolist(), (finish * factor + now_s).tolist(), strict=True
    )
    return {
        job.job: Forecast(middle, low, high, _basis(job))
        for job, (middle, low, high) in zip(done.values(), moments, strict=True)
    }


def _basis(job: _Job) -> str:
    """What the forecast rests on: the frames that most of the job's work consists of."""
    if len(job.works) == 1:
        return job.works[0].step.time.basis
    heaviest = max(job.works, key=lambda work: (work.step.tasks_waiting + work.step.tasks_running) * work.task_s)
    return heaviest.step.time.basis
