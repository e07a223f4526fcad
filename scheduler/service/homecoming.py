"""Frames that another farm made come home: staged like a worker's files, and published by the same publisher.

A frame's file is brought to the staging folder of the attempt that will be; only when all files of a task are there
and have the hashes that were announced, the site takes the task (`arrive`), and from then on it is an ordinary
delivery: decoded, checked, placed by one rename, recorded behind the fence. So it is published once, whatever dies.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec
from sqlmodel import Session, col, select

from scheduler.domain.handover import SITE_WORKER
from scheduler.domain.states import AttemptStatus, TaskStatus
from scheduler.protocol.work import OutputFile
from scheduler.service.ledger import Ledger
from scheduler.store import hot
from scheduler.store.tables import Attempt, Job, Task
from scheduler.store.transaction import Transaction

GIVEN_BY_SITES = "site."


@dataclass(frozen=True)
class AwaitedTask:
    """A task whose frames are to come home: its last attempt, and the step that it belongs to."""

    task: int
    attempt: int
    step: int
    status: TaskStatus
    frames: tuple[int, ...]
    format: str

    @property
    def next_attempt(self) -> int:
        """The attempt that its files are staged for; nobody else takes the task while the job is away."""
        return self.attempt + 1

    def file_name(self, frame: int) -> str:
        """What a frame's file is called while it is staged; no worker gives that name."""
        return f"{GIVEN_BY_SITES}{frame:04d}.{self.format}"


def awaited_tasks(session: Session, job: int, now_s: float) -> list[AwaitedTask]:
    """The last tasks of a job that have not ended, in their order; those in a pause are left out."""
    rows = session.exec(
        select(Task, Job.format)
        .join(Job, col(Job.id) == Task.job_id)
        .where(
            Task.job_id == job, col(Task.feeds).is_(None), col(Task.status).in_((TaskStatus.READY, TaskStatus.BLOCKED))
        )
        .order_by(col(Task.step_id), col(Task.seq))
    ).all()
    return [
        AwaitedTask(
            task=task.id or 0,
            attempt=task.attempt,
            step=task.step_id,
            status=TaskStatus(task.status),
            frames=tuple(int(frame) for frame in task.frames.split(",")),
            format=kind,
        )
        for task, kind in rows
        if task.not_before is None or task.not_before <= now_s
    ]


def is_settled(session: Session, job: int) -> bool:
    """Whether nothing of the job is being published, or waits to be fetched again."""
    publishing = (
        select(Task.id)
        .join(Attempt, (col(Attempt.task_id) == Task.id) & (col(Attempt.attempt) == Task.attempt))
        .where(Task.job_id == job, Task.status == TaskStatus.LEASED, Attempt.status == AttemptStatus.PUBLISHING)
    )
    paused = select(Task.id).where(
        Task.job_id == job,
        col(Task.feeds).is_(None),
        col(Task.status).in_((TaskStatus.READY, TaskStatus.BLOCKED)),
        col(Task.not_before).is_not(None),
    )
    return session.exec(publishing.limit(1)).first() is None and session.exec(paused.limit(1)).first() is None


def arrive(tx: Transaction, ledger: Ledger, task: AwaitedTask, site: str, job: int, files: list[OutputFile]) -> bool:
    """All files of a task are staged: the site takes it and delivers at once. False: it is not awaited any more."""
    worker, attempt = f"{SITE_WORKER}{site}", task.next_attempt
    secret = secrets.token_hex(16)
    if not tx.run(hot.ARRIVE, (attempt, worker, secret, task.task, task.attempt, site)):
        return False
    manifest = msgspec.json.encode(files).decode()
    tx.run(hot.ATTEMPT_ARRIVED, (task.task, attempt, worker, ledger.now_s, manifest))
    ledger.move(task.step, task.status, TaskStatus.LEASED)
    ledger.event(tx, "site.arrived", job=job, task=task.task, attempt=attempt, worker=worker, frames=len(files))
    return True


def settle_parts(tx: Transaction, ledger: Ledger, task: int) -> None:
    """A frame is home: the parts that it would have been merged from are not needed any more."""
    for part, step_id, status in tx.rows(hot.PARTS, (task,)):
        tx.run(hot.PART_MADE_ELSEWHERE, (part,))
        ledger.move(int(step_id), TaskStatus(status), TaskStatus.SUCCEEDED)
        settle_parts(tx, ledger, int(part))
