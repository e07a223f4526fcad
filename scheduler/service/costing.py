"""Money: what a job has cost, and what is left of the budgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from scheduler.domain.costs import account, period_end_s, period_start_s
from scheduler.service.farm import Farm, iso
from scheduler.service.viewing import reading
from scheduler.settings import BudgetSettings, PoolSettings
from scheduler.store.usage import load_usage

EVERYBODY = "farm"
"""The budget of this name counts every project; another one counts the project of its own name."""

USD_DIGITS = 4
HOUR_DIGITS = 3


def prices(pools: Mapping[str, PoolSettings]) -> dict[str, float]:
    """US dollars for an hour of one worker, of the pools that have a price."""
    return {name: pool.price_usd_per_hour for name, pool in pools.items() if pool.price_usd_per_hour > 0}


async def list_budgets(farm: Farm) -> list[dict[str, Any]]:
    """Every budget with what was spent in its present period and what is left."""
    budgets, now_s = farm.settings.budgets, farm.now_s()
    if not budgets:
        return []
    costs = prices(farm.settings.pools)
    return await reading(
        farm, lambda session: [_view(session, name, budget, costs, now_s) for name, budget in budgets.items()]
    )


def _view(
    session: Session, name: str, budget: BudgetSettings, costs: Mapping[str, float], now_s: float
) -> dict[str, Any]:
    start_s = period_start_s(budget.period, now_s)
    usages = load_usage(session, now_s=now_s, since_s=start_s, pools=list(costs)) if costs else []
    counted = [usage for usage in usages if name in (EVERYBODY, usage.project)]
    spent = account(counted, costs)
    by_pool = {
        pool: round(account([usage for usage in counted if usage.pool == pool], costs).usd, USD_DIGITS)
        for pool in costs
    }
    return {
        "budget": name,
        "project": None if name == EVERYBODY else name,
        "usd": budget.usd,
        "period": budget.period,
        "period_starts_at": iso(start_s) if budget.period != "total" else None,
        "period_ends_at": iso(period_end_s(budget.period, now_s)),
        "at_cap": budget.at_cap,
        "spent_usd": round(spent.usd, USD_DIGITS),
        "retries_usd": round(spent.retry_usd, USD_DIGITS),
        "left_usd": round(max(0.0, budget.usd - spent.usd), USD_DIGITS),
        "core_hours": round(spent.core_hours, HOUR_DIGITS),
        "by_pool_usd": by_pool,
    }
