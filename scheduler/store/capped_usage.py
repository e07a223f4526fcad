"""The named queries behind cost caps: the unended jobs that have one, and what each has cost in pools with a price."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import and_, func, or_, text
from sqlmodel import Session, col, select

from scheduler.domain.costs import HOUR_S
from scheduler.domain.states import AttemptStatus, JobStatus, TaskStatus
from scheduler.store.site_usage import load_site_usage
from scheduler.store.tables import Attempt, Job, Task, Worker
from scheduler.store.usage import own_prices

# The partial index `job_capped` holds the few jobs that have a cap.
_CAPPED = text(
    "SELECT id, cost_cap_usd, timeout_s FROM job WHERE cost_cap_usd IS NOT NULL"
    " AND status IN ('QUEUED', 'RUNNING', 'PAUSED') ORDER BY id"
)


UNENDED = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.PAUSED)


SECONDS = func.coalesce(col(Attempt.seconds), col(Attempt.ended_at) - col(Attempt.leased_at), 0.0)
"""What an attempt that is over took."""


class CappedJob(NamedTuple):
    """A job with a cap in US dollars, and the longest time of one of its attempts."""

    job: int
    cap_usd: float
    timeout_s: float


class OpenRow(NamedTuple):
    """An attempt that may cost more: when it was leased, and the seconds that are settled of one that was lost."""

    job: int
    step: int
    task: int
    attempt: int
    worker: str
    lost: bool
    leased_at: float
    settled_s: float


@dataclass(frozen=True)
class CappedUsage:
    """What jobs with a cap have cost. `settled_usd` is by job; `usd_per_s` what a slot of a worker costs, by worker."""

    settled_usd: Mapping[int, float] = field(default_factory=dict[int, float])
    open: Sequence[OpenRow] = ()
    usd_per_s: Mapping[str, float] = field(default_factory=dict[str, float])


def load_capped(session: Session) -> list[CappedJob]:
    """The jobs with a cap that have not ended."""
    return [CappedJob(int(row[0]), float(row[1]), float(row[2])) for row in session.connection().execute(_CAPPED)]


def load_capped_usage(
    session: Session,
    capped: Sequence[CappedJob],
    prices: Mapping[str, float],
    live: Collection[str],
    sites: Collection[str] = (),
) -> CappedUsage:
    """What the jobs with a cap have cost in the pools of `prices` (US dollars an hour of one worker; a machine that the
    farm has launched has its own). `live` are workers that are here, whose rates are told too; `sites` are those of the
    pools that are other farms."""
    spent: list[Any] = list(session.exec(_settled(prices)).all())
    running: list[Any] = list(session.exec(_opened(prices)).all())
    rates = _rates(session, {*live, *(row[1] for row in spent), *(row[4] for row in running)}, prices)
    usd = dict.fromkeys((one.job for one in capped), 0.0)
    for job, worker, took_s in spent:
        usd[job] = usd.get(job, 0.0) + max(0.0, float(took_s or 0.0)) * rates.get(worker, 0.0)
    for far in load_site_usage(session, since_s=0.0, job=None, pools=sites, by="job") if sites else ():
        if int(far.group) in usd:
            usd[int(far.group)] += far.seconds / HOUR_S * prices.get(far.pool, 0.0)
    rows = [_open(row) for row in running]
    return CappedUsage(usd, [row for row in rows if row.job in usd], rates)


def _of_capped(query: Any, prices: Mapping[str, float]) -> Any:
    """The attempts of unended jobs with a cap, on workers of these pools."""
    return (
        query.join(Task, col(Task.id) == col(Attempt.task_id))
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(col(Job.cost_cap_usd).is_not(None), col(Job.status).in_(UNENDED))
        .where(col(Attempt.worker).in_(select(Worker.id).where(col(Worker.pool).in_(list(prices)))))
    )


def _settled(prices: Mapping[str, float]) -> Any:
    """Seconds of attempts that are over, by job and worker."""
    query = sqlalchemy.select(col(Task.job_id), col(Attempt.worker), func.sum(SECONDS)).select_from(Attempt)
    found = _of_capped(query, prices).where(col(Attempt.status) != AttemptStatus.LEASED)
    return found.group_by(col(Task.job_id), col(Attempt.worker))


def _opened(prices: Mapping[str, float]) -> Any:
    """Attempts that run, and lost ones whose work would still be taken."""
    lost = and_(
        col(Attempt.status) == AttemptStatus.LOST,
        col(Task.status) == TaskStatus.READY,
        col(Task.attempt) == col(Attempt.attempt),
        col(Task.secret).is_not(None),
    )
    columns = (
        *(col(Task.job_id), col(Task.step_id), col(Task.id), col(Attempt.attempt), col(Attempt.worker)),
        *(col(Attempt.status), col(Attempt.leased_at), SECONDS),
    )
    query: Any = sqlalchemy.select(*columns).select_from(Attempt)
    return _of_capped(query, prices).where(or_(col(Attempt.status) == AttemptStatus.LEASED, lost))


def _open(row: Any) -> OpenRow:
    job, step, task, attempt, worker, status, leased_at, settled_s = row
    lost = status == AttemptStatus.LOST
    return OpenRow(job, step, task, attempt, worker, lost, leased_at, float(settled_s or 0.0) if lost else 0.0)


def _rates(session: Session, ids: Collection[str], prices: Mapping[str, float]) -> dict[str, float]:
    """US dollars for a second of one slot, by worker."""
    workers = session.exec(
        select(Worker).where(col(Worker.id).in_(list(ids)), col(Worker.pool).in_(list(prices)))
    ).all()
    own = own_prices(session, workers)
    return {
        worker.id: max(0.0, own.get(worker.id, prices[worker.pool])) / HOUR_S / max(1, worker.slots)
        for worker in workers
    }
