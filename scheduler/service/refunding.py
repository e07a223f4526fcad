"""Points come back when a job that they were spent on is canceled before it was ever started.

It runs inside the transaction that cancels the job (`Ledger.move_job`), so that no road to CANCELED forgets it.
"""

from __future__ import annotations

from sqlmodel import col, select

from scheduler.domain.economy import BookingKind, put_in, refunds
from scheduler.store.production import PointsAccount, PointsEntry
from scheduler.store.tables import Job
from scheduler.store.transaction import Transaction


def refund_unstarted(tx: Transaction, job: int, now_s: float) -> dict[str, float]:
    """Give back what was spent on the job, if it has a boost and was never started; returns user to points."""
    row = tx.session.get(Job, job)
    if row is None or row.boost <= 0.0 or row.started_at is not None:
        return {}
    booked = tx.session.exec(
        select(PointsEntry.user, PointsEntry.points).where(
            PointsEntry.job_id == job, col(PointsEntry.kind).in_([BookingKind.SPENT, BookingKind.REFUNDED])
        )
    ).all()
    given = refunds((user, points) for user, points in booked)
    for user, points in given.items():
        account = account_of(tx, user)
        booking = put_in(account.balance, points, BookingKind.REFUNDED)
        account.balance = booking.balance
        tx.session.add(
            PointsEntry(
                user=user,
                at=now_s,
                kind=booking.kind.value,
                points=booking.points,
                balance=booking.balance,
                job_id=job,
                note="canceled before it started",
            )
        )
    row.boost = 0.0
    tx.session.flush()
    return given


def account_of(tx: Transaction, user: str) -> PointsAccount:
    """The user's account; opened empty if there is none."""
    account = tx.session.get(PointsAccount, user)
    if account is None:
        account = PointsAccount(user=user, balance=0.0)
        tx.session.add(account)
        tx.session.flush()
    return account
