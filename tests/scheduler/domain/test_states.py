"""The tables are the machines: every move is in them or is refused, and nothing is unreachable."""

from __future__ import annotations

import itertools

import pytest

from scheduler.domain import instance_states, states
from scheduler.domain.instance_states import (
    INSTANCE_MEANING,
    INSTANCE_TRANSITIONS,
    INTENT_MEANING,
    INTENT_TRANSITIONS,
    InstanceEvent,
    InstanceStatus,
    IntentEvent,
    IntentStatus,
)
from scheduler.domain.states import (
    ATTEMPT_MEANING,
    ATTEMPT_TRANSITIONS,
    JOB_MEANING,
    JOB_TRANSITIONS,
    TASK_MEANING,
    TASK_TRANSITIONS,
    TERMINAL_JOBS,
    WORKER_MEANING,
    WORKER_TRANSITIONS,
    AttemptEvent,
    AttemptStatus,
    InvalidTransition,
    JobEvent,
    JobStatus,
    TaskEvent,
    TaskStatus,
    WorkerEvent,
    WorkerStatus,
    may,
    step,
)

MACHINES = [
    (JobStatus, JobEvent, JOB_TRANSITIONS, JOB_MEANING, JobStatus.QUEUED),
    (TaskStatus, TaskEvent, TASK_TRANSITIONS, TASK_MEANING, TaskStatus.BLOCKED),
    (AttemptStatus, AttemptEvent, ATTEMPT_TRANSITIONS, ATTEMPT_MEANING, AttemptStatus.LEASED),
    (WorkerStatus, WorkerEvent, WORKER_TRANSITIONS, WORKER_MEANING, WorkerStatus.ACTIVE),
    (IntentStatus, IntentEvent, INTENT_TRANSITIONS, INTENT_MEANING, IntentStatus.INTENDED),
    (InstanceStatus, InstanceEvent, INSTANCE_TRANSITIONS, INSTANCE_MEANING, InstanceStatus.STARTING),
]


@pytest.mark.parametrize(("status", "event", "table", "meaning", "first"), MACHINES)
def test_every_move_is_in_the_table_or_refused(status, event, table, meaning, first):
    for pair in itertools.product(status, event):
        if pair in table:
            assert may(table, *pair)
            assert step(table, *pair) is table[pair]
        else:
            assert not may(table, *pair)
            with pytest.raises(InvalidTransition) as error:
                step(table, *pair, story="what led here")
            assert pair[0].value in str(error.value)
            assert "what led here" in str(error.value)


@pytest.mark.parametrize(("status", "event", "table", "meaning", "first"), MACHINES)
def test_every_state_is_reached_and_explained_and_every_event_used(status, event, table, meaning, first):
    reached = {first}
    for _ in status:
        reached |= {after for (before, _event), after in table.items() if before in reached}
    assert reached == set(status)
    assert set(meaning) == set(status)
    assert {used for _before, used in table} == set(event)


def test_a_succeeded_job_is_final():
    assert not [event for event in JobEvent if may(JOB_TRANSITIONS, JobStatus.SUCCEEDED, event)]


def test_terminal_jobs_only_move_by_a_persons_will():
    for status in TERMINAL_JOBS:
        moves = {event for event in JobEvent if may(JOB_TRANSITIONS, status, event)}
        assert moves <= {JobEvent.RETRY, JobEvent.CANCEL}


def test_the_tables_are_all_there_is():
    assert {name for name in vars(states) | vars(instance_states) if name.endswith("_TRANSITIONS")} == {
        "JOB_TRANSITIONS",
        "TASK_TRANSITIONS",
        "ATTEMPT_TRANSITIONS",
        "WORKER_TRANSITIONS",
        "INTENT_TRANSITIONS",
        "INSTANCE_TRANSITIONS",
    }
