"""Money for people: the budgets as they stand, and what jobs, shots, shows and single attempts have cost."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from scheduler.domain.budgeting import EVERYBODY, forecast_usd, runs_out_at_s
from scheduler.domain.costs import Account, Usage, accounts_by
from scheduler.service.farm import Farm, iso
from scheduler.service.treasury import Standing, prices, standings
from scheduler.service.viewing import reading
from scheduler.settings import BudgetSettings
from scheduler.store.usage import Group, load_usage

USD_DIGITS = 4
HOUR_DIGITS = 3


async def list_budgets(farm: Farm) -> list[dict[str, Any]]:
    """Every budget with what was spent in its present period, what is reserved, and what is left."""
    settings, now_s = farm.settings, farm.now_s()
    if not settings.budgets:
        return []
    found = await reading(farm, lambda session: standings(session, settings, now_s))
    return [budget_view(standing, settings.budgets[standing.name], now_s) for standing in found]


def budget_view(standing: Standing, budget: BudgetSettings, now_s: float) -> dict[str, Any]:
    """A budget as it is shown. `left_usd` counts what is spent, `free_usd` what is reserved as well."""
    spent, reserved = standing.spent_usd, standing.instances.reserved_usd
    start_s = standing.start_s
    foretold = forecast_usd(spent, start_s, now_s, standing.end_s) if budget.period != "total" else None
    pace = standing.instances.usd_per_hour
    gone_at_s = runs_out_at_s(max(0.0, budget.usd - spent), pace, now_s)
    if gone_at_s is not None and standing.end_s is not None and gone_at_s > standing.end_s:
        gone_at_s = None  # by then the next period has begun
    return {
        "budget": standing.name,
        "project": None if standing.name == EVERYBODY else standing.name,
        "usd": budget.usd,
        "period": budget.period,
        "period_starts_at": iso(start_s) if budget.period != "total" else None,
        "period_ends_at": iso(standing.end_s),
        "at_cap": budget.at_cap,
        "spent_usd": _usd(spent),
        "reserved_usd": _usd(reserved),
        "retries_usd": _usd(standing.work.retry_usd),
        "left_usd": _usd(max(0.0, budget.usd - spent)),
        "free_usd": _usd(max(0.0, standing.room_usd)),
        "usd_per_hour": _usd(pace),
        "forecast_usd": None if foretold is None else _usd(foretold),
        "runs_out_at": iso(gone_at_s),
        "core_hours": round(standing.work.core_hours, HOUR_DIGITS),
        "by_pool_usd": {pool: _usd(usd) for pool, usd in standing.by_pool_usd.items()},
    }


async def list_costs(farm: Farm, *, by: Group, job: int | None, since_s: float, limit: int) -> list[dict[str, Any]]:
    """What work since `since_s` has cost, by what is asked for, dearest first: slots of machines while they worked.

    What machines cost while they stood idle or booted is nobody's work; it is in the budgets only.
    """
    costs, now_s = prices(farm.settings.pools), farm.now_s()

    def read(session: Session) -> list[Usage]:
        return load_usage(session, now_s=now_s, since_s=since_s, job=job, by=by)

    usages = await reading(farm, read)
    found = accounts_by(usages, lambda usage: usage.pool if by == "pool" else usage.group, costs)
    return [_cost_view(by, name, spent) for name, spent in list(found.items())[:limit]]


def _cost_view(by: Group, name: str, spent: Account) -> dict[str, Any]:
    return {
        "by": by,
        "name": f"{int(name):05d}" if by == "job" else name,
        "usd": _usd(spent.usd),
        "retries_usd": _usd(spent.retry_usd),
        "core_hours": round(spent.core_hours, HOUR_DIGITS),
        "attempts": spent.attempts,
        "retries": spent.retries,
    }


def _usd(value: float) -> float:
    return round(value, USD_DIGITS)
