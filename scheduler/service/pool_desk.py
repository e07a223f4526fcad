"""One pool's business with its provider: launch what is intended, hold the list against the record, end what must go.

All calls of a pool's backend are made in one thread of its own, one after the other; nobody waits for them but the
round that made them. Every call stands between two transactions: what is about to be asked is written before, what came
of it after. So a crash at any point leaves a record from which the next round, or the next scheduler, goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from scheduler.backends.base import BackendError, Instance, LaunchPlan, Notice, NoticeKind
from scheduler.backends.registry import Registry
from scheduler.domain.instance_states import InstanceStatus, IntentStatus
from scheduler.domain.instances import Patience, Stranger
from scheduler.service.asking import Asking, take_note
from scheduler.service.comparing import unwanted
from scheduler.service.farm import Farm
from scheduler.service.identity import Identity, keep_join_codes
from scheduler.service.ledger import Ledger
from scheduler.service.pool_workers import WorkerState, drain_leaving, mark_drained, worker_states
from scheduler.service.provider import Provider
from scheduler.service.recording import Around, Record
from scheduler.service.terms import Terms, terms_of
from scheduler.service.viewing import reading
from scheduler.settings import PoolSettings
from scheduler.store.renting import load_record
from scheduler.store.transaction import Transaction

OFFERS_KEEP_S = 300.0
QUIET_LIST_S = 60.0
"""How often the provider's list is read while nothing of the farm is known to be there: orphans are looked for."""

ASK_AGAIN_S = 60.0
"""An instance that was asked to end and is still listed is asked again after so long."""


@dataclass(frozen=True)
class Agenda:
    """What a round begins with: intents to launch, workers whose instances are to go, whether anything is alive."""

    unasked: Sequence[str]
    leaving: Sequence[str]
    alive: bool


class PoolDesk:
    """One pool's desk."""

    def __init__(self, farm: Farm, identity: Identity, pool: str, *, farm_id: str, registry: Registry) -> None:
        self._farm, self._identity, self.pool = farm, identity, pool
        self.provider = Provider(farm, pool, farm_id=farm_id, registry=registry)
        self._lock = asyncio.Lock()
        self._looked_s: float | None = None
        self._reap = False
        self.terms = Terms()
        self.strangers: list[Stranger] = []

    @property
    def settings(self) -> PoolSettings:
        """The pool's settings."""
        return self._farm.settings.pools[self.pool]

    @property
    def worker_url(self) -> str:
        """Where the pool's workers find the scheduler; empty: it does not serve yet."""
        return self.settings.worker_url or self._farm.url

    @property
    def ca_pin(self) -> str:
        """What they know its authority by; empty: it has none of its own."""
        return self._farm.authority.pin if self._farm.authority is not None else ""

    # ---- A round -----------------------------------------------------------------------------------------------------

    async def round(self, *, look: bool = False, reap: bool = False) -> None:
        """Do what is due; read the provider's list now if `look`, and end what nobody wants if `reap`, whatever the
        pool's settings say. Never raises what a provider may do."""
        async with self._lock:
            agenda = await reading(self._farm, self._agenda)
            if not look and not agenda.alive and not self._due():
                return
            self._reap = reap
            try:
                await self._work(agenda)
            except Exception as error:  # noqa: BLE001  one provider's trouble must not stop the others' rounds
                self.provider.troubled(error)

    def _due(self) -> bool:
        return self._looked_s is None or self._farm.clock.monotonic() - self._looked_s >= QUIET_LIST_S

    def _agenda(self, session: Session) -> Agenda:
        orders, rows = load_record(session, self.pool)
        going = (InstanceStatus.DRAINING, InstanceStatus.ENDING)
        return Agenda(
            unasked=[order.id for order in orders.values() if order.status == IntentStatus.INTENDED],
            leaving=[row.worker for row in rows.values() if row.worker and row.status in going],
            alive=bool(orders) or any(row.status != InstanceStatus.GONE for row in rows.values()),
        )

    async def _work(self, agenda: Agenda) -> None:
        self._looked_s = self._farm.clock.monotonic()
        await self._learn_terms()
        await drain_leaving(self._farm, agenda.leaving)
        for intent in agenda.unasked if self.worker_url else ():
            await self._launch(intent)
        listed_at_s = self._farm.now_s()
        listed = await self.provider.call(lambda backend: backend.list())
        await self._hear(await self.provider.call(lambda backend: backend.events()))
        await self._end(await self._compare(listed, listed_at_s))
        if not self.provider.resting():
            self.provider.trouble = None

    # ---- Terms -------------------------------------------------------------------------------------------------------

    async def _learn_terms(self) -> None:
        now_s = self._farm.clock.monotonic()
        if self.terms.at_s is not None and now_s - self.terms.at_s < OFFERS_KEEP_S:
            return
        offers = await self.provider.call(lambda backend: backend.offers())
        self.terms = await asyncio.to_thread(terms_of, self.settings, offers, now_s)

    async def plan(self, count: int) -> LaunchPlan:
        """What launching so many would do and cost, as the backend says.

        Raises:
            Unavailable: the backend cannot be asked.
        """
        async with self._lock:
            return await self.provider.call(lambda backend: backend.plan(count))

    # ---- Launching ---------------------------------------------------------------------------------------------------

    async def _launch(self, intent: str) -> None:
        """Ask for one intent, between two transactions."""
        asking, farm, provider = Asking(self._identity, self, intent), self._farm, self.provider
        order = await farm.change(asking.ask)
        if order is None:
            return
        try:
            started = await provider.call(lambda backend: backend.launch(order))
        except BackendError as error:
            provider.launch_failed(error)
            words = f"{error.code}: {error.message}"
            await farm.change(lambda tx, ledger: asking.refused(tx, ledger, words))
        except Exception as error:  # noqa: BLE001  whatever it was, nobody knows what came of the call
            provider.launch_failed(error)
            words = str(error) or type(error).__name__
            await farm.change(lambda tx, ledger: asking.unknown(tx, ledger, words))
        else:
            provider.launched()
            await farm.change(lambda tx, ledger: asking.started(tx, ledger, started))

    # ---- The list ----------------------------------------------------------------------------------------------------

    async def _compare(self, listed: Sequence[Instance], at_s: float) -> list[str]:
        """Bring the record to what the list says; returns the instances whose end is to be asked for now."""
        workers, settings = worker_states(self._farm, self.pool), self.settings

        def change(tx: Transaction, ledger: Ledger) -> Record:
            record = self.record(tx, ledger, listed=listed, workers=workers)
            record.take_list(at_s)
            record.settle(listed=True, at_s=at_s)
            keep_join_codes(tx, record.starting(), ledger.now_s + settings.boot_s + settings.join_s)
            return record

        record = await self._farm.change(change)
        self.strangers = record.strangers
        for worker in record.severed:
            self._farm.live.forget(worker)
            self._identity.forget_worker(worker)
        return record.to_end(at_s - ASK_AGAIN_S)

    async def unwanted(self) -> list[Stranger]:
        """What a reaping would end now, read from the provider's list and changing nothing.

        Raises:
            Unavailable: the provider cannot be asked.
        """
        async with self._lock:
            at_s, listed = self._farm.now_s(), await self.provider.call(lambda backend: backend.list())
            workers, patience = worker_states(self._farm, self.pool), self._patience(reap=True)

            def look(session: Session) -> list[Stranger]:
                return unwanted(session, self.pool, at_s, listed, workers=workers, patience=patience)

            return await reading(self._farm, look)

    async def _end(self, instances: Sequence[str]) -> None:
        """Ask for the end of instances, and note that it was asked for."""
        if not instances:
            return
        await self.provider.call(lambda backend: backend.terminate(instances))
        now_s = self._farm.now_s()

        def asked(tx: Transaction) -> None:
            _orders, rows = load_record(tx.session, self.pool)
            for instance in instances:
                if instance in rows:
                    rows[instance].asked_at = now_s

        await self._farm.store.awrite(asked)

    # ---- Notices -----------------------------------------------------------------------------------------------------

    async def _hear(self, notices: Sequence[Notice]) -> None:
        """Take to heart what the provider tells of its own accord."""
        if not notices:
            return
        if any(notice.kind in (NoticeKind.STOCK_OUT, NoticeKind.QUOTA) for notice in notices):
            self.provider.slow_down()

        def change(tx: Transaction, ledger: Ledger) -> list[str]:
            record = self.record(tx, ledger)
            drained = [worker for notice in notices if (worker := take_note(tx, ledger, record, notice))]
            record.settle(listed=False, at_s=ledger.now_s)
            return drained

        mark_drained(self._farm, await self._farm.change(change))

    # ---- The record --------------------------------------------------------------------------------------------------

    def record(
        self,
        tx: Transaction,
        ledger: Ledger,
        *,
        listed: Sequence[Instance] = (),
        workers: Mapping[str, WorkerState] | None = None,
    ) -> Record:
        """The pool's rows inside a transaction; `workers` where instances may be found to be gone."""
        settings, terms = self.settings, self.terms
        around = Around(
            price_usd_per_hour=terms.price_usd_per_hour,
            billing_s=terms.billing_s,
            life_s=settings.life_s,
            patience=self._patience(reap=settings.reap or self._reap),
            prices=terms.prices,
            workers=workers or {},
            other_workers=self._farm.live.has_other(None),
        )
        return Record(tx, ledger, self.pool, around, listed=listed)

    def _patience(self, *, reap: bool) -> Patience:
        return Patience(self.settings.lookup_s, self.settings.join_s, reap)
