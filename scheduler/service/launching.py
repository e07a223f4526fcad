"""Launching and ending instances, as it was decided: intents with their money in one transaction, then the desks work.

Who decides is somebody else (`domain.scaling`). Nothing here waits for a provider: decisions become rows, and the
pool's desk (`pool_desk`) is woken to carry them out.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlmodel import Session

from scheduler.backends.base import LaunchPlan
from scheduler.backends.registry import Registry, make, makes_instances
from scheduler.domain.budgeting import Grant, Rent, grant
from scheduler.domain.instances import Stranger
from scheduler.domain.scaling import Scaling
from scheduler.domain.states import TERMINAL_INTENTS, InstanceEvent, InstanceStatus, IntentEvent, IntentStatus
from scheduler.errors import NotFound
from scheduler.routing.reserving import is_kept
from scheduler.service.farm import Farm
from scheduler.service.identity import Identity
from scheduler.service.ledger import Ledger
from scheduler.service.pool_desk import PoolDesk
from scheduler.service.recording import Record
from scheduler.service.treasury import attempts_spent, rooms
from scheduler.service.viewing import reading
from scheduler.settings import PoolSettings
from scheduler.store.instances import LaunchIntent
from scheduler.store.renting import load_record
from scheduler.store.writer import Transaction

PRICED_BACKENDS = frozenset({"aws", "gce"})
"""Backends whose machines are never free: without a price no cap could be held."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

log = structlog.get_logger()


@dataclass(frozen=True)
class Applied:
    """What came of a decision: the intent that was written (None: none), for how many instances, which instances are on
    their way out now, and why it was not all that was decided."""

    pool: str
    intent: str | None = None
    launched: int = 0
    retired: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class Launcher:
    """All pools' desks, and the one way to launch and to end."""

    def __init__(self, farm: Farm, identity: Identity, *, farm_id: str, registry: Registry = make) -> None:
        self._farm = farm
        self.desks: dict[str, PoolDesk] = {
            pool: PoolDesk(farm, identity, pool, farm_id=farm_id, registry=registry)
            for pool, settings in farm.settings.pools.items()
            if makes_instances(settings)
        }
        self._rounds: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._declined: dict[str, tuple[str, ...]] = {}

    async def start(self) -> None:
        """Take up what a restart left: launches that were under way are looked up from now on, never repeated; and look
        at every provider's list at once, for orphans."""

        now_s = self._farm.now_s()

        def change(tx: Transaction) -> int:
            orders = [order for pool in self.desks for order in load_record(tx.session, pool)[0].values()]
            open_ones = [order for order in orders if order.asked_at is not None and not order.settled]
            for order in open_ones:
                order.lookup_at = now_s
            return len(open_ones)

        open_ones = await self._farm.store.awrite(change)
        if open_ones:
            log.info("launches.looked_up", intents=open_ones)
        for pool in self.desks:
            self.wake(pool)

    # ---- Decisions ---------------------------------------------------------------------------------------------------

    async def apply(self, pool: str, decision: Scaling) -> Applied:
        """Write down what was decided, as far as money and the pool's bounds allow, and have it done.

        Raises:
            NotFound: no such pool, or none whose workers the farm launches.
        """
        desk = self._desk(pool)
        retired = await self.retire(pool, decision.retire, "; ".join(decision.reasons)) if decision.retire else ()
        if decision.launch <= 0:
            return Applied(pool, retired=retired)
        no = self._not_now(desk)
        if no:
            return Applied(pool, retired=retired, reasons=(no,))
        settings, now_s = self._farm.settings, self._farm.now_s()
        attempts_usd = await reading(self._farm, lambda session: attempts_spent(session, settings, now_s))
        demand = self._demand(pool)

        def change(tx: Transaction, ledger: Ledger) -> Applied:
            return self._intend(tx, ledger, desk, decision, attempts_usd=attempts_usd, demand=demand)

        done = await self._farm.change(change)
        if done.intent is not None or retired:
            self.wake(pool)
        return Applied(pool, done.intent, done.launched, retired, done.reasons)

    def _intend(
        self,
        tx: Transaction,
        ledger: Ledger,
        desk: PoolDesk,
        decision: Scaling,
        *,
        attempts_usd: Mapping[str, float],
        demand: Mapping[str, float],
    ) -> Applied:
        """The intent and its reservation, in one transaction with the look at what is left."""
        settings, terms, pool = desk.settings, desk.terms, desk.pool
        rent = Rent(terms.price_usd_per_hour or settings.price_usd_per_hour, terms.billing_s, settings.life_s)
        wanted, reasons = _bounded(tx, pool, decision.launch, settings.workers_max)
        left = rooms(tx.session, self._farm.settings, ledger.now_s, attempts_usd)
        granted = grant(wanted, rent.full_usd, demand, left)
        reasons = (*reasons, *granted.reasons)
        if granted.count <= 0:
            self._decline(tx, ledger, pool, decision.launch, reasons)
            return Applied(pool, reasons=reasons)
        self._declined.pop(pool, None)
        intent = _intent(pool, rent, granted, (*decision.reasons, *reasons), ledger.now_s)
        tx.session.add(intent)
        usd = round(intent.reserved_usd, 6)
        ledger.event(tx, "launch.intended", pool=pool, intent=intent.id, count=granted.count, reserved_usd=usd,
                     reason="; ".join(decision.reasons))  # fmt: skip
        return Applied(pool, intent.id, granted.count, reasons=reasons)

    def _decline(self, tx: Transaction, ledger: Ledger, pool: str, wanted: int, reasons: tuple[str, ...]) -> None:
        """An event, unless the same was said last time: who decides asks again every few seconds."""
        if reasons and self._declined.get(pool) != reasons:
            self._declined[pool] = reasons
            ledger.event(tx, "launch.declined", pool=pool, wanted=wanted, reason="; ".join(reasons))

    def _not_now(self, desk: PoolDesk) -> str:
        """Why nothing is launched in a pool at present; empty: it may be."""
        settings = desk.settings
        if self._farm.clock.monotonic() < desk.not_before_s:
            trouble = desk.trouble.message if desk.trouble is not None else "the last launch did not go well"
            return f"waiting before the next launch: {trouble}"
        if desk.terms.at_s is None and settings.price_usd_per_hour <= 0:
            self.wake(desk.pool)
            return "its prices are not known yet"
        if not _reachable(desk.worker_url, settings):
            return "its instances could not reach the scheduler: set worker_url of the pool"
        unpriced = desk.terms.price_usd_per_hour <= 0 and settings.price_usd_per_hour <= 0
        if unpriced and self._farm.settings.budgets and settings.backend in PRICED_BACKENDS:
            return "its price is not known, so no budget could be held: set price_usd_per_hour or prices_file"
        return ""

    def _demand(self, pool: str) -> dict[str, float]:
        """The projects whose tasks wait for this pool, by how many there are: they pay for what is launched."""
        ready: Counter[str] = Counter()
        reserved = self._farm.live.plan.reserved
        for planned in self._farm.live.plan.steps:
            open_to_it = pool in planned.route.chosen and not is_kept(pool, planned.card.job, reserved)
            if planned.ready > 0 and open_to_it and planned.card.project:
                ready[planned.card.project] += planned.ready
        return {project: float(count) for project, count in ready.items()}

    async def retire(
        self, pool: str, instances: Sequence[str], reason: str, *, at_once: bool = False
    ) -> tuple[str, ...]:
        """Let instances go: their workers finish what they have, unless `at_once`. Returns those that do."""
        event = InstanceEvent.END if at_once else InstanceEvent.DRAIN

        def change(tx: Transaction, ledger: Ledger) -> list[str]:
            record = self._plain_record(tx, ledger, pool)
            gone = [row.id for row in record.named(instances) if record.turn(row, event, reason, ledger.now_s)]
            record.settle(listed=False, at_s=ledger.now_s)
            return gone

        retired = tuple(await self._farm.change(change))
        if retired:
            self.wake(pool)
        return retired

    async def retire_all(
        self, reason: str, *, at_once: bool, only: Callable[[Mapping[str, float]], bool] = lambda _shares: True
    ) -> int:
        """Let every instance go whose launch's shares `only` accepts, and call off what was not asked for yet."""
        count = 0
        for pool in self.desks:

            def change(tx: Transaction, ledger: Ledger, pool: str = pool) -> int:
                record = self._plain_record(tx, ledger, pool)
                event = InstanceEvent.END if at_once else InstanceEvent.DRAIN
                mine = {order.id for order in record.orders.values() if only(order.shares)}
                rows = [row for row in record.rows.values() if row.intent in mine or (not row.intent and only({}))]
                gone = sum(record.turn(row, event, reason, ledger.now_s) for row in rows)
                self._call_off(record, mine, reason)
                record.settle(listed=False, at_s=ledger.now_s)
                return gone

            gone = await self._farm.change(change)
            count += gone
            if gone:
                self.wake(pool)
        return count

    def _call_off(self, record: Record, intents: Iterable[str], reason: str) -> None:
        for intent in intents:
            order = record.orders[intent]
            if order.status == IntentStatus.INTENDED:
                order.expected = 0
                record.turn_order(order, IntentEvent.FAIL, reason)
            elif order.status == IntentStatus.LAUNCHING:
                record.turn_order(order, IntentEvent.END, reason)

    def _plain_record(self, tx: Transaction, ledger: Ledger, pool: str) -> Record:
        return self.desks[pool].record(tx, ledger)

    # ---- Rounds ------------------------------------------------------------------------------------------------------

    async def rounds(self) -> None:
        """One round of every pool, side by side; called at an interval."""
        await asyncio.gather(*(desk.round() for desk in self.desks.values()))

    def wake(self, pool: str) -> None:
        """Let the pool's desk do a round soon."""
        running = self._rounds.get(pool)
        if running is not None and not running.done():
            self._again.add(pool)
            return
        task = asyncio.get_running_loop().create_task(self.desks[pool].round(look=True), name=f"round of {pool}")
        task.add_done_callback(lambda done: self._rounded(pool, done))
        self._rounds[pool] = task

    def _rounded(self, pool: str, task: asyncio.Task[None]) -> None:
        again = pool in self._again
        self._again.discard(pool)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("pool.round_failed", pool=pool, error=str(error))
        elif again:
            self.wake(pool)

    async def idle(self) -> None:
        """Wait until the rounds that were woken are over."""
        while waiting := [task for task in self._rounds.values() if not task.done()]:
            await asyncio.gather(*waiting)

    async def reap(self, *, dry_run: bool) -> list[dict[str, Any]]:
        """Look at every provider's list now and end what nobody wants; with `dry_run` only say what that would be."""
        found: list[dict[str, Any]] = []
        for pool, desk in self.desks.items():
            if dry_run:
                found += [_stranger_view(pool, one) for one in await desk.unwanted()]
                continue
            before = set(await self._ending(pool))
            await desk.round(look=True, reap=True)
            found += [view for view in await self._ending_views(pool) if view["instance"] not in before]
        return found

    async def _ending(self, pool: str) -> list[str]:
        return [view["instance"] for view in await self._ending_views(pool)]

    async def _ending_views(self, pool: str) -> list[dict[str, Any]]:
        def read(session: Session) -> list[dict[str, Any]]:
            _orders, rows = load_record(session, pool)
            return [
                {"pool": pool, "instance": row.id, "intent": row.intent or row.label, "reason": row.reason}
                for row in rows.values()
                if row.status == InstanceStatus.ENDING
            ]

        return await reading(self._farm, read)

    async def plan(self, pool: str, count: int) -> LaunchPlan:
        """What launching so many instances would do and cost.

        Raises:
            NotFound: no such pool. Unavailable: its backend cannot be asked.
        """
        return await self._desk(pool).plan(count)

    def _desk(self, pool: str) -> PoolDesk:
        desk = self.desks.get(pool)
        if desk is None:
            raise NotFound(
                f"The farm launches nothing in a pool {pool[:100]!r}.",
                code="pool_unknown",
                hint=f"Pools whose workers it launches: {', '.join(self.desks) or 'none'}.",
            )
        return desk

    async def close(self) -> None:
        """Take nothing new. A call that is under way is looked up by the next scheduler."""
        for task in self._rounds.values():
            task.cancel()
        for desk in self.desks.values():
            desk.close()


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


def _bounded(tx: Transaction, pool: str, wanted: int, most: int | None) -> tuple[int, tuple[str, ...]]:
    """What the pool's `workers_max` leaves of it."""
    if most is None:
        return wanted, ()
    orders, rows = load_record(tx.session, pool)
    here = sum(1 for row in rows.values() if row.status != InstanceStatus.GONE)
    seen = Counter(row.intent for row in rows.values())
    coming = sum(max(0, o.expected - seen[o.id]) for o in orders.values() if o.status not in TERMINAL_INTENTS)
    left = max(0, most - here - coming)
    if left >= wanted:
        return wanted, ()
    return left, (f"the pool may have {most} workers and has {here + coming}",)


def _stranger_view(pool: str, one: Stranger) -> dict[str, Any]:
    return {"pool": pool, "instance": one.id, "intent": one.intent, "reason": one.reason}
