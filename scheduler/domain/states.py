"""The state machines of work and of who does it, each one table; those of rented machines are in `instance_states`.

What is not in a table may not happen: `step` raises `InvalidTransition`. `docs/states.md` is generated from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class JobEvent(StrEnum):
    """What can happen to a job."""

    START = "start"
    FINISH = "finish"
    EXHAUST = "exhaust"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


class TaskStatus(StrEnum):
    """Where a task stands."""

    BLOCKED = "BLOCKED"
    READY = "READY"
    LEASED = "LEASED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class TaskEvent(StrEnum):
    """What can happen to a task."""

    UNBLOCK = "unblock"
    LEASE = "lease"
    COMPLETE = "complete"
    REQUEUE = "requeue"
    EXHAUST = "exhaust"
    CANCEL = "cancel"
    REOPEN = "reopen"
    REBLOCK = "reblock"


class AttemptStatus(StrEnum):
    """Where one execution of a task stands."""

    LEASED = "LEASED"
    PUBLISHING = "PUBLISHING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    LOST = "LOST"
    RETURNED = "RETURNED"
    CANCELED = "CANCELED"


class AttemptEvent(StrEnum):
    """What can happen to an attempt."""

    DELIVER = "deliver"
    SUCCEED = "succeed"
    FAIL = "fail"
    EXPIRE = "expire"
    RETURN = "return"
    CANCEL = "cancel"
    RECLAIM = "reclaim"


class WorkerStatus(StrEnum):
    """Where a worker stands."""

    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"
    PROBATION = "PROBATION"
    LOST = "LOST"


class WorkerEvent(StrEnum):
    """What can happen to a worker."""

    DRAIN = "drain"
    ENABLE = "enable"
    SUSPECT = "suspect"
    REDEEM = "redeem"
    LOSE = "lose"
    RETURN = "return"
    RETURN_DRAINING = "return_draining"


JOB_MEANING: Mapping[JobStatus, str] = {
    JobStatus.QUEUED: "Accepted; no task of it has been leased yet.",
    JobStatus.RUNNING: "At least one task has been leased, and not all have ended.",
    JobStatus.PAUSED: "Nothing new is leased; what runs may finish.",
    JobStatus.SUCCEEDED: "Every frame was verified and published.",
    JobStatus.FAILED: "Some task failed for good and nothing is left that could run.",
    JobStatus.CANCELED: "Ended by a person; nothing more is leased or published.",
}

TASK_MEANING: Mapping[TaskStatus, str] = {
    TaskStatus.BLOCKED: "A merge that still waits for the parts it merges.",
    TaskStatus.READY: "May be leased.",
    TaskStatus.LEASED: "One worker has the right to publish it.",
    TaskStatus.SUCCEEDED: "Its output is published.",
    TaskStatus.FAILED: "It has used up its attempts.",
    TaskStatus.CANCELED: "Its job was canceled.",
}

ATTEMPT_MEANING: Mapping[AttemptStatus, str] = {
    AttemptStatus.LEASED: "A worker holds the lease.",
    AttemptStatus.PUBLISHING: "Its files are staged; the scheduler verifies and publishes them or keeps a checkpoint.",
    AttemptStatus.SUCCEEDED: "Its output is the task's output.",
    AttemptStatus.FAILED: "It ended in an error, or its output was not what was asked for.",
    AttemptStatus.LOST: "The worker was not heard of in time. Its result still counts until the task is leased again.",
    AttemptStatus.RETURNED: "The worker gave the lease back unharmed, perhaps with a checkpoint.",
    AttemptStatus.CANCELED: "Stopped because its job was canceled.",
}

WORKER_MEANING: Mapping[WorkerStatus, str] = {
    WorkerStatus.ACTIVE: "Takes work.",
    WorkerStatus.DRAINING: "Finishes what it has and takes nothing new.",
    WorkerStatus.PROBATION: "Failed fast several times in a row; gets one task at a time, at growing intervals.",
    WorkerStatus.LOST: "Not heard of for longer than a lease.",
}


JOB_TRANSITIONS: Mapping[tuple[JobStatus, JobEvent], JobStatus] = {
    (JobStatus.QUEUED, JobEvent.START): JobStatus.RUNNING,
    (JobStatus.QUEUED, JobEvent.FINISH): JobStatus.SUCCEEDED,
    (JobStatus.QUEUED, JobEvent.EXHAUST): JobStatus.FAILED,
    (JobStatus.QUEUED, JobEvent.PAUSE): JobStatus.PAUSED,
    (JobStatus.QUEUED, JobEvent.CANCEL): JobStatus.CANCELED,
    (JobStatus.RUNNING, JobEvent.FINISH): JobStatus.SUCCEEDED,
    (JobStatus.RUNNING, JobEvent.EXHAUST): JobStatus.FAILED,
    (JobStatus.RUNNING, JobEvent.PAUSE): JobStatus.PAUSED,
    (JobStatus.RUNNING, JobEvent.CANCEL): JobStatus.CANCELED,
    (JobStatus.PAUSED, JobEvent.FINISH): JobStatus.SUCCEEDED,
    (JobStatus.PAUSED, JobEvent.EXHAUST): JobStatus.FAILED,
    (JobStatus.PAUSED, JobEvent.RESUME): JobStatus.QUEUED,
    (JobStatus.PAUSED, JobEvent.CANCEL): JobStatus.CANCELED,
    (JobStatus.FAILED, JobEvent.RETRY): JobStatus.QUEUED,
    (JobStatus.FAILED, JobEvent.CANCEL): JobStatus.CANCELED,
    (JobStatus.CANCELED, JobEvent.RETRY): JobStatus.QUEUED,
}

TASK_TRANSITIONS: Mapping[tuple[TaskStatus, TaskEvent], TaskStatus] = {
    (TaskStatus.BLOCKED, TaskEvent.UNBLOCK): TaskStatus.READY,
    (TaskStatus.BLOCKED, TaskEvent.CANCEL): TaskStatus.CANCELED,
    (TaskStatus.READY, TaskEvent.LEASE): TaskStatus.LEASED,
    # Late work of a lost lease that nobody else has taken yet.
    (TaskStatus.READY, TaskEvent.COMPLETE): TaskStatus.SUCCEEDED,
    (TaskStatus.READY, TaskEvent.CANCEL): TaskStatus.CANCELED,
    (TaskStatus.READY, TaskEvent.REBLOCK): TaskStatus.BLOCKED,
    (TaskStatus.LEASED, TaskEvent.COMPLETE): TaskStatus.SUCCEEDED,
    (TaskStatus.LEASED, TaskEvent.REQUEUE): TaskStatus.READY,
    (TaskStatus.LEASED, TaskEvent.EXHAUST): TaskStatus.FAILED,
    (TaskStatus.LEASED, TaskEvent.CANCEL): TaskStatus.CANCELED,
    (TaskStatus.FAILED, TaskEvent.REOPEN): TaskStatus.READY,
    (TaskStatus.FAILED, TaskEvent.REBLOCK): TaskStatus.BLOCKED,
    (TaskStatus.FAILED, TaskEvent.CANCEL): TaskStatus.CANCELED,
    (TaskStatus.CANCELED, TaskEvent.REOPEN): TaskStatus.READY,
    (TaskStatus.CANCELED, TaskEvent.REBLOCK): TaskStatus.BLOCKED,
}

ATTEMPT_TRANSITIONS: Mapping[tuple[AttemptStatus, AttemptEvent], AttemptStatus] = {
    (AttemptStatus.LEASED, AttemptEvent.DELIVER): AttemptStatus.PUBLISHING,
    (AttemptStatus.LEASED, AttemptEvent.SUCCEED): AttemptStatus.SUCCEEDED,
    (AttemptStatus.LEASED, AttemptEvent.FAIL): AttemptStatus.FAILED,
    (AttemptStatus.LEASED, AttemptEvent.EXPIRE): AttemptStatus.LOST,
    (AttemptStatus.LEASED, AttemptEvent.RETURN): AttemptStatus.RETURNED,
    (AttemptStatus.LEASED, AttemptEvent.CANCEL): AttemptStatus.CANCELED,
    (AttemptStatus.PUBLISHING, AttemptEvent.SUCCEED): AttemptStatus.SUCCEEDED,
    (AttemptStatus.PUBLISHING, AttemptEvent.FAIL): AttemptStatus.FAILED,
    # What it has handed over is a checkpoint, which the next attempt goes on from.
    (AttemptStatus.PUBLISHING, AttemptEvent.RETURN): AttemptStatus.RETURNED,
    (AttemptStatus.PUBLISHING, AttemptEvent.CANCEL): AttemptStatus.CANCELED,
    # The worker is back, still at work, and nobody else has taken the task.
    (AttemptStatus.LOST, AttemptEvent.RECLAIM): AttemptStatus.LEASED,
    (AttemptStatus.LOST, AttemptEvent.DELIVER): AttemptStatus.PUBLISHING,
    (AttemptStatus.LOST, AttemptEvent.SUCCEED): AttemptStatus.SUCCEEDED,
}

WORKER_TRANSITIONS: Mapping[tuple[WorkerStatus, WorkerEvent], WorkerStatus] = {
    (WorkerStatus.ACTIVE, WorkerEvent.DRAIN): WorkerStatus.DRAINING,
    (WorkerStatus.ACTIVE, WorkerEvent.SUSPECT): WorkerStatus.PROBATION,
    (WorkerStatus.ACTIVE, WorkerEvent.LOSE): WorkerStatus.LOST,
    (WorkerStatus.DRAINING, WorkerEvent.ENABLE): WorkerStatus.ACTIVE,
    (WorkerStatus.DRAINING, WorkerEvent.LOSE): WorkerStatus.LOST,
    (WorkerStatus.PROBATION, WorkerEvent.REDEEM): WorkerStatus.ACTIVE,
    (WorkerStatus.PROBATION, WorkerEvent.ENABLE): WorkerStatus.ACTIVE,
    (WorkerStatus.PROBATION, WorkerEvent.DRAIN): WorkerStatus.DRAINING,
    (WorkerStatus.PROBATION, WorkerEvent.LOSE): WorkerStatus.LOST,
    (WorkerStatus.LOST, WorkerEvent.RETURN): WorkerStatus.ACTIVE,
    (WorkerStatus.LOST, WorkerEvent.RETURN_DRAINING): WorkerStatus.DRAINING,
}


TERMINAL_JOBS = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED})
TERMINAL_TASKS = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELED})

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


class InvalidTransition(Exception):
    """A state machine was asked for a move that its table does not have."""

    def __init__(self, state: StrEnum, event: StrEnum, story: str = "") -> None:
        self.state, self.event, self.story = state, event, story
        super().__init__(f"{event.value} is not possible in state {state.value}" + (f": {story}" if story else ""))


def step(table: Mapping[tuple[State, Event], State], state: State, event: Event, *, story: str = "") -> State:
    """The state after `event`.

    Raises:
        InvalidTransition: the table has no such move; `story` tells what led here.
    """
    try:
        return table[state, event]
    except KeyError:
        raise InvalidTransition(state, event, story) from None


def may(table: Mapping[tuple[State, Event], State], state: State, event: Event) -> bool:
    """Whether the table has the move."""
    return (state, event) in table
