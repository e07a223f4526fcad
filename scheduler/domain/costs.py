"""What work has cost: core-hours and money, from the time that attempts held their slots.

An attempt holds one slot of its worker, so it counts a slot's share of the worker's vCPUs and of its price. What came
to nothing (failed, lost, given back, canceled) is paid for like the rest, and is shown apart from useful work. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

HOUR_S = 3600.0

Period = Literal["day", "week", "month", "total"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Time that attempts spent on workers of one kind.

    `seconds` is the sum over `attempts`; `vcpus` and `slots` are those of one whole worker. `useful`: they succeeded.
    `price_usd_per_hour` is the worker's own price; None: its pool's. `group` is whatever they were summed by.
    """

    pool: str
    project: str
    seconds: float
    attempts: int
    useful: bool
    vcpus: float = 1.0
    slots: int = 1
    group: str = ""
    price_usd_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Core-hours and US dollars: all of it, and the part (`retry_…`) that was spent on attempts without a result."""

    core_hours: float = 0.0
    usd: float = 0.0
    retry_core_hours: float = 0.0
    retry_usd: float = 0.0
    attempts: int = 0
    retries: int = 0


def account(usages: Iterable[Usage], price_usd_per_hour: Mapping[str, float]) -> Account:
    """Add up usages. `price_usd_per_hour` is the price of one worker by pool, for usages that have none of their own; a
    pool that is not in it is free."""
    core_hours, usd, attempts = [0.0, 0.0], [0.0, 0.0], [0, 0]
    for usage in usages:
        hours = max(0.0, usage.seconds) / HOUR_S / max(1, usage.slots)
        kind = 0 if usage.useful else 1
        core_hours[kind] += hours * max(0.0, usage.vcpus)
        own = usage.price_usd_per_hour
        usd[kind] += hours * max(0.0, price_usd_per_hour.get(usage.pool, 0.0) if own is None else own)
        attempts[kind] += usage.attempts
    return Account(sum(core_hours), sum(usd), core_hours[1], usd[1], sum(attempts), attempts[1])


def accounts_by(
    usages: Iterable[Usage], key: Callable[[Usage], str], price_usd_per_hour: Mapping[str, float]
) -> dict[str, Account]:
    """One account for each key, dearest first, then by name."""
    groups: dict[str, list[Usage]] = {}
    for usage in usages:
        groups.setdefault(key(usage), []).append(usage)
    found = {name: account(members, price_usd_per_hour) for name, members in groups.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1].usd, item[0])))


def period_start_s(period: Period, now_s: float) -> float:
    """When the period that `now_s` lies in began, in seconds since the epoch: UTC midnight, Monday, the first; or 0."""
    if period == "total":
        return 0.0
    now = datetime.fromtimestamp(now_s, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        day -= timedelta(days=day.weekday())
    elif period == "month":
        day = day.replace(day=1)
    return day.timestamp()


def period_end_s(period: Period, now_s: float) -> float | None:
    """When it ends, and the budget begins anew; None for `total`."""
    if period == "total":
        return None
    start = datetime.fromtimestamp(period_start_s(period, now_s), UTC)
    if period == "month":
        return (start + timedelta(days=32)).replace(day=1).timestamp()
    return (start + timedelta(days=7 if period == "week" else 1)).timestamp()


def in_usd(usd: float) -> str:
    """US dollars to the cent; what is less than ten cents with two digits that count."""
    return f"{usd:.2f}" if usd >= 0.1 or usd <= 0 else f"{usd:.2g}" if usd >= 1e-4 else "less than 0.0001"
