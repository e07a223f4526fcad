"""One pool's business with its provider: launch what is intended, hold the list against the record, end what must go.

All calls of a pool's backend are made in one thread of its own, one after the other; nobody waits for them but the
round that made them. Every call stands between two transactions: what is about to be asked is written before, what came
of it after. So a crash at any point leaves a record from which the next round, or the next scheduler, goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlmodel import Session

from scheduler.backends.base import (
    Backend,
    BackendError,
    Instance,
    LaunchPlan,
    Notice,
    NoticeKind,
)
from scheduler.backends.registry import Registry
from scheduler.domain.instances import Patience, Stranger, compare
from scheduler.domain.states import (
    InstanceEvent,
    InstanceStatus,
    IntentStatus,
)
from scheduler.errors import NotFound, OutfieldError
from scheduler.priorities.lane import Lane
from scheduler.service.asking import Asking, take_note
from scheduler.service.farm import Farm
from scheduler.service.identity import Identity, keep_join_codes
from scheduler.service.ledger import Ledger
from scheduler.service.recording import Around, Record, WorkerState, known_view, listed_view, order_view
from scheduler.service.registering import drain_worker
from scheduler.service.severing import held_by
from scheduler.service.terms import Terms, terms_of
from scheduler.settings import PoolSettings
from scheduler.store.renting import load_record
from scheduler.store.writer import Transaction

BACK_OFF_FIRST_S, BACK_OFF_MAX_S = 30.0, 900.0
"""After a refusal nothing is launched for so long, twice as long after each further one."""

OFFERS_KEEP_S = 300.0
QUIET_LIST_S = 60.0
"""How often the provider's list is read while nothing of the farm is known to be there: orphans are looked for."""

ASK_AGAIN_S = 60.0
"""An instance that was asked to end and is still listed is asked again after so long."""

Result = TypeVar("Result")

log = structlog.get_logger()


@dataclass(frozen=True)
class Trouble:
    """The last call that did not go well: what for people, since when."""

    at_s: float
    code: str
    message: str


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
        self._farm_id, self._registry = farm_id, registry
        self._lane: Lane | None = None
        self._backend: Backend | None = None
        self._lock = asyncio.Lock()
        self._looked_s: float | None = None
        self._reap = False
        self._back_off_s = 0.0
        self.not_before_s = 0.0
        self.terms = Terms()
        self.trouble: Trouble | None = None
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

    def close(self) -> None:
        """Take nothing new; a call that is under way is not waited for."""
        if self._lane is not None:
            self._lane.close()

    # ---- A round -----------------------------------------------------------------------------------------------------

    async def round(self, *, look: bool = False, reap: bool = False) -> None:
        """Do what is due; read the provider's list now if `look`, and end what nobody wants if `reap`, whatever the
        pool's settings say. Never raises what a provider may do."""
        async with self._lock:
            agenda = await self._read(self._agenda)
            if not look and not agenda.alive and not self._due():
                return
            self._reap = reap
            try:
                await self._work(agenda)
            except Exception as error:  # noqa: BLE001  one provider's trouble must not stop the others' rounds
                self._troubled(error)

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
        backend = await self._open()
        await self._learn_terms(backend)
        await self._drain_workers(agenda.leaving)
        for intent in agenda.unasked if self.worker_url else ():
            await self._launch(backend, intent)
        listed_at_s = self._farm.now_s()
        listed = await self._call(backend.list)
        await self._hear(await self._call(backend.events))
        await self._end(backend, await self._compare(listed, listed_at_s))
        if self._farm.clock.monotonic() >= self.not_before_s:
            self.trouble = None

    async def _open(self) -> Backend:
        if self._backend is None:
            settings, pool = self.settings, self.pool
            self._backend = await self._call(lambda: self._registry(pool, settings, self._farm_id))
        return self._backend

    async def _call(self, function: Callable[[], Result]) -> Result:
        """One call of the backend in the pool's own thread."""
        if self._lane is None:
            self._lane = Lane(f"pool {self.pool}")
        return await self._lane.run(function)

    async def _read(self, function: Callable[[Session], Result]) -> Result:
        def run() -> Result:
            with self._farm.store.read() as session:
                return function(session)

        return await asyncio.to_thread(run)

    # ---- Terms -------------------------------------------------------------------------------------------------------

    async def _learn_terms(self, backend: Backend) -> None:
        now_s = self._farm.clock.monotonic()
        if self.terms.at_s is not None and now_s - self.terms.at_s < OFFERS_KEEP_S:
            return
        offers = await self._call(backend.offers)
        self.terms = await asyncio.to_thread(terms_of, self.settings, offers, now_s)

    async def plan(self, count: int) -> LaunchPlan:
        """What launching so many would do and cost, as the backend says.

        Raises:
            Unavailable: the backend cannot be asked.
        """
        async with self._lock:
            backend = await self._open()
            return await self._call(lambda: backend.plan(count))

    # ---- Launching ---------------------------------------------------------------------------------------------------

    async def _launch(self, backend: Backend, intent: str) -> None:
        """Ask for one intent, between two transactions."""
        asking, farm = Asking(self._identity, self, intent), self._farm
        order = await farm.change(asking.ask)
        if order is None:
            return
        try:
            started = await self._call(lambda: backend.launch(order))
        except BackendError as error:
            self._troubled(error)
            self._slow_down()
            words = f"{error.code}: {error.message}"
            await farm.change(lambda tx, ledger: asking.refused(tx, ledger, words))
        except Exception as error:  # noqa: BLE001  whatever it was, nobody knows what came of the call
            words = str(error) or type(error).__name__
            self._troubled(error)
            self._slow_down()
            await farm.change(lambda tx, ledger: asking.unknown(tx, ledger, words))
        else:
            self._back_off_s = 0.0
            await farm.change(lambda tx, ledger: asking.started(tx, ledger, started))

    # ---- The list ----------------------------------------------------------------------------------------------------

    async def _compare(self, listed: Sequence[Instance], at_s: float) -> list[str]:
        """Bring the record to what the list says; returns the instances whose end is to be asked for now."""
        workers, settings = self._workers(), self.settings

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
            backend = await self._open()
            at_s, listed = self._farm.now_s(), await self._call(backend.list)
            workers = self._workers()

            def look(session: Session) -> list[Stranger]:
                names, intents = {one.id for one in listed}, {one.intent for one in listed}
                orders, rows = load_record(session, self.pool, instances=names, intents=intents)
                known = {row.id: known_view(row, workers) for row in rows.values()}
                views = {order.id: order_view(order) for order in orders.values()}
                found = compare(at_s, views, known, [listed_view(one) for one in listed], self._patience(reap=True))
                ends = [turn for turn in found.turns if turn.event in (InstanceEvent.END, InstanceEvent.REAPPEAR)]
                return found.strangers + [
                    Stranger(turn.id, rows[turn.id].intent, turn.reason, rows[turn.id].launched_at) for turn in ends
                ]

            return await self._read(look)

    async def _end(self, backend: Backend, instances: Sequence[str]) -> None:
        """Ask for the end of instances, and note that it was asked for."""
        if not instances:
            return
        await self._call(lambda: backend.terminate(instances))
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
            self._slow_down()

        def change(tx: Transaction, ledger: Ledger) -> list[str]:
            record = self.record(tx, ledger)
            drained = [worker for notice in notices if (worker := take_note(tx, ledger, record, notice))]
            record.settle(listed=False, at_s=ledger.now_s)
            return drained

        self._drained(await self._farm.change(change))

    def _drained(self, workers: Iterable[str]) -> None:
        """Memory follows: these workers are given nothing more."""
        for worker in workers:
            known = self._farm.live.workers.get(worker)
            if known is not None:
                known.drain = True
                self._farm.live.wake(worker)

    # ---- Workers -----------------------------------------------------------------------------------------------------

    async def _drain_workers(self, leaving: Iterable[str]) -> None:
        """Workers whose instance is on its way out take nothing new; also after a crash between the two."""
        for worker in leaving:
            known = self._farm.live.workers.get(worker)
            if known is not None and not known.drain:
                try:
                    await drain_worker(self._farm, worker)
                except NotFound:
                    log.warning("worker.unknown", worker=worker, pool=self.pool)

    def _workers(self) -> dict[str, WorkerState]:
        live, now_s = self._farm.live, self._farm.clock.monotonic()
        return {
            worker.id: WorkerState(held_by(live, worker.id), now_s - worker.last_seen_s, worker.drain)
            for worker in live.workers.values()
            if worker.pool == self.pool
        }

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

    # ---- Trouble -----------------------------------------------------------------------------------------------------

    def _slow_down(self) -> None:
        self._back_off_s = min(BACK_OFF_MAX_S, max(BACK_OFF_FIRST_S, 2 * self._back_off_s))
        self.not_before_s = self._farm.clock.monotonic() + self._back_off_s

    def _troubled(self, error: Exception) -> None:
        message = error.message if isinstance(error, OutfieldError) else str(error) or type(error).__name__
        code = error.code if isinstance(error, OutfieldError) else "unexpected"
        if self.trouble is None or (self.trouble.code, self.trouble.message) != (code, message):
            log.warning("pool.trouble", pool=self.pool, code=code, message=message)
        self.trouble = Trouble(self._farm.now_s(), code, message)
