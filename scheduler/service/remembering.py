"""Samples of frame times on disk: the table FrameTimes, and the attempts of jobs that have not ended.

Owns the queries; what is kept of which samples is `learning`'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from scheduler.domain.estimating import FrameKey
from scheduler.domain.states import AttemptStatus, JobStatus
from scheduler.store.production import FrameTimes
from scheduler.store.tables import Attempt, Job, Step, Task, Worker
from scheduler.store.transaction import Query, Transaction

_REMEMBER = Query(
    """
    INSERT INTO frame_times (project, renderer, scene, kind, samples, count, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (project, renderer, scene, kind)
    DO UPDATE SET samples = excluded.samples, count = excluded.count, updated_at = excluded.updated_at
    """
)
_FORGET = Query("DELETE FROM frame_times WHERE project = ? AND renderer = ? AND scene = ? AND kind = ?")


@dataclass(frozen=True, slots=True)
class Kept:
    """Samples of one kind of frame, oldest first, in seconds on the reference machine; `count` there ever were."""

    key: FrameKey
    samples: Sequence[float]
    count: int


class Finished(NamedTuple):
    """An attempt that succeeded, of a job that has not ended."""

    job: Job
    kind: str
    final: bool
    frames: str
    tile: str | None
    part: str | None
    seconds: float | None
    rating: float | None


def write(tx: Transaction, kept: Sequence[Kept], gone: Sequence[FrameKey], now_s: float) -> None:
    """Write samples down in place of what was there, and forget the kinds of frames that are `gone`."""
    if kept:
        rows = [(*_names(each.key), json.dumps(each.samples), each.count, now_s) for each in kept]
        tx.run_many(_REMEMBER, rows)
    if gone:
        tx.run_many(_FORGET, [_names(key) for key in gone])


def read(session: Session, most: int) -> list[Kept]:
    """What was written down, those that were rendered last at the end."""
    query = select(FrameTimes).order_by(col(FrameTimes.updated_at).desc()).limit(most)
    return [
        Kept(FrameKey(row.project, row.renderer, row.scene, row.kind), row.samples, row.count)
        for row in reversed(session.exec(query).all())
    ]


def unfinished(session: Session, most: int) -> list[Finished]:
    """The latest attempts that succeeded of jobs that are under way, oldest first."""
    query = (
        select_columns(Job, *map(col, (Step.kind, Step.final, Task.frames, Task.tile, Task.slice)))
        .add_columns(col(Attempt.seconds), col(Worker.rating))
        .join(Task, col(Task.job_id) == Job.id)
        .join(Step, col(Step.id) == Task.step_id)
        .join(Attempt, (col(Attempt.task_id) == Task.id) & (col(Attempt.attempt) == Task.attempt))
        .join(Worker, col(Worker.id) == Attempt.worker, isouter=True)
        .where(
            col(Job.status).in_([JobStatus.RUNNING.value, JobStatus.PAUSED.value]),
            col(Attempt.status) == AttemptStatus.SUCCEEDED.value,
        )
        .order_by(col(Attempt.ended_at).desc())
        .limit(most)
    )
    return [Finished(*row) for row in reversed(session.execute(query).all())]


def _names(key: FrameKey) -> tuple[Any, ...]:
    return key.project, key.renderer, key.scene, key.kind
