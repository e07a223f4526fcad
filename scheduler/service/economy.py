"""Users' points: granted by an admin, earned with machines (`earning`), spent to raise a job's priority.

Every change of a balance is one booking in one transaction; the table refuses a balance below nothing (`production`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from sqlmodel import Session, col, func, or_, select

from scheduler.domain.economy import (
    POINTS_MAX,
    POINTS_QUANTUM,
    Booking,
    BookingKind,
    Prices,
    Purchase,
    Refusal,
    buy_boost,
    points_left,
    put_in,
)
from scheduler.domain.states import TERMINAL_JOBS, JobStatus
from scheduler.errors import Conflict, NotFound, Refused
from scheduler.service.farm import Farm, iso
from scheduler.service.identity import Role
from scheduler.service.ledger import Ledger
from scheduler.service.refunding import account_of
from scheduler.service.viewing import find_job
from scheduler.settings import Settings
from scheduler.store.production import PointsAccount, PointsEntry
from scheduler.store.tables import Token, Worker
from scheduler.store.transaction import Transaction


@dataclass(frozen=True)
class Boosted:
    """What a purchase came to."""

    job: int
    user: str
    spent: float
    boost: float
    balance: float

    def view(self) -> dict[str, Any]:
        """As it is shown."""
        return {
            "jobID": f"{self.job:05d}",
            "user": self.user,
            "spent": self.spent,
            "boost": self.boost,
            "balance": self.balance,
        }


ThenGranted = Callable[[Transaction], None]
ThenBoosted = Callable[[Transaction, Boosted], None]


def prices_of(settings: Settings) -> Prices:
    """What points are worth on this farm."""
    economy = settings.economy
    return Prices(economy.earn_points_per_hour, economy.boost_cost_points, economy.boost_max)


def require_economy(settings: Settings) -> None:
    """Points are only dealt in where a studio wants it.

    Raises:
        Conflict: `economy_off`, naming the setting.
    """
    if not settings.economy.enabled:
        raise Conflict(
            "This farm deals in no points.",
            code="economy_off",
            details={"setting": "economy.enabled"},
            hint="An admin turns it on with `enabled = true` under [economy] in outfield.toml, and a restart.",
        )


async def grant_points(
    farm: Farm, user: str, points: float, by: str, note: str = "", then: ThenGranted | None = None
) -> float:
    """Put points into a user's account; returns the points that were booked. `then` runs in the same transaction.

    Raises:
        Conflict: `economy_off`.
        Refused: not a positive number of points.
        NotFound: nobody of that name has a token, a machine or an account.
    """
    require_economy(farm.settings)
    if not (isfinite(points) and POINTS_QUANTUM <= points <= POINTS_MAX):
        raise _wrong(f"Points to grant lie above 0 and up to {POINTS_MAX:g}.")

    def change(tx: Transaction, ledger: Ledger) -> float:
        _known_user(tx.session, user)
        account = account_of(tx, user)
        booking = put_in(account.balance, points, BookingKind.GRANTED)
        _book(tx, account, booking, ledger.now_s, note=note or f"granted by {by}")
        ledger.event(tx, "points.granted", user=user, points=booking.points, by=by)
        if then is not None:
            tx.session.flush()
            then(tx)
        return booking.points

    return await farm.change(change)


async def boost_job(farm: Farm, user: str, job: int, points: float, then: ThenBoosted | None = None) -> Boosted:
    """Spend the user's points to raise a job's priority. `then` runs in the same transaction.

    Raises:
        Conflict: `economy_off`, `job_state` (it has ended), or `too_few_points`.
        Refused: not a positive number, or more than the job may still be given (`boost_cap`).
        NotFound: there is no such job in the queue.
    """
    require_economy(farm.settings)
    prices = prices_of(farm.settings)

    def change(tx: Transaction, ledger: Ledger) -> Boosted:
        row = find_job(tx.session, job)
        if JobStatus(row.status) in TERMINAL_JOBS:
            raise Conflict(
                f"Job {job:05d} is {row.status}: points would change nothing.",
                code="job_state",
                details={"status": row.status},
                hint="Boost a job that is queued, running or paused.",
            )
        account = account_of(tx, user)
        bought = buy_boost(account.balance, row.boost, points, prices)
        if isinstance(bought, Refusal):
            raise _refused(bought, account.balance, points_left(row.boost, prices))
        return _carry_out(tx, ledger, account, bought)

    def _carry_out(tx: Transaction, ledger: Ledger, account: PointsAccount, bought: Purchase) -> Boosted:
        row = find_job(tx.session, job)
        row.boost = bought.boost
        _book(tx, account, bought.booking, ledger.now_s, job=job)
        ledger.replan = True
        ledger.event(tx, "job.boosted", job=job, user=user, points=-bought.booking.points, boost=bought.boost)
        done = Boosted(job, user, -bought.booking.points, bought.boost, bought.booking.balance)
        if then is not None:
            tx.session.flush()
            then(tx, done)
        return done

    return await farm.change(change)


def _book(
    tx: Transaction, account: PointsAccount, booking: Booking, now_s: float, *, job: int | None = None, note: str = ""
) -> None:
    account.balance = booking.balance
    tx.session.add(
        PointsEntry(
            user=account.user,
            at=now_s,
            kind=booking.kind.value,
            points=booking.points,
            balance=booking.balance,
            job_id=job,
            note=note,
        )
    )


def _refused(refusal: Refusal, balance: float, left: float) -> Conflict | Refused:
    if refusal is Refusal.TOO_FEW:
        return Conflict(
            f"You have {balance:g} points.",
            code="too_few_points",
            details={"balance": balance},
            hint="Spend at most that; your machines earn more, and an admin can grant some.",
        )
    if refusal is Refusal.OVER_CAP:
        return Refused(
            f"At most {left:g} more points can be spent on this job.",
            code="boost_cap",
            details=[{"field": "points", "problem": f"at most {left:g}"}],
            hint="The cap is `boost_max` under [economy] in the farm's settings.",
        )
    return _wrong("Points to spend must be more than 0.")


def _wrong(problem: str) -> Refused:
    return Refused(problem, code="invalid_field", details=[{"field": "points", "problem": problem}])


# ---- Who there is, and what they have ----------------------------------------------------------------------------


def list_users(session: Session) -> list[dict[str, Any]]:
    """Everybody with a token, a machine or an account, by name."""
    balances = dict(session.exec(select(PointsAccount.user, PointsAccount.balance)).all())
    machines = dict(
        session.exec(select(Worker.owner, func.count()).where(Worker.owner != "").group_by(col(Worker.owner))).all()
    )
    sums: dict[str, dict[str, float]] = {}
    for user, kind, points in session.exec(
        select(PointsEntry.user, PointsEntry.kind, func.sum(PointsEntry.points)).group_by(
            col(PointsEntry.user), col(PointsEntry.kind)
        )
    ).all():
        sums.setdefault(user, {})[kind] = float(points or 0.0)
    names = {*balances, *machines, *_token_owners(session)}
    return [
        _user_view(name, balances.get(name, 0.0), sums.get(name, {}), machines.get(name, 0)) for name in sorted(names)
    ]


def show_user(session: Session, user: str, *, before: int | None, limit: int) -> tuple[dict[str, Any], int | None]:
    """A user's account with at most `limit` bookings with an id below `before`, newest first; and the next page's
    `before` (None: this is the last).

    Raises:
        NotFound: nobody of that name has a token, a machine or an account.
    """
    _known_user(session, user)
    query = select(PointsEntry).where(PointsEntry.user == user).order_by(col(PointsEntry.id).desc()).limit(limit + 1)
    if before is not None:
        query = query.where(col(PointsEntry.id) < before)
    rows = session.exec(query).all()
    account = session.get(PointsAccount, user)
    machines = session.exec(select(func.count()).select_from(Worker).where(Worker.owner == user)).one()
    sums = {
        kind: float(points or 0.0)
        for kind, points in session.exec(
            select(PointsEntry.kind, func.sum(PointsEntry.points))
            .where(PointsEntry.user == user)
            .group_by(col(PointsEntry.kind))
        ).all()
    }
    view = _user_view(user, account.balance if account else 0.0, sums, int(machines))
    page = rows[:limit]
    return {**view, "entries": [_entry_view(row) for row in page]}, page[-1].id if len(rows) > limit else None


def _user_view(user: str, balance: float, sums: dict[str, float], workers: int) -> dict[str, Any]:
    spent = -sums.get(BookingKind.SPENT, 0.0) - sums.get(BookingKind.REFUNDED, 0.0)
    return {
        "user": user,
        "balance": round(balance, 6),
        "earned": round(sums.get(BookingKind.EARNED, 0.0), 6),
        "granted": round(sums.get(BookingKind.GRANTED, 0.0), 6),
        "spent": round(max(0.0, spent), 6),
        "workers": workers,
    }


def _entry_view(row: PointsEntry) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": iso(row.at),
        "kind": row.kind,
        "points": round(row.points, 6),
        "balance": round(row.balance, 6),
        "jobID": None if row.job_id is None else f"{row.job_id:05d}",
        "worker": row.worker,
        "note": row.note,
    }


def _token_owners(session: Session) -> set[str]:
    """Whom the people's tokens belong to."""
    rows = session.exec(
        select(Token.owner, Token.name).where(
            col(Token.role).in_([Role.ADMIN, Role.USER]), col(Token.revoked_at).is_(None)
        )
    ).all()
    return {owner or name for owner, name in rows}


def _known_user(session: Session, user: str) -> None:
    """Raises `NotFound` for a name that nobody has."""
    if session.get(PointsAccount, user) is not None or user in _token_owners(session):
        return
    owned = session.exec(select(Worker.id).where(or_(Worker.owner == user)).limit(1)).first() if user else None
    if owned is None:
        raise NotFound(
            f"Nobody here is called {user[:100]!r}.",
            code="user_unknown",
            hint="`outfield user ls` shows who there is; `outfield token new` makes a token for somebody new.",
        )
