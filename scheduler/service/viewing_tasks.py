"""Tasks and their attempts as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select, tuple_

from scheduler.domain.handover import SITE_WORKER
from scheduler.domain.states import TaskStatus
from scheduler.errors import NotFound, Refused
from scheduler.service.farm import Farm, iso, job_number
from scheduler.service.viewing import find_job
from scheduler.store.tables import Attempt, Job, Step, Task


@dataclass(frozen=True)
class LogPart:
    """A part of an attempt's log: its bytes and how long the whole log is, in bytes."""

    data: bytes
    length: int


def number_of_task(text: str) -> int:
    """A task's number.

    Raises:
        NotFound: it is none.
    """
    number = job_number(text)
    if number is None:
        raise _unknown(text)
    return number


def list_tasks(
    session: Session, job: int, *, status: tuple[str, ...], after: tuple[int, int] | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """The tasks of a job in the order of its steps, and the cursor of the next page (None: this is the last).

    `after` is the (step, seq) that the page starts behind.

    Raises:
        NotFound: there is no such job in the queue.
    """
    away = find_job(session, job).away
    place = (col(Task.step_id), col(Task.seq))
    query = select(Task).where(Task.job_id == job).order_by(*place).limit(limit + 1)
    if status:
        query = query.where(col(Task.status).in_(status))
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(*after))
    rows = session.exec(query).all()
    page = rows[:limit]
    steps = {step.id: step for step in session.exec(select(Step).where(Step.job_id == job)).all()}
    cursor = f"{page[-1].step_id}.{page[-1].seq}" if len(rows) > limit and page else None
    return [task_view(row, steps[row.step_id], away) for row in page], cursor


def task_cursor(text: str) -> tuple[int, int] | None:
    """A cursor of `list_tasks`; the empty text is the beginning.

    Raises:
        Refused: it is none.
    """
    if not text:
        return None
    step, _, seq = text.partition(".")
    numbers = (job_number(step), job_number(seq))
    if numbers[0] is None or numbers[1] is None:
        raise Refused("cursor: take it from the X-Next-Cursor header of the page before.", code="invalid_field")
    return numbers[0], numbers[1]


def task_statuses(text: str) -> tuple[str, ...]:
    """`READY,leased` as known statuses.

    Raises:
        Refused: one of them is none.
    """
    wanted = tuple(part.strip().upper() for part in text.split(",") if part.strip())
    known = {status.value for status in TaskStatus}
    for status in wanted:
        if status not in known:
            hint = f"Statuses: {', '.join(TaskStatus)}."
            raise Refused(f"{status[:40]!r} is not a task status.", code="invalid_field", hint=hint)
    return wanted


def show_task(session: Session, task: int) -> dict[str, Any]:
    """One task with all its attempts, newest last.

    Raises:
        NotFound: there is no such task.
    """
    row = find_task(session, task)
    step = session.get(Step, row.step_id)
    attempts = session.exec(select(Attempt).where(Attempt.task_id == task).order_by(col(Attempt.attempt))).all()
    job = session.get(Job, row.job_id)
    away = job.away if job is not None else None
    return {**task_view(row, step, away), "attempts": [attempt_view(attempt) for attempt in attempts]}


def task_view(row: Task, step: Step | None, away: str | None = None) -> dict[str, Any]:
    """A task's row. Progress, note and picture of a running one are laid over it by `with_progress`.

    What waits for its frames to come home from the site `away` has that site in its worker's place.
    """
    waits = away is not None and row.status in (TaskStatus.READY, TaskStatus.BLOCKED)
    return {
        "task": row.id,
        "jobID": f"{row.job_id:05d}",
        "step": step.name if step else "",
        "kind": step.kind if step else "",
        "seq": row.seq,
        "status": row.status,
        "attempt": row.attempt,
        "frames": [int(frame) for frame in row.frames.split(",")],
        "tile": [int(part) for part in row.tile.split(",")] if row.tile else None,
        "slice": [int(part) for part in row.slice.split(",")] if row.slice else None,
        "worker": f"{SITE_WORKER}{away}" if waits else row.worker,
        "failures": row.failures,
        "message": row.message,
        "not_before": iso(row.not_before),
        "progress": 1.0 if row.status == TaskStatus.SUCCEEDED else 0.0,
        "note": f"at {away}" if waits else "",
        "pictured_at": None,
    }


def with_progress(farm: Farm, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lay what memory knows of running tasks over their views. In the event loop's thread."""
    for view in tasks:
        lease = farm.live.leases.get(view["task"])
        if lease is not None and lease.attempt == view["attempt"]:
            view["progress"], view["note"] = lease.progress, lease.note
            view["pictured_at"] = iso(lease.pictured_at)
    return tasks


def attempt_view(row: Attempt) -> dict[str, Any]:
    """One execution of a task; durations in seconds."""
    return {
        "attempt": row.attempt,
        "worker": row.worker,
        "status": row.status,
        "leased_at": iso(row.leased_at),
        "ended_at": iso(row.ended_at),
        "seconds": row.seconds,
        "failure": row.failure,
        "message": row.message,
        "exit_code": row.exit_code,
    }


def find_log(session: Session, farm: Farm, task: int, attempt: int | None) -> Path:
    """Where the log of an attempt lies, the newest attempt if none is named.

    Raises:
        NotFound: there is no such task or attempt.
    """
    row = find_task(session, task)
    wanted = row.attempt if attempt is None else attempt
    if attempt is not None and session.get(Attempt, (task, attempt)) is None:
        hint = f"GET /tasks/{task} lists its attempts."
        raise NotFound(f"Task {task} has no attempt {attempt}.", code="attempt_unknown", hint=hint)
    return farm.store.folders.log(row.job_id, task, wanted)


def read_log(path: Path, offset: int, size_max: int) -> LogPart:
    """At most `size_max` bytes of a log from `offset` on; a log that was never written is empty."""
    try:
        with path.open("rb") as file:
            length = file.seek(0, 2)
            file.seek(min(offset, length))
            return LogPart(file.read(size_max), length)
    except FileNotFoundError:
        return LogPart(b"", 0)


def find_task(session: Session, task: int) -> Task:
    """A task's row.

    Raises:
        NotFound: there is no such task.
    """
    row = session.get(Task, task)
    if row is None:
        raise _unknown(str(task))
    return row


def _unknown(text: str) -> NotFound:
    hint = "GET /jobs/{id}/tasks lists the tasks of a job."
    return NotFound(f"There is no task {text[:40]}.", code="task_unknown", hint=hint)
