"""The work of a trace, ready to be replayed: each job cut into steps and tasks by the same `split_job` as on the farm.

Made once and shared by all variants; nothing in it changes while they run. Times that were never measured are filled
with the median of what is known of the step, the job, or the whole trace.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from scheduler.domain.splitting import SplitRequest, StepPlan, split_job
from scheduler.protocol.traces import JobLine, MachineSpec
from scheduler.routing.machines import Machine, Needs
from scheduler.simulation.traces import Trace, TraceError

UNKNOWN_TASK_S = 60.0
"""Time of a task in a trace in which no task was ever measured."""

VERSION_MAX = "999999.999999"
"""Version of the renderers of machines that name none: they open whatever the trace holds."""


@dataclass(frozen=True, slots=True)
class WorkStep:
    """One step: its tasks' times, how many parts each waits for, and which task (step, seq) each feeds."""

    level: int
    kind: str
    seconds: tuple[float, ...]
    waiting: tuple[int, ...]
    feeds: tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class WorkJob:
    """One job: its line and its steps. `submitted_s` is when it came, before second 0 for what waits already."""

    line: JobLine
    needs: Needs
    steps: tuple[WorkStep, ...]
    submitted_s: float

    @property
    def task_count(self) -> int:
        """Tasks of all steps."""
        return sum(len(step.seconds) for step in self.steps)


@dataclass(frozen=True)
class Workload:
    """All jobs of a trace in the order of their submission, and the renderers that they ask for."""

    trace: Trace
    jobs: tuple[WorkJob, ...]
    renderers: frozenset[str]

    @property
    def task_count(self) -> int:
        """Tasks of all jobs."""
        return sum(job.task_count for job in self.jobs)


def prepare(trace: Trace) -> Workload:
    """Cut every job into its tasks.

    Raises:
        TraceError: the times of a job do not match its frames, chunk and split.
    """
    known = _median(time for job in trace.jobs for step in job.seconds for time in step)
    farm_wide = UNKNOWN_TASK_S if known is None else known
    jobs = tuple(_job(line, farm_wide) for line in trace.jobs)
    return Workload(trace, jobs, frozenset(line.renderer for line in trace.jobs))


def machine_of(spec: MachineSpec, worker: str, renderers: Iterable[str], tags: Iterable[str] = ()) -> Machine:
    """A worker's machine as routing sees it; one that names no renderers has those that the trace asks for."""
    has = spec.renderers or dict.fromkeys(renderers, (VERSION_MAX,))
    return Machine(worker, spec.vcpus, spec.memory_gib, spec.gpus, frozenset((*spec.tags, *tags)), dict(has))


def _job(line: JobLine, farm_wide: float) -> WorkJob:
    request = SplitRequest(tuple(range(line.frame_count)), line.chunk, line.tiles, line.samples)
    plans = split_job(request)
    if [len(step) for step in line.seconds] != [len(plan.tasks) for plan in plans]:
        wanted = ", ".join(str(len(plan.tasks)) for plan in plans)
        told = ", ".join(str(len(step)) for step in line.seconds) or "none"
        raise TraceError(
            f"job {line.job!r}: its frames and split make {wanted} tasks per step, but `seconds` holds {told}.",
            details={"job": line.job},
        )
    whole = _median(time for step in line.seconds for time in step)
    fallback = farm_wide if whole is None else whole
    steps = tuple(_step(plan, times, fallback) for plan, times in zip(plans, line.seconds, strict=True))
    wants = line.requires
    needs = Needs(line.renderer, line.renderer_version, wants.vcpus, wants.memory_gib, wants.gpus, wants.tags)
    return WorkJob(line, needs, steps, line.submitted_s)


def _step(plan: StepPlan, times: tuple[float | None, ...], fallback: float) -> WorkStep:
    known = _median(times)
    filled = fallback if known is None else known
    return WorkStep(
        plan.level,
        plan.kind,
        tuple(filled if time is None else time for time in times),
        tuple(task.waiting for task in plan.tasks),
        tuple(task.feeds for task in plan.tasks),
    )


def _median(times: Iterable[float | None]) -> float | None:
    known = [time for time in times if time is not None]
    return statistics.median(known) if known else None
