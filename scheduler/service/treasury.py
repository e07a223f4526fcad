"""The budgets in force: what each has spent and reserved, what may still be committed, and what happens at the cap.

Two kinds of cost count. Instances cost from launch to confirmed end (`domain.budgeting`). Attempts on workers of a pool
with a price that the farm did not launch itself cost the time that they held a slot (`domain.costs`); nobody launched
those, so they can only be counted, and at the cap be given no more work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlmodel import Session

from scheduler.domain.budgeting import EVERYBODY, Committed, Rents, committed
from scheduler.domain.costs import Account, Usage, account, period_end_s, period_start_s
from scheduler.settings import PoolSettings, Settings
from scheduler.store.renting import load_rents
from scheduler.store.usage import load_usage


@dataclass(frozen=True)
class Standing:
    """A budget in its present period. `attempts` are those on workers that the farm did not launch."""

    name: str
    usd: float
    start_s: float
    end_s: float | None
    instances: Committed = field(default_factory=Committed)
    attempts: Account = field(default_factory=Account)
    work: Account = field(default_factory=Account)
    by_pool_usd: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def spent_usd(self) -> float:
        """What is gone."""
        return self.instances.spent_usd + self.attempts.usd

    @property
    def room_usd(self) -> float:
        """What may still be committed."""
        return self.usd - self.spent_usd - self.instances.reserved_usd


def prices(pools: Mapping[str, PoolSettings]) -> dict[str, float]:
    """US dollars for an hour of one worker, of the pools that have a price."""
    return {name: pool.price_usd_per_hour for name, pool in pools.items() if pool.price_usd_per_hour > 0}


def attempts_spent(session: Session, settings: Settings, now_s: float) -> dict[str, float]:
    """By budget: what attempts on workers that were not launched by the farm have cost in the present period."""
    costs = prices(settings.pools)
    if not costs or not settings.budgets:
        return {}
    return {
        name: account(_usages(session, name, costs, period_start_s(budget.period, now_s), now_s), costs).usd
        for name, budget in settings.budgets.items()
    }


def rooms(session: Session, settings: Settings, now_s: float, attempts_usd: Mapping[str, float]) -> dict[str, float]:
    """By budget: US dollars that may still be committed. Runs inside the transaction that commits them."""
    rents = _rents(session, settings, now_s)
    return {
        name: budget.usd
        - committed(name, rents[period_start_s(budget.period, now_s)], now_s).usd
        - attempts_usd.get(name, 0.0)
        for name, budget in settings.budgets.items()
    }


def standings(session: Session, settings: Settings, now_s: float) -> list[Standing]:
    """Every budget as it stands."""
    rents = _rents(session, settings, now_s)
    return [
        _standing(session, settings, name, rents[period_start_s(budget.period, now_s)], now_s)
        for name, budget in settings.budgets.items()
    ]


def _rents(session: Session, settings: Settings, now_s: float) -> dict[float, Rents]:
    """By the start of a period: everything that costs in it."""
    starts = {period_start_s(budget.period, now_s) for budget in settings.budgets.values()}
    return {start_s: load_rents(session, start_s) for start_s in starts}


def _standing(session: Session, settings: Settings, name: str, rents: Rents, now_s: float) -> Standing:
    costs, budget, start_s = prices(settings.pools), settings.budgets[name], rents.start_s
    usages = _usages(session, name, costs, start_s, now_s) if costs else []
    launched = load_usage(session, now_s=now_s, since_s=start_s, launched=True) if rents.pools else []
    mine = [usage for usage in launched if name in (EVERYBODY, usage.project)]
    by_pool = {pool: account([u for u in usages if u.pool == pool], costs).usd for pool in costs}
    for pool in sorted(rents.pools):
        by_pool[pool] = by_pool.get(pool, 0.0) + committed(name, rents.of(pool), now_s).spent_usd
    return Standing(
        name=name,
        usd=budget.usd,
        start_s=start_s,
        end_s=period_end_s(budget.period, now_s),
        instances=committed(name, rents, now_s),
        attempts=account(usages, costs),
        work=account([*usages, *mine], costs),
        by_pool_usd=by_pool,
    )


def _usages(session: Session, name: str, costs: Mapping[str, float], start_s: float, now_s: float) -> list[Usage]:
    found = load_usage(session, now_s=now_s, since_s=start_s, pools=list(costs), launched=False)
    return [usage for usage in found if name in (EVERYBODY, usage.project)]
