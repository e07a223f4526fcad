"""Points, as in DistRen: users earn them with the time and power that their machines give, and spend them to raise a
job's priority. Pure bookkeeping: a balance goes in, a booking comes out, and no booking leaves less than nothing. Where
accounts are kept and who may do what is not known here.

The idea is DistRen's ("render power multiplied by cpu time used", http://protofusion.org/wiki/DistRen).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import floor, isfinite

POINTS_QUANTUM = 1e-6
"""The smallest amount of points; whatever is earned is rounded down to it."""

POINTS_MAX = 1e9
"""The most points in one booking, so that balances stay exact to the quantum."""

BALANCE_MAX = 1e9
"""The most points in one account; what would go beyond is not booked."""

HOUR_S = 3600.0


class BookingKind(StrEnum):
    """Why points moved."""

    EARNED = "EARNED"
    GRANTED = "GRANTED"
    SPENT = "SPENT"
    REFUNDED = "REFUNDED"


@dataclass(frozen=True, slots=True)
class Booking:
    """Points that moved: positive into the account, negative out of it; `balance` is what there is afterwards."""

    kind: BookingKind
    points: float
    balance: float


@dataclass(frozen=True, slots=True)
class Prices:
    """What points are worth: see `[economy]` in the settings."""

    earn_points_per_hour: float = 1.0
    boost_cost_points: float = 1.0
    boost_max: float = 20.0


@dataclass(frozen=True, slots=True)
class Purchase:
    """A boost that was bought: the booking, and the job's boost afterwards, in points of priority."""

    booking: Booking
    boost: float


class Refusal(StrEnum):
    """Why a purchase is not possible."""

    NOT_POSITIVE = "not_positive"
    TOO_FEW = "too_few_points"
    OVER_CAP = "boost_cap"


def points_earned(rating: float, vcpus: float, seconds: float, prices: Prices) -> float:
    """Points for so many vCPUs over so many seconds on a machine of this rating (1.0: the reference machine's vCPU)."""
    if not all(isfinite(value) and value > 0.0 for value in (rating, vcpus, seconds)):
        return 0.0
    earned = min(rating * vcpus * seconds / HOUR_S * prices.earn_points_per_hour, POINTS_MAX)
    return floor(earned / POINTS_QUANTUM) * POINTS_QUANTUM


def put_in(balance: float, points: float, kind: BookingKind) -> Booking:
    """Points go into an account: earned, granted or refunded. What does not fit under `BALANCE_MAX` is not booked."""
    taken = min(max(0.0, points), POINTS_MAX, BALANCE_MAX - balance)
    return Booking(kind, taken, balance + taken)


def buy_boost(balance: float, boost: float, points: float, prices: Prices) -> Purchase | Refusal:
    """Spend points on a job that has `boost` points of priority from earlier purchases."""
    if not (isfinite(points) and points >= POINTS_QUANTUM):
        return Refusal.NOT_POSITIVE
    if points > balance:
        return Refusal.TOO_FEW
    raised = boost + points / prices.boost_cost_points
    if raised > prices.boost_max + POINTS_QUANTUM:
        return Refusal.OVER_CAP
    return Purchase(Booking(BookingKind.SPENT, -points, max(0.0, balance - points)), min(raised, prices.boost_max))


def points_left(boost: float, prices: Prices) -> float:
    """How many points can still be spent on a job that has so much boost."""
    return max(0.0, prices.boost_max - boost) * prices.boost_cost_points


def refunds(booked: Iterable[tuple[str, float]]) -> dict[str, float]:
    """What each user gets back for a job that was never started: what went out for it and has not come back.

    `booked` are the users and points of all SPENT (negative) and REFUNDED (positive) bookings of the job.
    """
    out: dict[str, float] = {}
    for user, points in booked:
        out[user] = out.get(user, 0.0) - points
    return {user: points for user, points in out.items() if points >= POINTS_QUANTUM}
