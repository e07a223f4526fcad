"""How a decision to launch becomes an intent with its money, within the pool's bounds and the budgets, or nothing."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlmodel import Session

from scheduler.domain.budgeting import Grant, Rent, grant
from scheduler.domain.instance_states import InstanceStatus, IntentStatus
from scheduler.domain.scaling import Scaling
from scheduler.routing.reserving import is_kept
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.service.pool_desk import PoolDesk
from scheduler.service.treasury import attempts_spent, rooms
from scheduler.service.viewing import reading
from scheduler.settings import PoolSettings
from scheduler.store.instances import LaunchIntent
from scheduler.store.renting import load_record, still_coming
from scheduler.store.transaction import Transaction

PRICED_BACKENDS = frozenset({"aws", "gce"})
"""Backends whose machines are never free: without a price no cap could be held."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

PRICES_UNKNOWN = "its prices are not known yet"


@dataclass(frozen=True)
class Intended:
    """The intent that was written (None: none), for how many instances, and why it was not all that was decided."""

    id: str | None
    count: int
    reasons: tuple[str, ...]


class Intending:
    """Writes intents. It remembers what was declined: who decides asks again every few seconds."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._declined: dict[str, tuple[str, ...]] = {}

    def why_not_now(self, desk: PoolDesk) -> str:
        """Why nothing is launched in a pool at present; empty: it may be."""
        settings, provider = desk.settings, desk.provider
        if provider.resting():
            trouble = provider.trouble.message if provider.trouble is not None else "the last launch did not go well"
            return f"waiting before the next launch: {trouble}"
        if desk.terms.at_s is None and settings.price_usd_per_hour <= 0:
            return PRICES_UNKNOWN
        if not _reachable(desk.worker_url, settings):
            return "its instances could not reach the scheduler: set worker_url of the pool"
        unpriced = desk.terms.price_usd_per_hour <= 0 and settings.price_usd_per_hour <= 0
        if unpriced and self._farm.settings.budgets and settings.backend in PRICED_BACKENDS:
            return "its price is not known, so no budget could be held: set price_usd_per_hour or prices_file"
        return ""

    async def write(self, desk: PoolDesk, decision: Scaling) -> Intended:
        """Write the intent and its reservation, in one transaction with the look at what is left."""
        settings, now_s = self._farm.settings, self._farm.now_s()
        attempts_usd = await reading(self._farm, lambda session: attempts_spent(session, settings, now_s))
        demand = self._demand(desk.pool)

        def change(tx: Transaction, ledger: Ledger) -> Intended:
            return self._write(tx, ledger, desk, decision, attempts_usd=attempts_usd, demand=demand)

        return await self._farm.change(change)

    def _write(
        self,
        tx: Transaction,
        ledger: Ledger,
        desk: PoolDesk,
        decision: Scaling,
        *,
        attempts_usd: Mapping[str, float],
        demand: Mapping[str, float],
    ) -> Intended:
        settings, terms, pool = desk.settings, desk.terms, desk.pool
        rent = Rent(terms.price_usd_per_hour or settings.price_usd_per_hour, terms.billing_s, settings.life_s)
        wanted, reasons = _bounded(tx.session, pool, decision.launch, settings.workers_max)
        left = rooms(tx.session, self._farm.settings, ledger.now_s, attempts_usd)
        granted = grant(wanted, rent.full_usd, demand, left)
        reasons = (*reasons, *granted.reasons)
        if granted.count <= 0:
            self._decline(tx, ledger, pool, decision.launch, reasons)
            return Intended(None, 0, reasons)
        self._declined.pop(pool, None)
        intent = _intent(pool, rent, granted, (*decision.reasons, *reasons), ledger.now_s)
        tx.session.add(intent)
        usd = round(intent.reserved_usd, 6)
        ledger.event(tx, "launch.intended", pool=pool, intent=intent.id, count=granted.count, reserved_usd=usd,
                     reason="; ".join(decision.reasons))  # fmt: skip
        return Intended(intent.id, granted.count, reasons)

    def _decline(self, tx: Transaction, ledger: Ledger, pool: str, wanted: int, reasons: tuple[str, ...]) -> None:
        """An event, unless the same was said last time."""
        if reasons and self._declined.get(pool) != reasons:
            self._declined[pool] = reasons
            ledger.event(tx, "launch.declined", pool=pool, wanted=wanted, reason="; ".join(reasons))

    def _demand(self, pool: str) -> dict[str, float]:
        """The projects whose tasks wait for this pool, by how many there are: they pay for what is launched."""
        ready: Counter[str] = Counter()
        reserved = self._farm.live.plan.reserved
        for planned in self._farm.live.plan.steps:
            open_to_it = pool in planned.route.chosen and not is_kept(pool, planned.card.job, reserved)
            if planned.ready > 0 and open_to_it and planned.card.project:
                ready[planned.card.project] += planned.ready
        return {project: float(count) for project, count in ready.items()}


def _intent(pool: str, rent: Rent, granted: Grant, reasons: Sequence[str], now_s: float) -> LaunchIntent:
    return LaunchIntent(
        id=secrets.token_hex(16),
        pool=pool,
        status=IntentStatus.INTENDED.value,
        count=granted.count,
        expected=granted.count,
        price_usd_per_hour=rent.price_usd_per_hour,
        billing_s=rent.billing_s,
        life_s=rent.life_s,
        reserved_usd=granted.count * rent.full_usd,
        shares=dict(granted.shares),
        reasons=list(reasons),
        created_at=now_s,
    )


def _reachable(url: str, settings: PoolSettings) -> bool:
    """Whether machines of a cloud can find the scheduler there; a stand-in of a cloud is on this machine as well."""
    stand_in = getattr(settings, "endpoint_url", None) or getattr(settings, "endpoint", None)
    host = urlsplit(url).hostname or ""
    return settings.backend not in PRICED_BACKENDS or bool(stand_in) or host not in ("", *LOCAL_HOSTS)


def _bounded(session: Session, pool: str, wanted: int, most: int | None) -> tuple[int, tuple[str, ...]]:
    """What the pool's `workers_max` leaves of it."""
    if most is None:
        return wanted, ()
    orders, rows = load_record(session, pool)
    here = sum(1 for row in rows.values() if row.status != InstanceStatus.GONE)
    coming = sum(still_coming(orders, rows).values())
    left = max(0, most - here - coming)
    if left >= wanted:
        return wanted, ()
    return left, (f"the pool may have {most} workers and has {here + coming}",)
