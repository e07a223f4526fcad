"""What Slurm is told and what it says, without a Slurm: both shapes of `squeue --json`, options, refusals, notices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.backends.base import (
    LABEL_FARM,
    LABEL_INTENT,
    BackendError,
    InstanceState,
    LaunchOrder,
    NoticeKind,
    QuotaExceeded,
    Throttled,
    Unknown,
)
from scheduler.backends.slurm import labels
from scheduler.backends.slurm.notices import notice_of
from scheduler.backends.slurm.programs import refusal
from scheduler.backends.slurm.queue import ENDED, WAITING, ArrayTask, expand, read_queue
from scheduler.backends.slurm.submission import submission
from scheduler.errors import Unavailable
from scheduler.settings import SlurmPool

OURS = {LABEL_FARM: "f1"}
COMMENT = labels.written(OURS | {LABEL_INTENT: "i1"})


def old(**changes: Any) -> dict[str, Any]:
    """A record of Slurm 22.05 (openapi v0.0.38)."""
    record = {"array_job_id": 7, "job_id": 9, "array_task_id": 2, "array_task_string": "", "job_state": "RUNNING"}
    more = {"comment": COMMENT, "partition": "farm", "nodes": "n1", "submit_time": 1795888976, "state_reason": "None"}
    return record | more | changes


def new(**changes: Any) -> dict[str, Any]:
    """A record of Slurm 23.11 and later (data_parser v0.0.40)."""

    def number(value: int | None) -> dict[str, Any]:
        return {"set": value is not None, "infinite": False, "number": value or 0}

    record = old(job_state=["RUNNING"], array_job_id=number(7), array_task_id=number(2))
    return record | {"submit_time": number(1795888976)} | changes


def queue(*records: object, **more: object) -> list[ArrayTask]:
    return read_queue(json.dumps({"jobs": records, "errors": []} | more), OURS)


@pytest.mark.parametrize("record", [old(), new()])
def test_both_shapes_say_the_same(record: dict[str, Any]) -> None:
    assert queue(record) == [
        ArrayTask("7_2", 7, OURS | {LABEL_INTENT: "i1"}, frozenset({"RUNNING"}), "None", "farm", "n1", 1795888976.0)
    ]


UNSET = {"set": False, "infinite": False, "number": 0}


@pytest.mark.parametrize(
    "record",
    [
        old(array_task_id=None, array_task_string="0,2-3%5", job_state="PENDING"),
        new(array_task_id=UNSET, array_task_string="0,2-3%5", job_state=["PENDING"]),
    ],
)
def test_a_record_of_what_waits_is_as_many_workers(record: dict[str, Any]) -> None:
    found = queue(record)

    assert [task.id for task in found] == ["7_0", "7_2", "7_3"]
    assert {task.state for task in found} == {InstanceState.STARTING}


def test_jobs_of_others_are_passed_over() -> None:
    assert queue(old(comment=""), old(comment=labels.written({LABEL_FARM: "f2"})), old(comment=None), 3) == []


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ("CONFIGURING", InstanceState.STARTING),
        ("SUSPENDED", InstanceState.RUNNING),
        ("COMPLETING", InstanceState.STOPPING),
        (["COMPLETED", "COMPLETING"], InstanceState.STOPPING),
        (["PENDING", "POWER_UP_NODE"], InstanceState.STARTING),
        ("A WORD OF NEXT YEAR", InstanceState.RUNNING),
        *((state, InstanceState.GONE) for state in sorted(ENDED)),
        *((state, InstanceState.STARTING) for state in sorted(WAITING)),
    ],
)
def test_states(states: object, state: InstanceState) -> None:
    assert [task.state for task in queue(old(job_state=states))] == [state]


@pytest.mark.parametrize("text", ["", "squeue: unrecognized option", "[]", "3", "{}", '{"jobs": 3}'])
def test_what_is_no_answer_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Unavailable):
        read_queue(text, OURS)


def test_a_controller_that_is_away_is_no_empty_queue() -> None:
    """`squeue --json` of 22.05 ends with 0, no job and an error inside when it reaches nobody."""
    with pytest.raises(Unavailable, match="Failed while looking"):
        queue(errors=[{"description": "Failed while looking for jobs"}])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["set", "number", "x"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(old())), json_values))
def test_no_record_breaks_the_reading(record: dict[str, Any]) -> None:
    for task in queue(old() | record | {"comment": COMMENT}):
        assert task.state in InstanceState
        notice_of(task)


@given(st.sets(st.integers(0, 500), max_size=60))
def test_indices_come_back_as_they_went(indices: set[int]) -> None:
    spans: list[list[int]] = []
    for index in sorted(indices):
        if spans and spans[-1][1] == index - 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])

    assert set(expand(",".join(f"{first}-{last}" if first < last else str(first) for first, last in spans))) == indices


@pytest.mark.parametrize(
    ("text", "indices"),
    [("0-8:4", [0, 4, 8]), ("", []), ("1,x,3", [1, 3]), ("5-2", []), ("0-3%2", [0, 1, 2, 3]), ("0-9:0", [*range(10)])],
)
def test_odd_lists_of_indices(text: str, indices: list[int]) -> None:
    assert list(expand(text)) == indices


def test_an_absurd_list_of_indices_is_bounded() -> None:
    assert sum(1 for _index in expand("0-99999999999")) == 1_000_000


@given(st.dictionaries(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=20), max_size=4))
def test_labels_come_back_from_a_comment(given_labels: dict[str, str]) -> None:
    assert labels.read(labels.written(given_labels)) == given_labels


def options(life_s: float = 3600.0, count: int = 3, **settings: Any) -> tuple[str, ...]:
    return submission(LaunchOrder("i1", count, "", life_s), SlurmPool(**settings), "p", OURS).options


def test_every_setting_becomes_an_option() -> None:
    given = {"partition": "gpu", "account": "show", "qos": "high", "vcpus": 16, "memory_gib": 64.0}
    made = options(**given, gpus=2, gpu_type="a100", log_folder=Path("/logs"), sbatch_options=("--constraint=avx2",))

    assert {
        "--partition=gpu", "--account=show", "--qos=high", "--cpus-per-task=16", "--mem=65536M", "--gres=gpu:a100:2",
        "--constraint=avx2", "--array=0-2", "--no-requeue", "--output=/logs/outfield-%A_%a.log", "--time=60",
        "--deadline=now+5400", "--signal=B:USR1@120", f"--comment={labels.written(OURS)}",
    } <= set(made)  # fmt: skip
    assert made[0] == "--constraint=avx2"  # so that ours, which come later, win


def test_what_is_not_set_is_left_to_the_cluster() -> None:
    assert not [each for each in options() if each.startswith(("--partition", "--account", "--qos", "--gres"))]


@pytest.mark.parametrize(
    ("life_s", "limit_s", "minutes"), [(3600.0, None, 60), (3599.0, None, 59), (30.0, None, 1), (7200.0, 1800.0, 30)]
)
def test_a_job_is_never_longer_than_its_order_or_its_partition_allows(
    life_s: float, limit_s: float | None, minutes: int
) -> None:
    assert f"--time={minutes}" in options(life_s, time_limit_s=limit_s)


def test_a_short_job_is_not_warned_at_its_start() -> None:
    assert not [each for each in options(240.0) if each.startswith("--signal")]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Batch job submission failed: Invalid account or account/partition combination specified", BackendError),
        ("Batch job submission failed: Unable to contact slurm controller (connect failure)", BackendError),
        ("Batch job submission failed: Job violates accounting/QOS policy (job submit limit, …)", QuotaExceeded),
        ("Batch job submission failed: Slurm temporarily unable to accept job, sleeping and retrying", Throttled),
        ("Batch job submission failed: Socket timed out on send/recv operation", Unknown),
        ("Batch job submission failed: Zero Bytes were transmitted or received", Unknown),
        ("Batch job submission failed: Unexpected message received", Unknown),
    ],
)
def test_refusals(said: str, kind: type[Exception]) -> None:
    error = refusal(1, f"sbatch: error: {said}\n")

    assert type(error) is kind
    assert said in error.message and error.hint


@pytest.mark.parametrize("code", [0, -9])
def test_an_sbatch_that_was_killed_or_mumbled_may_have_submitted(code: int) -> None:
    assert type(refusal(code, "")) is Unknown


def task(state: str, reason: str = "None") -> ArrayTask:
    (found,) = queue(old(job_state=state, state_reason=reason))
    return found


@pytest.mark.parametrize(
    ("state", "reason", "kind", "instance"),
    [
        ("PREEMPTED", "None", NoticeKind.PREEMPTED, "7_2"),
        ("TIMEOUT", "TimeLimit", NoticeKind.PREEMPTED, "7_2"),
        ("NODE_FAIL", "NodeDown", NoticeKind.FAILED, "7_2"),
        ("OUT_OF_MEMORY", "OutOfMemory", NoticeKind.FAILED, "7_2"),
        ("PENDING", "AssocGrpCpuLimit", NoticeKind.QUOTA, ""),
        ("PENDING", "QOSMaxJobsPerUserLimit", NoticeKind.QUOTA, ""),
        ("PENDING", "PartitionTimeLimit", NoticeKind.FAILED, ""),
    ],
)
def test_what_is_told(state: str, reason: str, kind: NoticeKind, instance: str) -> None:
    told = notice_of(task(state, reason))

    assert told is not None
    assert (told.kind, told.intent, told.instance) == (kind, "i1", instance)
    assert told.message.startswith("Slurm job 7")


@pytest.mark.parametrize(
    ("state", "reason"),
    [("PENDING", "Priority"), ("PENDING", "Resources"), ("RUNNING", "None"), ("COMPLETED", "None"), ("CANCELLED", "X")],
)
def test_what_is_not_told(state: str, reason: str) -> None:
    assert notice_of(task(state, reason)) is None
