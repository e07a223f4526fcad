"""The record of one pool's intents and instances inside a transaction: views for the domain, decisions into rows.

What is reserved is worked out anew from the rows whenever they change, so that it can never drift from them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scheduler.backends.base import Instance
from scheduler.domain.instance_states import (
    INSTANCE_TRANSITIONS,
    INTENT_TRANSITIONS,
    TERMINAL_INTENTS,
    InstanceEvent,
    InstanceStatus,
    IntentEvent,
    IntentStatus,
)
from scheduler.domain.instances import (
    WHY_PROVIDER,
    Findings,
    OrderTurn,
    Patience,
    Stranger,
    settle,
)
from scheduler.domain.states import may, step
from scheduler.service.comparing import find, known_view, order_view
from scheduler.service.identity import end_join_codes
from scheduler.service.ledger import Ledger
from scheduler.service.linking import link_worker
from scheduler.service.pool_workers import WorkerState
from scheduler.service.severing import sever
from scheduler.store.instances import CloudInstance, LaunchIntent
from scheduler.store.renting import load_record, rent_of
from scheduler.store.transaction import Transaction


@dataclass(frozen=True)
class Around:
    """What a transaction on the record needs to know besides: the terms of strangers, patience, and the workers."""

    price_usd_per_hour: float
    billing_s: float
    life_s: float
    patience: Patience
    prices: Mapping[str, float] = field(default_factory=dict[str, float])
    workers: Mapping[str, WorkerState] = field(default_factory=dict[str, WorkerState])
    other_workers: bool = True


class Record:
    """One pool's rows, loaded; every change of them is made here."""

    def __init__(
        self, tx: Transaction, ledger: Ledger, pool: str, around: Around, *, listed: Sequence[Instance] = ()
    ) -> None:
        self._tx, self._ledger, self.pool, self._around = tx, ledger, pool, around
        names = {one.id for one in listed}
        self.orders, self.rows = load_record(
            tx.session, pool, instances=names, intents={one.intent for one in listed if one.intent}
        )
        self._listed = {one.id: one for one in listed}
        self._touched: set[str] = set()
        self.strangers: list[Stranger] = []
        self.severed: list[str] = []

    # ---- What the provider's list says -------------------------------------------------------------------------------

    def take_list(self, at_s: float) -> None:
        """Compare the list that was asked for at `at_s` with the record and apply what follows.

        `strangers` are then those that were left alone because the pool's settings say so; the machines of `severed`
        workers are gone.
        """
        around, listed = self._around, self._listed.values()
        orders, rows = self.orders.values(), self.rows.values()
        found = find(at_s, orders, rows, listed, workers=around.workers, patience=around.patience)
        self._mark(found, at_s)
        for one in found.adopted:
            self.adopt(self._listed[one.id], at_s)
            self.rows[one.id].seen_at = at_s
        for turn in found.turns:
            self.turn(self.rows[turn.id], turn.event, turn.reason, turn.at_s)
        if not around.patience.reap:
            self.strangers = found.strangers
            return
        for stranger in found.strangers:
            self._take_in(stranger)

    def _mark(self, found: Findings, at_s: float) -> None:
        for instance in found.seen:
            self.rows[instance].seen_at = at_s
        for instance in found.absent:
            self.rows[instance].missing_since = at_s
        for instance in found.back:
            self.rows[instance].missing_since = None

    def adopt(self, one: Instance, at_s: float) -> None:
        """An instance of a living intent comes into the record."""
        order = self.orders[one.intent]
        if one.id in self.rows:
            return
        asked_s = order.asked_at if order.asked_at is not None else order.created_at
        dearest = order.price_usd_per_hour
        row = self._add(
            one,
            intent=order.id,
            status=InstanceStatus.STARTING.value,
            price_usd_per_hour=min(dearest, self._around.prices.get(one.machine, dearest)),
            billing_s=order.billing_s,
            life_s=order.life_s,
            launched_at=min(max(one.launched_at_s, asked_s), at_s),
        )
        link_worker(self._tx, row)
        self._event("instance.started", row)
        if order.status == IntentStatus.ENDING:
            self.turn(row, InstanceEvent.END, "its launch was called off", at_s)

    def _take_in(self, stranger: Stranger) -> None:
        """A stranger comes into the record only to be ended; what it costs is the farm's."""
        one, around = self._listed[stranger.id], self._around
        row = self._add(
            one,
            status=InstanceStatus.ENDING.value,
            reason=stranger.reason,
            price_usd_per_hour=around.prices.get(one.machine, around.price_usd_per_hour),
            billing_s=around.billing_s,
            life_s=around.life_s,
            launched_at=min(one.launched_at_s, self._ledger.now_s),
            seen_at=self._ledger.now_s,
        )
        self._event("instance.stranger", row, reason=stranger.reason)

    def _add(self, one: Instance, **columns: Any) -> CloudInstance:
        row = CloudInstance(
            pool=self.pool,
            id=one.id,
            label=one.intent,
            machine=one.machine,
            place=one.place,
            address=one.address,
            **columns,
        )
        self._tx.session.add(row)
        self._tx.session.flush()
        self.rows[row.id] = row
        self._touched.add(row.intent)
        return row

    # ---- Moving on ---------------------------------------------------------------------------------------------------

    def turn(self, row: CloudInstance, event: InstanceEvent, reason: str, at_s: float) -> bool:
        """Move an instance; False if its state does not have the move."""
        if not may(INSTANCE_TRANSITIONS, InstanceStatus(row.status), event):
            return False
        after = step(INSTANCE_TRANSITIONS, InstanceStatus(row.status), event)
        row.status, row.reason = after.value, reason or row.reason
        self._touched.add(row.intent)
        if event is InstanceEvent.RUN:
            row.running_at = at_s
        elif event is InstanceEvent.REAPPEAR:
            row.ended_at, row.missing_since, row.usd = None, None, 0.0
        elif event is InstanceEvent.VANISH:
            self._vanish(row, at_s)
        elif event is InstanceEvent.END and reason == WHY_PROVIDER:
            row.asked_at = at_s  # it is ending already: its worker keeps the time that the provider gives it
        if event is not InstanceEvent.RUN:
            self._event(f"instance.{after.value.lower()}", row, reason=row.reason, usd=round(row.usd, 6))
        return True

    def _vanish(self, row: CloudInstance, at_s: float) -> None:
        row.ended_at = max(row.launched_at, at_s)
        row.usd = rent_of(row).usd(row.ended_at - row.launched_at)
        if row.worker:
            self.severed.append(row.worker)
            state = self._around.workers.get(row.worker, WorkerState())
            others = self._around.other_workers
            sever(self._tx, self._ledger, row.worker, list(state.held), preempted=row.preempted, other_workers=others)

    def settle(self, *, listed: bool, at_s: float) -> None:
        """Let the intents follow their instances, and reserve for what is left of them."""
        for order in list(self.orders.values()):
            # What appears may be seen to be complete, and even to be gone again, at once.
            while order.status not in TERMINAL_INTENTS:
                views = [known_view(row, self._around.workers) for row in self.rows.values()]
                found = settle(at_s, order_view(order), views, self._around.patience, listed=listed)
                if found is None:
                    break
                self._turn_order(order, found)
        self.reserve()

    def _turn_order(self, order: LaunchIntent, found: OrderTurn) -> None:
        order.settled = order.settled or found.settled
        if found.expected is not None:
            order.expected = found.expected
        self._touched.add(order.id)
        if found.event is not None:
            self.turn_order(order, found.event, found.reason)

    def turn_order(self, order: LaunchIntent, event: IntentEvent, reason: str = "") -> None:
        """Move an intent; at its end nothing is reserved for it and nobody joins by it."""
        after = step(INTENT_TRANSITIONS, IntentStatus(order.status), event, story=order.id)
        order.status = after.value
        self._touched.add(order.id)
        if after in TERMINAL_INTENTS:
            order.ended_at, order.settled = self._ledger.now_s, True
            order.error = reason or order.error
            end_join_codes(self._tx, [order.id], self._ledger.now_s)
        kind = f"launch.{after.value.lower()}"
        self._ledger.event(
            self._tx, kind, pool=self.pool, intent=order.id, count=order.count, reason=reason or order.error
        )

    def reserve(self) -> None:
        """Work out what is reserved for the intents that were touched."""
        for order in self.orders.values():
            if order.id not in self._touched:
                continue
            gone = sum(1 for row in self.rows.values() if row.intent == order.id and row.status == InstanceStatus.GONE)
            left = 0 if order.status in TERMINAL_INTENTS else max(0, order.expected - gone)
            order.reserved_usd = left * rent_of(order).full_usd
        self._touched.clear()

    def starting(self) -> list[str]:
        """The intents that still wait for an instance to start, or to appear at all."""
        waiting = {row.intent for row in self.rows.values() if row.status == InstanceStatus.STARTING}
        return [o.id for o in self.orders.values() if o.status == IntentStatus.LAUNCHING or o.id in waiting]

    def to_end(self, asked_before_s: float) -> list[str]:
        """The instances to be ended whose provider was not asked, or not since that moment."""
        return [
            row.id
            for row in self.rows.values()
            if row.status == InstanceStatus.ENDING and (row.asked_at is None or row.asked_at <= asked_before_s)
        ]

    def named(self, instances: Collection[str]) -> list[CloudInstance]:
        """Rows by the provider's ids; ids that the record does not have are left out."""
        return [self.rows[instance] for instance in dict.fromkeys(instances) if instance in self.rows]

    def _event(self, kind: str, row: CloudInstance, **data: Any) -> None:
        worker = row.worker or None
        self._ledger.event(
            self._tx, kind, worker=worker, pool=self.pool, instance=row.id, intent=row.intent or row.label, **data
        )
