"""The queue of a replay: jobs, their steps and tasks as they change, by the same rules as on the farm.

A part that is done feeds its reducer; a failed attempt is judged by `domain.retrying`; a job lets go of those that wait
for it. When things happen and on which machine is decided in `engine`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from scheduler.domain.retrying import FailedAttempt, FailureClass, RetryDecision, decide_retry
from scheduler.protocol.traces import Change
from scheduler.routing.rules import Cap
from scheduler.simulation.outcome import JobOutcome
from scheduler.simulation.workload import WorkJob, WorkStep


class StepRun:
    """A step: its ready tasks in their order, and what its other tasks wait for."""

    __slots__ = (
        "attempts", "caps", "failures", "feeds", "index", "job", "leased", "left", "number", "ready",
        "waiting", "work",
    )  # fmt: skip

    def __init__(self, job: JobRun, index: int, number: int, work: WorkStep) -> None:
        self.job, self.index, self.number, self.work = job, index, number, work
        self.ready = deque(seq for seq, waiting in enumerate(work.waiting) if not waiting)
        self.waiting = list(work.waiting)
        self.left = len(work.seconds)
        self.leased = 0
        self.attempts: dict[int, int] = {}
        self.failures: dict[int, tuple[int, int]] = {}
        self.caps: tuple[Cap, ...] = ()

    def take(self) -> tuple[int, int]:
        """The next ready task: its place in the step, and the number of this attempt."""
        seq = self.ready.popleft()
        attempt = self.attempts.get(seq, 0) + 1
        self.attempts[seq] = attempt
        self.leased += 1
        self.job.leased += 1
        return seq, attempt

    def finish(self, seq: int) -> bool:
        """A task is done; whether that made another one ready."""
        self.leased -= 1
        self.left -= 1
        self.job.leased -= 1
        self.job.left -= 1
        feeds = self.work.feeds[seq]
        if feeds is None:
            return False
        reducer = self.job.steps[feeds[0]]
        reducer.waiting[feeds[1]] -= 1
        if reducer.waiting[feeds[1]]:
            return False
        reducer.ready.append(feeds[1])
        return True

    def drop(self) -> None:
        """A lease has ended because its job did."""
        self.leased -= 1
        self.job.leased -= 1

    def fail(self, seq: int, failure: FailureClass, *, other_workers: bool) -> RetryDecision:
        """An attempt has failed; what follows. The caller puts the task back when its delay is over."""
        self.leased -= 1
        self.job.leased -= 1
        by_user, troubles = self.failures.get(seq, (0, 0))
        decision = decide_retry(
            FailedAttempt(failure, by_user, troubles, self.job.work.line.max_attempts, other_workers)
        )
        self.failures[seq] = (decision.user_failures, decision.troubles)
        return decision


class JobRun:
    """A job: what production wishes of it now, what is left of it, and what becomes of it."""

    __slots__ = (
        "deadline_s",
        "finish_s",
        "hold",
        "home_finish_s",
        "home_high_s",
        "home_unknown",
        "index",
        "leased",
        "left",
        "outcome",
        "priority",
        "slack_s",
        "steps",
        "submitted",
        "waits_for",
        "work",
    )  # fmt: skip

    def __init__(self, index: int, work: WorkJob, first_step: int) -> None:
        line = work.line
        self.index, self.work = index, work
        self.priority, self.deadline_s, self.hold = line.priority, line.deadline_s, False
        self.waits_for: set[str] = set(line.depends_on)
        self.submitted = False
        self.finish_s: float | None = None
        self.slack_s: float | None = None
        # When it would end if every job stayed at home; unknown until it was foretold for the first time.
        self.home_finish_s: float | None = None
        self.home_high_s: float | None = None
        self.home_unknown = True
        self.left = work.task_count
        self.leased = 0
        self.steps = [StepRun(self, i, first_step + i, step) for i, step in enumerate(work.steps)]
        self.outcome = JobOutcome(
            line.job, line.project, line.owner, line.shot, line.submitted_s, line.deadline_s, self.left
        )

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.outcome.ended_s is not None

    @property
    def leasable(self) -> bool:
        """Whether its ready tasks may be taken."""
        return self.submitted and not self.hold and not self.waits_for and self.outcome.ended_s is None

    def follow(self, change: Change) -> None:
        """Production wishes something else."""
        if change.priority is not None:
            self.priority = change.priority
        if change.deadline_s is not None and not self.ended:
            self.deadline_s = self.outcome.deadline_s = change.deadline_s
        if change.hold is not None:
            self.hold = change.hold

    def end(self, now_s: float, status: str) -> None:
        """The job has ended; nothing of it is leased any more."""
        self.outcome.status, self.outcome.ended_s = status, now_s
        for step in self.steps:
            step.ready.clear()


def job_runs(jobs: Iterable[WorkJob]) -> list[JobRun]:
    """The jobs at the beginning of a replay; steps are numbered from 1."""
    runs: list[JobRun] = []
    first_step = 1
    for index, job in enumerate(jobs):
        runs.append(JobRun(index, job, first_step))
        first_step += len(job.steps)
    return runs
