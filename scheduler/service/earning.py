"""What ended attempts mean for the workers that made them and their owners: counted and booked in bulk, now and then,
so that the hot road does no bookkeeping.

Each pass takes the attempts that ended since the last one. The point in time up to which was counted is written in the
same transaction as the counts and the points, so that a crash leaves both or neither, and a pass that is repeated adds
nothing. What an attempt of a machine earns is its vCPUs (the slot's part of the machine, or what the job asked for),
times the seconds between lease and end as the scheduler saw them, times the machine's rating.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case
from sqlalchemy import select as columns
from sqlmodel import Session, col, func, or_, select

from scheduler.domain.economy import BookingKind, points_earned, put_in
from scheduler.domain.retrying import FailureClass
from scheduler.domain.states import AttemptStatus
from scheduler.service.economy import prices_of
from scheduler.service.farm import Farm
from scheduler.service.refunding import account_of
from scheduler.service.viewing import reading
from scheduler.store.production import PointsEntry
from scheduler.store.tables import Attempt, Job, Meta, Task, Worker
from scheduler.store.transaction import Transaction

COUNTED_UNTIL = "workers.counted_until"
"""The `Meta` row with the time up to which attempts have been counted, seconds since the epoch."""

BOOK_INTERVAL_S = 60.0
"""How often a scheduler should book."""

SETTLE_S = 30.0
"""Attempts are counted when they ended this long ago: an end is dated when its report comes in, and committed later."""

RATING_UNKNOWN = 1.0
"""A machine that was never measured counts as the reference machine."""

HOUR_S = 3600.0

FAULTS = (FailureClass.INFRA.value, FailureClass.LOST.value)
"""Failures that are the worker's. A broken scene, a missing licence or a reclaimed machine is not."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one worker did for one job since the last pass."""

    worker: str
    vcpus_asked: float
    succeeded: int
    failed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Booked:
    """What a pass came to: workers with news, and points that were booked."""

    workers: int = 0
    points: float = 0.0


async def book_attempts(farm: Farm) -> Booked:
    """Count the attempts that ended since the last pass, and book what they earned if the economy is on."""
    until_s = farm.now_s() - SETTLE_S
    since_s, works = await reading(farm, lambda session: _ended(session, until_s))
    if since_s >= until_s:
        return Booked()

    def change(tx: Transaction) -> Booked:
        if _counted_until(tx.session) != since_s:
            return Booked()  # somebody else has counted them meanwhile
        done = _apply(tx, farm, works)
        _note_counted(tx, until_s)
        return done

    return await farm.store.awrite(change)


def _ended(session: Session, until_s: float) -> tuple[float, list[Work]]:
    """Since when was not counted, and what was done since then until `until_s`, by worker and job."""
    since_s = _counted_until(session)
    held_s = col(Attempt.ended_at) - col(Attempt.leased_at)
    # A worker says how long it rendered; it cannot have been longer than it held the lease.
    seconds = case((col(Attempt.seconds) < held_s, col(Attempt.seconds)), else_=held_s)
    good = col(Attempt.status) == AttemptStatus.SUCCEEDED
    query = (
        columns(
            col(Attempt.worker),
            col(Job.id),
            func.sum(case((good, 1), else_=0)),
            func.sum(
                case((or_(col(Attempt.failure).in_(FAULTS), col(Attempt.status) == AttemptStatus.LOST), 1), else_=0)
            ),
            func.sum(case((good, seconds), else_=0.0)),
        )
        .select_from(Job)
        .join(Task, col(Task.job_id) == Job.id)
        .join(Attempt, col(Attempt.task_id) == Task.id)
        # Only jobs that were alive since then are looked into, whatever the length of the history.
        .where(
            col(Job.started_at).is_not(None),
            or_(col(Job.ended_at).is_(None), col(Job.ended_at) > since_s),
            col(Attempt.ended_at) > since_s,
            col(Attempt.ended_at) <= until_s,
        )
        .group_by(col(Attempt.worker), col(Job.id))
    )
    rows = session.connection().execute(query).all()
    asked = _vcpus_asked(session, [job for _worker, job, *_ in rows if job is not None])
    return since_s, [
        Work(worker, asked.get(job or 0, 1.0), int(succeeded), int(failed), max(0.0, float(seconds_sum or 0.0)))
        for worker, job, succeeded, failed, seconds_sum in rows
    ]


def _vcpus_asked(session: Session, jobs: Sequence[int]) -> dict[int, float]:
    found = session.exec(select(Job.id, Job.requires).where(col(Job.id).in_(set(jobs)))).all() if jobs else []
    return {job or 0: float(requires.get("vcpus", 1)) for job, requires in found}


def _counted_until(session: Session) -> float:
    row = session.get(Meta, COUNTED_UNTIL)
    return float(row.value) if row is not None else 0.0


def _note_counted(tx: Transaction, until_s: float) -> None:
    tx.session.merge(Meta(key=COUNTED_UNTIL, value=repr(until_s)))


def _apply(tx: Transaction, farm: Farm, works: Sequence[Work]) -> Booked:
    by_worker: dict[str, list[Work]] = {}
    for work in works:
        by_worker.setdefault(work.worker, []).append(work)
    points = 0.0
    for worker, done in sorted(by_worker.items()):
        row = tx.session.get(Worker, worker)
        if row is None:
            continue
        row.succeeded += sum(work.succeeded for work in done)
        row.failed += sum(work.failed for work in done)
        if farm.settings.economy.enabled and row.owner:
            points += _earn(tx, farm, row, done)
    return Booked(len(by_worker), points)


def _earn(tx: Transaction, farm: Farm, row: Worker, done: Sequence[Work]) -> float:
    """Book what a worker's owner has earned; returns the points."""
    machine = float(row.capabilities.get("vcpus", 1))
    slot = machine / max(1, row.slots)
    vcpu_s = sum(min(machine, max(slot, work.vcpus_asked)) * work.seconds for work in done)
    earned = points_earned(row.rating or RATING_UNKNOWN, 1.0, vcpu_s, prices_of(farm.settings))
    if earned <= 0.0:
        return 0.0
    account = account_of(tx, row.owner)
    booking = put_in(account.balance, earned, BookingKind.EARNED)
    account.balance = booking.balance
    tx.session.add(
        PointsEntry(
            user=row.owner,
            at=farm.now_s(),
            kind=booking.kind.value,
            points=booking.points,
            balance=booking.balance,
            worker=row.id,
            note=f"{vcpu_s / HOUR_S:.3f} vCPU-hours on {row.name} at a rating of {row.rating or RATING_UNKNOWN:g}",
        )
    )
    return booking.points
