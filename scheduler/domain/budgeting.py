"""Money for instances: what one costs, what is reserved for it before it is launched, and what a budget has left.

An instance costs its price from its launch to its confirmed end, in whole billing units. Before it is launched, its
price for the longest life that it can have is reserved; as it lives, reservation turns into spending, and what is left
of it is released when it is gone. So spent and reserved together only ever grow by a launch, and a launch that would
take them over the budget does not happen. A project pays its share of the machines that were launched for its work,
whatever else they then took on. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

HOUR_S = 3600.0

EVERYBODY = "farm"
"""The budget of this name counts everything; another one counts the project of its own name."""

LATE_S = 60.0
"""How late the end of an instance's life may strike: providers take half a minute, and the reaper asks each minute."""

EPSILON_USD = 1e-9


@dataclass(frozen=True, slots=True)
class Rent:
    """The terms of one instance: US dollars an hour, the unit that is paid for even if only begun, its longest life."""

    price_usd_per_hour: float
    billing_s: float
    life_s: float

    def usd(self, lived_s: float) -> float:
        """What it has cost after `lived_s`; never more than `full_usd`."""
        if lived_s <= 0:
            return 0.0
        unit_s = max(1.0, self.billing_s)
        paid_s = min(math.ceil(lived_s / unit_s) * unit_s, self._full_s)
        return paid_s * self.price_usd_per_hour / HOUR_S

    @property
    def full_usd(self) -> float:
        """What it costs at the most, if it lives as long as it can: what is reserved for it."""
        return self._full_s * self.price_usd_per_hour / HOUR_S

    @property
    def _full_s(self) -> float:
        unit_s = max(1.0, self.billing_s)
        return math.ceil((self.life_s + LATE_S) / unit_s) * unit_s


@dataclass(frozen=True, slots=True)
class Rented:
    """An instance that is, or was. `pledged`: its intent still holds a reservation that counts it.

    `shares` maps projects to their part of its price, adding up to at most 1. Times are seconds since the epoch.
    """

    rent: Rent
    launched_at_s: float
    ended_at_s: float | None = None
    pledged: bool = True
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Pledge:
    """What an intent still holds: the reservation for `outstanding` instances that are there or may yet appear."""

    rent: Rent
    outstanding: int
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Paid:
    """What instances of one intent have cost that were launched and ended within the period."""

    usd: float
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    pool: str = ""


@dataclass(frozen=True)
class Rents:
    """Everything that costs in a period which began at `start_s`: what is gone summed up (`paid`), the rest singly."""

    start_s: float
    rented: Sequence[Rented] = ()
    pledges: Sequence[Pledge] = ()
    paid: Sequence[Paid] = ()

    @property
    def pools(self) -> set[str]:
        """The pools that any of it was in."""
        return {one.pool for one in (*self.rented, *self.paid)}

    def of(self, pool: str) -> Rents:
        """One pool's part of it, without what is only reserved."""
        rented = [one for one in self.rented if one.pool == pool]
        return Rents(self.start_s, rented, (), [one for one in self.paid if one.pool == pool])


@dataclass(frozen=True, slots=True)
class Committed:
    """US dollars of a budget that are gone, and those that are spoken for; `usd_per_hour`: what runs now costs."""

    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    usd_per_hour: float = 0.0

    @property
    def usd(self) -> float:
        """Both together: what a cap bounds."""
        return self.spent_usd + self.reserved_usd


def share_of(shares: Mapping[str, float], budget: str) -> float:
    """The part of an instance that a budget pays."""
    return 1.0 if budget == EVERYBODY else shares.get(budget, 0.0)


def committed(budget: str, rents: Rents, now_s: float) -> Committed:
    """What a budget has spent on instances since the period began, and what is reserved at `now_s`."""
    reserved = rate = 0.0
    spent = sum(share_of(one.shares, budget) * one.usd for one in rents.paid)
    for pledge in rents.pledges:
        reserved += share_of(pledge.shares, budget) * pledge.outstanding * pledge.rent.full_usd
    for one in rents.rented:
        share = share_of(one.shares, budget)
        if not share:
            continue
        until_s = now_s if one.ended_at_s is None else min(now_s, one.ended_at_s)
        cost = one.rent.usd(until_s - one.launched_at_s)
        spent += share * max(0.0, cost - one.rent.usd(rents.start_s - one.launched_at_s))
        if one.ended_at_s is None:
            rate += share * one.rent.price_usd_per_hour
            if one.pledged:
                reserved -= share * cost
    return Committed(spent, max(0.0, reserved), rate)


@dataclass(frozen=True, slots=True)
class Grant:
    """How many instances may be launched, which projects pay which part of each, and why not more."""

    count: int
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    reasons: tuple[str, ...] = ()


def grant(wanted: int, unit_usd: float, demand: Mapping[str, float], rooms: Mapping[str, float]) -> Grant:
    """How many of the `wanted` instances the budgets allow, each of which reserves `unit_usd`.

    `demand` weighs the projects whose work the instances are for; `rooms` is what each budget may still commit. A
    project whose budget has no room for its part drops out with the instances that were wanted for it; the others
    pay for the rest.
    """
    kept = {project: weight for project, weight in demand.items() if weight > 0}
    if unit_usd <= 0 or wanted <= 0:
        return Grant(max(0, wanted), _parts(kept))
    total, reasons = sum(kept.values()), list[str]()
    while short := [p for p, part in _parts(kept).items() if p in rooms and part * unit_usd > rooms[p] + EPSILON_USD]:
        for project in short:
            del kept[project]
            reasons.append(_words(project, rooms[project]))
    if total and not kept:
        return Grant(0, {}, tuple(reasons))
    count = math.ceil(wanted * sum(kept.values()) / total - EPSILON_USD) if reasons else wanted
    parts = _parts(kept)
    for budget in (EVERYBODY, *parts):
        fits = _fits(share_of(parts, budget) * unit_usd, rooms.get(budget))
        if fits < count:
            count = fits
            reasons.append(_words(budget, rooms[budget]))
    return Grant(count, parts if count else {}, tuple(reasons))


def _fits(usd: float, room: float | None) -> int:
    if room is None or usd <= 0:
        return 1_000_000
    return max(0, math.floor((room + EPSILON_USD) / usd))


def _parts(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()} if total > 0 else {}


def _words(budget: str, room: float) -> str:
    return f"budget {budget!r} has {max(0.0, room):.2f} USD left that nothing is reserved for"


def reached(spent_usd: float, cap_usd: float, thresholds: Iterable[float]) -> list[float]:
    """The thresholds (parts of the budget) that spending has reached, lowest first; of a budget of nothing, all."""
    return sorted(part for part in set(thresholds) if spent_usd >= part * cap_usd - EPSILON_USD)


def forecast_usd(spent_usd: float, start_s: float, now_s: float, end_s: float | None) -> float | None:
    """What will have been spent when the period ends, if the rest of it is like what was; None where it has no end."""
    if end_s is None or now_s <= start_s:
        return None
    return spent_usd * (end_s - start_s) / (now_s - start_s)


def runs_out_at_s(left_usd: float, usd_per_hour: float, now_s: float) -> float | None:
    """When the money is gone if what runs now runs on; None if nothing that costs is running."""
    return now_s + left_usd / usd_per_hour * HOUR_S if usd_per_hour > 0 else None
