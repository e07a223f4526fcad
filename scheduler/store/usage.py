"""The named query behind costs: how long attempts held their slots, summed by worker, project and outcome.

The sums are made in the database, so that a job of a hundred thousand tasks costs a few rows here.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, and_, case, func, literal, or_
from sqlmodel import Session, col, select

from scheduler.domain.costs import Usage
from scheduler.domain.states import AttemptStatus
from scheduler.store.tables import Attempt, Job, Task, Worker


def load_usage(
    session: Session,
    *,
    now_s: float,
    since_s: float = 0.0,
    job: int | None = None,
    pools: Collection[str] | None = None,
) -> list[Usage]:
    """Usage since `since_s`, of one job or of all, in some pools or in all.

    An attempt took the seconds that its worker measured, else the time that it held its lease; what still runs counts
    up to `now_s`, and what began before `since_s` counts from there on. A worker that is not known any more counts as
    one vCPU of the pool "".
    """
    took = _took(since_s, now_s)
    # The overloads of `select` end at four columns of tables; these are sums as well.
    query: Any = (
        sqlalchemy.select(col(Attempt.worker), col(Job.project), col(Attempt.status), func.sum(took), func.count())
        .join(Task, col(Task.id) == col(Attempt.task_id))
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(or_(col(Attempt.ended_at).is_(None), col(Attempt.ended_at) > since_s))
        .group_by(col(Attempt.worker), col(Job.project), col(Attempt.status))
    )
    if job is not None:
        query = query.where(col(Task.job_id) == job)
    if pools is not None:
        wanted = select(Worker.id).where(col(Worker.pool).in_(list(pools)))
        query = query.where(col(Attempt.worker).in_(wanted))
    rows: list[Any] = list(session.exec(query).all())
    workers = {row.id: row for row in _workers(session, {row[0] for row in rows})}
    return [_usage(workers.get(row[0]), row) for row in rows]


def _took(since_s: float, now_s: float) -> ColumnElement[float]:
    """Seconds of one attempt that lie after `since_s`, never below zero."""
    running = and_(col(Attempt.ended_at).is_(None), col(Attempt.seconds).is_(None))
    end = case(
        (running, literal(now_s)),
        else_=func.coalesce(col(Attempt.ended_at), col(Attempt.leased_at) + col(Attempt.seconds)),
    )
    start = case((col(Attempt.seconds).is_(None), col(Attempt.leased_at)), else_=end - col(Attempt.seconds))
    clipped = case((start < since_s, literal(since_s)), else_=start)
    return case((end > clipped, end - clipped), else_=literal(0.0))


def _workers(session: Session, ids: Collection[str]) -> list[Worker]:
    return list(session.exec(select(Worker).where(col(Worker.id).in_(list(ids)))).all())


def _usage(worker: Worker | None, row: Any) -> Usage:
    _worker, project, status, seconds, attempts = row
    return Usage(
        pool=worker.pool if worker else "",
        project=project,
        seconds=float(seconds or 0.0),
        attempts=int(attempts),
        useful=status == AttemptStatus.SUCCEEDED,
        vcpus=float(worker.capabilities.get("vcpus") or 1) if worker else 1.0,
        slots=worker.slots if worker else 1,
    )
