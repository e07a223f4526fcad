"""The record of forecasts: what running jobs were foretold, what became of it, and how good that was.

A job that fails, is canceled, or is paused ends otherwise than was foretold, for reasons that no forecast could know:
its open forecasts are dropped, not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlmodel import Session, col, select

from scheduler.domain import accuracy
from scheduler.domain.accuracy import Judged
from scheduler.domain.calibrating import Calibration, calibrate
from scheduler.domain.forecasting import Forecast
from scheduler.store import production
from scheduler.store.tables import Job
from scheduler.store.transaction import Query, Transaction

JUDGED_MAX = 10_000
"""Forecasts, the latest, that a report looks at."""

_RECORD = Query("INSERT INTO forecast (job_id, made_at, share, finish, low, high, basis) VALUES (?, ?, ?, ?, ?, ?, ?)")
_SETTLE = Query(
    """
    UPDATE forecast SET actual = (SELECT ended_at FROM job WHERE job.id = forecast.job_id)
    WHERE job_id = ? AND actual IS NULL
    AND EXISTS (SELECT 1 FROM job WHERE job.id = forecast.job_id AND job.status = 'SUCCEEDED')
    """
)
_OF_JOB = Query(
    """
    SELECT job.renderer, forecast.share, forecast.made_at, forecast.finish, forecast.low, forecast.high, forecast.actual
    FROM forecast JOIN job ON job.id = forecast.job_id
    WHERE forecast.job_id = ? AND forecast.actual IS NOT NULL ORDER BY forecast.id
    """
)
_FORGET_OPEN = Query("DELETE FROM forecast WHERE job_id = ? AND actual IS NULL")


@dataclass(frozen=True)
class Record:
    """A forecast as it is recorded; `share` of the job's tasks had succeeded."""

    job: int
    made_at: float
    share: float
    forecast: Forecast


def record(tx: Transaction, records: Sequence[Record]) -> None:
    """Write forecasts down."""
    rows = [(each.job, each.made_at, each.share, *each.forecast) for each in records]
    if rows:
        tx.run_many(_RECORD, rows)


def settle(tx: Transaction, jobs: Sequence[int]) -> list[list[Judged]]:
    """These jobs have left the queue: fill in when they succeeded, drop what cannot be judged.

    Returns the forecasts of each job that succeeded, with what became of them.
    """
    if not jobs:
        return []
    tx.run_many(_SETTLE, [(job,) for job in jobs])
    tx.run_many(_FORGET_OPEN, [(job,) for job in jobs])
    judged = ([Judged(*row) for row in tx.rows(_OF_JOB, (job,))] for job in jobs)
    return [forecasts for forecasts in judged if forecasts]


def open_jobs(session: Session) -> set[int]:
    """Jobs with forecasts that have not been judged."""
    query = select(production.Forecast.job_id).where(col(production.Forecast.actual).is_(None)).distinct()
    return set(session.exec(query).all())


def learned(session: Session) -> Calibration:
    """What the record teaches about intervals."""
    jobs: dict[int, list[Judged]] = {}
    for job, forecast in sorted(_judged(session), key=lambda found: (found[1].actual_s, found[0], found[1].made_s)):
        jobs.setdefault(job, []).append(forecast)
    return calibrate(jobs.values())


def accuracy_report(session: Session) -> dict[str, Any]:
    """How good the latest forecasts were, all in all, by share done and by renderer."""
    forecasts = [forecast for _job, forecast in _judged(session)]
    return {
        **asdict(accuracy.judge(forecasts)),
        "by_share": [
            {"from": bounds[0], "to": bounds[1], **asdict(found)}
            for bounds, found in accuracy.by_share(forecasts).items()
        ],
        "by_renderer": [{"renderer": name, **asdict(found)} for name, found in accuracy.by_renderer(forecasts).items()],
    }


def _judged(session: Session) -> list[tuple[int, Judged]]:
    """The latest judged forecasts, each with its job."""
    row = production.Forecast
    query = (
        select(row, Job.renderer)
        .join(Job, col(Job.id) == row.job_id)
        .where(col(row.actual).is_not(None))
        .order_by(col(row.id).desc())
        .limit(JUDGED_MAX)
    )
    return [
        (told.job_id, Judged(renderer, told.share, told.made_at, told.finish, told.low, told.high, told.actual or 0.0))
        for told, renderer in session.exec(query)
    ]
