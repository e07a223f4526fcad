"""What `squeue --json` says, as array tasks: one for each worker. **Pure.**

The shape changed between releases (openapi 0.0.38 of Slurm 22.05; data_parser of 23.02 and later, where numbers became
`{"set": …, "infinite": …, "number": …}` and a state a list of words), so nothing here relies on either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from scheduler.backends.base import InstanceState
from scheduler.backends.slurm import labels
from scheduler.errors import Unavailable

WAITING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)
ENDED = frozenset({
    "COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "DEADLINE", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "OUT_OF_MEMORY",
    "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL",
})  # fmt: skip
TASKS_MAX = 1_000_000
"""Tasks of one record at the most; Slurm's own limit of an array is 4,000,001, and no farm orders so many workers."""


@dataclass(frozen=True, slots=True)
class ArrayTask:
    """One worker in the queue. `id` is what `scancel` takes: `JOB_INDEX`."""

    id: str
    job: int
    labels: Mapping[str, str]
    states: frozenset[str]
    reason: str = ""
    partition: str = ""
    node: str = ""
    submitted_at_s: float = 0.0

    @property
    def state(self) -> InstanceState:
        """The farm's word for it. A word that nobody knows counts as running: what may live must not be forgotten."""
        if "COMPLETING" in self.states:
            return InstanceState.STOPPING
        if self.states & ENDED:
            return InstanceState.GONE
        return InstanceState.STARTING if self.states & WAITING else InstanceState.RUNNING


def read_queue(text: str, wanted: Mapping[str, str]) -> list[ArrayTask]:
    """The array tasks whose comment carries the `wanted` labels.

    Raises:
        Unavailable: this is no answer of Slurm, or Slurm says that it could not look.
    """
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise Unavailable("`squeue --json` did not answer with JSON; Slurm 21.08 or later is needed.") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("jobs"), list) or answer.get("errors"):
        said = answer.get("errors") if isinstance(answer, dict) else answer
        raise Unavailable(f"Slurm could not list its jobs: {json.dumps(said)[:300]}")
    found: list[ArrayTask] = []
    for record in answer["jobs"]:
        if isinstance(record, dict):
            found += _tasks(cast("dict[str, Any]", record), wanted)
    return found


def _tasks(record: Mapping[str, Any], wanted: Mapping[str, str]) -> Iterator[ArrayTask]:
    carried = labels.read(_text(record.get("comment")))
    if any(carried.get(name) != value for name, value in wanted.items()):
        return
    job, own, index = (_number(record.get(key)) for key in ("array_job_id", "job_id", "array_task_id"))
    array = int(job or own or 0)
    if index is not None:
        indices: Iterator[int] = iter((int(index),))
    else:
        indices = expand(_text(record.get("array_task_string")))
    for each in indices:
        yield ArrayTask(
            id=f"{array}_{each}",
            job=array,
            labels=carried,
            states=_words(record.get("job_state")),
            reason=_text(record.get("state_reason")),
            partition=_text(record.get("partition")),
            node=_text(record.get("nodes")),
            submitted_at_s=_number(record.get("submit_time")) or 0.0,
        )


def expand(text: str) -> Iterator[int]:
    """The indices of `0,3-7,10-20:5%4`, as Slurm writes the tasks of an array that wait in one record."""
    left = TASKS_MAX
    for part in text.partition("%")[0].split(","):
        span, _mark, step = part.partition(":")
        first, _mark, last = span.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            continue
        indices = range(int(first), int(last or first) + 1, int(step) if step.isdecimal() and int(step) else 1)
        yield from indices[:left]
        left = max(0, left - len(indices))


def _number(value: Any) -> float | None:
    if isinstance(value, dict):
        value = value.get("number") if value.get("set", True) and not value.get("infinite") else None
    return float(value) if isinstance(value, int | float) and abs(value) < 2**63 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _words(value: Any) -> frozenset[str]:
    words = value if isinstance(value, list) else [value]
    return frozenset(word.upper() for word in words if isinstance(word, str))
