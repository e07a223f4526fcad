"""How what happens to tasks moves steps and jobs: one function from counts to the job's event."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.domain.states import JobEvent, JobStatus


@dataclass(frozen=True)
class TaskCounts:
    """How many tasks of a job (or step) are in each state."""

    blocked: int = 0
    ready: int = 0
    leased: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0

    @property
    def total(self) -> int:
        """All tasks."""
        return self.blocked + self.ready + self.leased + self.succeeded + self.failed + self.canceled

    def __add__(self, other: TaskCounts) -> TaskCounts:
        return TaskCounts(
            self.blocked + other.blocked,
            self.ready + other.ready,
            self.leased + other.leased,
            self.succeeded + other.succeeded,
            self.failed + other.failed,
            self.canceled + other.canceled,
        )


@dataclass(frozen=True)
class Ripple:
    """What the job should do next, and why, in words for the record."""

    event: JobEvent
    reason: str


def job_event(status: JobStatus, counts: TaskCounts, *, failed_tasks_max: int) -> Ripple | None:
    """The event that the counts of a job's tasks call for, or None.

    A job ends FAILED when nothing of it can run any more, or as soon as `failed_tasks_max` tasks have failed for
    good: a broken scene must not burn a night of the farm.
    """
    if status in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED):
        return None
    if counts.total and counts.succeeded == counts.total:
        return Ripple(JobEvent.FINISH, f"all {counts.total} tasks succeeded")
    if counts.failed >= failed_tasks_max:
        return Ripple(JobEvent.EXHAUST, f"{counts.failed} tasks failed, which is this farm's limit for one job")
    if counts.failed and not counts.ready and not counts.leased:
        return Ripple(JobEvent.EXHAUST, f"{counts.failed} of {counts.total} tasks failed and nothing is left to run")
    if status is JobStatus.QUEUED and (counts.leased or counts.succeeded or counts.failed):
        return Ripple(JobEvent.START, "a task was leased")
    return None
