"""Launching and ending instances, as it was decided: decisions become rows, then the desks work.

Who decides is somebody else (`domain.scaling`), and how a launch becomes an intent is `intending`'s to say. Nothing
here waits for a provider: the pool's desk (`pool_desk`) is woken to carry out what was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from scheduler.backends.base import LaunchPlan
from scheduler.backends.registry import Registry, make, makes_instances
from scheduler.domain.instance_states import InstanceEvent, IntentEvent, IntentStatus
from scheduler.domain.scaling import Scaling
from scheduler.errors import NotFound
from scheduler.service.farm import Farm
from scheduler.service.identity import Identity
from scheduler.service.intending import PRICES_UNKNOWN, Intending
from scheduler.service.ledger import Ledger
from scheduler.service.pool_desk import PoolDesk
from scheduler.service.recording import Record
from scheduler.store.renting import load_record
from scheduler.store.transaction import Transaction

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
        self._intending = Intending(farm)
        self._rounds: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

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
        no = self._intending.why_not_now(desk)
        if no == PRICES_UNKNOWN:
            self.wake(pool)
        if no:
            return Applied(pool, retired=retired, reasons=(no,))
        done = await self._intending.write(desk, decision)
        if done.id is not None or retired:
            self.wake(pool)
        return Applied(pool, done.id, done.count, retired, done.reasons)

    # ---- Ending ------------------------------------------------------------------------------------------------------

    async def retire(
        self, pool: str, instances: Sequence[str], reason: str, *, at_once: bool = False
    ) -> tuple[str, ...]:
        """Let instances go: their workers finish what they have, unless `at_once`. Returns those that do."""
        event = InstanceEvent.END if at_once else InstanceEvent.DRAIN

        def change(tx: Transaction, ledger: Ledger) -> list[str]:
            record = self.desks[pool].record(tx, ledger)
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
                record = self.desks[pool].record(tx, ledger)
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
            desk.provider.close()
