"""The named query behind costs: how long attempts held their slots, summed by worker, project, outcome and a group.

The sums are made in the database, so that a job of a hundred thousand tasks costs a few rows here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

import sqlalchemy
from sqlalchemy import ColumnElement, String, and_, case, cast, func, literal, literal_column, or_
from sqlmodel import Session, col, select

from scheduler.domain.costs import Usage
from scheduler.domain.states import AttemptStatus
from scheduler.store.instances import CloudInstance
from scheduler.store.site_usage import load_site_usage
from scheduler.store.tables import Attempt, Job, Task, Worker

GROUP_COLUMN = "usage_group"

Group = Literal["pool", "project", "shot", "job", "attempt"]
"""What usage may be summed by; a job's group is its number, an attempt's `task.attempt`, a pool's a worker of it."""


def load_usage(
    session: Session,
    *,
    now_s: float,
    since_s: float = 0.0,
    job: int | None = None,
    pools: Collection[str] | None = None,
    launched: bool | None = None,
    by: Group = "project",
) -> list[Usage]:
    """Usage since `since_s`, of one job or of all, in some pools or in all; `by` is what `Usage.group` names.

    `launched` True: only on workers whose machine the farm has launched; False: only on others.

    An attempt took the seconds that its worker measured, else the time that it held its lease; what still runs counts
    up to `now_s`, and what began before `since_s` counts from there on. A worker that is not known any more counts as
    one vCPU of the pool "". On a launched machine the price is the machine's own. What other farms spent on jobs that
    were handed over to them is among it, unless only launched machines are asked for.
    """
    took, group = _took(since_s, now_s), _group(by).label(GROUP_COLUMN)
    # The overloads of `select` end at four columns of tables; these are sums as well.
    query: Any = (
        sqlalchemy.select(
            col(Attempt.worker), col(Job.project), group, col(Attempt.status), func.sum(took), func.count()
        )
        .join(Task, col(Task.id) == col(Attempt.task_id))
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(or_(col(Attempt.ended_at).is_(None), col(Attempt.ended_at) > since_s))
        # By its name: PostgreSQL takes two expressions with parameters of their own for two different things.
        .group_by(col(Attempt.worker), col(Job.project), literal_column(GROUP_COLUMN), col(Attempt.status))
    )
    if job is not None:
        query = query.where(col(Task.job_id) == job)
    if pools is not None:
        wanted = select(Worker.id).where(col(Worker.pool).in_(list(pools)))
        query = query.where(col(Attempt.worker).in_(wanted))
    if launched is not None:
        hired = col(Worker.instance) != "" if launched else col(Worker.instance) == ""
        query = query.where(col(Attempt.worker).in_(select(Worker.id).where(hired)))
    rows: list[Any] = list(session.exec(query).all())
    workers = {row.id: row for row in _workers(session, {row[0] for row in rows})}
    own = own_prices(session, workers.values())
    found = [_usage(workers.get(row[0]), own.get(row[0]), row) for row in rows]
    return found if launched else found + load_site_usage(session, since_s=since_s, job=job, pools=pools, by=by)


def _group(by: Group) -> Any:
    if by == "attempt":
        return cast(col(Attempt.task_id), String) + "." + cast(col(Attempt.attempt), String)
    if by == "job":
        return cast(col(Job.id), String)
    return {"shot": col(Job.shot), "pool": col(Attempt.worker)}.get(by, col(Job.project))


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


def own_prices(session: Session, workers: Iterable[Worker]) -> dict[str, float]:
    """By worker: what its machine costs an hour, where the farm has launched it."""
    by_machine = {(worker.pool, worker.instance): worker.id for worker in workers if worker.instance}
    if not by_machine:
        return {}
    names = sorted({instance for _pool, instance in by_machine})
    found = session.exec(select(CloudInstance).where(col(CloudInstance.id).in_(names))).all()
    return {by_machine[row.pool, row.id]: row.price_usd_per_hour for row in found if (row.pool, row.id) in by_machine}


def _usage(worker: Worker | None, price: float | None, row: Any) -> Usage:
    _worker, project, group, status, seconds, attempts = row
    return Usage(
        pool=worker.pool if worker else "",
        project=project,
        seconds=float(seconds or 0.0),
        attempts=int(attempts),
        useful=status == AttemptStatus.SUCCEEDED,
        vcpus=float(worker.capabilities.get("vcpus") or 1) if worker else 1.0,
        slots=worker.slots if worker else 1,
        group=str(group or ""),
        price_usd_per_hour=price,
    )
