"""What a budget does when it is spent, and the alerts on the way there; called at an interval.

That no launch takes a budget over its cap is seen to when it is intended (`launching`). Here, spending that has reached
the cap ends what the setting `at_cap` says: `stop_launching` nothing more, `drain` whatever the budget pays once its
work is done, `stop` at once. Until the budget's next period, its work is given no slot of a pool that costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from sqlmodel import Session, col, select

from scheduler.domain.budgeting import EPSILON_USD, EVERYBODY, reached
from scheduler.service.costing import budget_view
from scheduler.service.farm import Farm, iso
from scheduler.service.launching import Launcher
from scheduler.service.ledger import Ledger
from scheduler.service.live import ALL_PROJECTS
from scheduler.service.severing import Held, take_back
from scheduler.service.treasury import Standing, prices, standings
from scheduler.service.viewing import reading
from scheduler.store.instances import BudgetAlert
from scheduler.store.transaction import Transaction

log = structlog.get_logger()


class Treasurer:
    """Counts the money and enforces the caps."""

    def __init__(self, farm: Farm, launcher: Launcher) -> None:
        self._farm, self._launcher = farm, launcher

    async def run(self) -> list[dict[str, Any]]:
        """One count; returns the budgets as they are shown."""
        settings, now_s = self._farm.settings, self._farm.now_s()
        if not settings.budgets:
            return []
        found = await reading(self._farm, lambda session: standings(session, settings, now_s))
        await self._alert(found)
        await self._enforce(found)
        return [budget_view(standing, settings.budgets[standing.name], now_s) for standing in found]

    # ---- Alerts ------------------------------------------------------------------------------------------------------

    async def _alert(self, found: list[Standing]) -> None:
        """An event for each threshold that was reached, once in each period."""
        due = {
            standing.name: reached(standing.spent_usd, standing.usd, self._farm.settings.budgets[standing.name].alerts)
            for standing in found
        }
        if not any(due.values()):
            return
        known = await reading(self._farm, lambda session: _given(session, found))
        new = [
            (standing, part) for standing in found for part in due[standing.name]
            if (standing.name, standing.start_s, part) not in known
        ]  # fmt: skip
        if new:
            await self._farm.change(lambda tx, ledger: [self._give(tx, ledger, *alert) for alert in new])

    def _give(self, tx: Transaction, ledger: Ledger, standing: Standing, part: float) -> None:
        if tx.session.get(BudgetAlert, (standing.name, standing.start_s, part)) is not None:
            return
        told: dict[str, Any] = {
            "threshold": part,
            "spent_usd": round(standing.spent_usd, 4),
            "reserved_usd": round(standing.instances.reserved_usd, 4),
            "usd": standing.usd,
            "at_cap": self._farm.settings.budgets[standing.name].at_cap,
        }
        tx.session.add(BudgetAlert(budget=standing.name, period_start=standing.start_s, threshold=part,
                                   at=ledger.now_s, details=told))  # fmt: skip
        ledger.event(tx, "budget.alert", budget=standing.name, **told)
        log.warning("budget.alert", budget=standing.name, period_ends_at=iso(standing.end_s), **told)

    # ---- The cap -----------------------------------------------------------------------------------------------------

    async def _enforce(self, found: list[Standing]) -> None:
        budgets = self._farm.settings.budgets
        spent = [standing for standing in found if standing.spent_usd >= standing.usd - EPSILON_USD]
        acting = [standing for standing in spent if budgets[standing.name].at_cap != "stop_launching"]
        self._close({standing.name for standing in acting})
        for standing in acting:
            at_once = budgets[standing.name].at_cap == "stop"
            if at_once:
                await self._take_back(standing.name)
            await self._retire(standing, at_once=at_once)

    def _close(self, names: set[str]) -> None:
        """Work of these budgets is given no slot of a pool that costs; of `farm`: nobody's is."""
        costly = set(prices(self._farm.settings.pools)) | {
            pool for pool, desk in self._launcher.desks.items() if desk.terms.price_usd_per_hour > 0
        }
        projects = frozenset(ALL_PROJECTS if name == EVERYBODY else name for name in names)
        self._farm.live.closed = dict.fromkeys(costly, projects) if projects else {}

    async def _retire(self, standing: Standing, *, at_once: bool) -> None:
        """Let go of the instances that this budget pays: all of them, or those launched for the project alone."""
        name = standing.name

        def mine(shares: Mapping[str, float]) -> bool:
            return name == EVERYBODY or set(shares) == {name}

        gone = await self._launcher.retire_all(f"budget {name!r} is spent", at_once=at_once, only=mine)
        if gone:
            log.warning("budget.retired", budget=name, instances=gone, at_once=at_once)

    async def _take_back(self, name: str) -> None:
        """End what runs of this budget in pools that cost. The tasks go back to the queue; no retries are spent."""
        live = self._farm.live
        held = [
            Held(lease.task, lease.attempt)
            for lease in live.leases.values()
            if (worker := live.workers.get(lease.worker)) is not None
            and worker.pool in live.closed
            and name in (EVERYBODY, live.plan.project_of(lease.step))
        ]
        if not held:
            return
        words = f"budget {name!r} is spent"

        def change(tx: Transaction, ledger: Ledger) -> None:
            take_back(tx, ledger, held, failure="preempted", message=words, other_workers=live.has_other(None))

        await self._farm.change(change)
        for lease in held:
            live.let_go(lease.task, lease.attempt)


def _given(session: Session, found: list[Standing]) -> set[tuple[str, float, float]]:
    names = [standing.name for standing in found]
    rows = session.exec(select(BudgetAlert).where(col(BudgetAlert.budget).in_(names))).all()
    return {(row.budget, row.period_start, row.threshold) for row in rows}
