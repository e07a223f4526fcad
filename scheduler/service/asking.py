"""What is written down around a call to a provider: before it, and what came of it; and what it tells by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scheduler.backends.base import Instance, LaunchOrder, Notice, NoticeKind
from scheduler.domain.instance_states import InstanceEvent, IntentEvent, IntentStatus
from scheduler.domain.instances import STALE_INTENT_S
from scheduler.domain.start_up import Boot, start_up_script
from scheduler.service.booting import dead_idle_s
from scheduler.service.identity import Identity
from scheduler.service.ledger import Ledger
from scheduler.service.recording import Record
from scheduler.service.severing import drain_row
from scheduler.settings import PoolSettings
from scheduler.store.instances import LaunchIntent
from scheduler.store.transaction import Transaction

ERROR_MAX = 500
"""Characters that are kept of what went wrong."""

WATCHED_CLOUDS = frozenset({"aws", "gce", "slurm"})
"""Backends whose notices the agent itself watches for."""

MACHINES_OF_OUR_OWN = frozenset({"aws", "gce"})
"""Backends whose machines are there for the farm alone: they are turned off with their agent."""


class Desk(Protocol):
    """What is needed of a pool's desk."""

    pool: str

    @property
    def settings(self) -> PoolSettings:
        """The pool's settings."""
        ...

    @property
    def worker_url(self) -> str:
        """Where the pool's workers find the scheduler."""
        ...

    @property
    def ca_pin(self) -> str:
        """What they know its authority by."""
        ...

    def record(self, tx: Transaction, ledger: Ledger) -> Record:
        """The pool's rows inside a transaction."""
        ...


class Asking:
    """The transactions around the launch of one intent."""

    def __init__(self, identity: Identity, desk: Desk, intent: str) -> None:
        self._identity, self._desk, self._intent = identity, desk, intent

    def ask(self, tx: Transaction, ledger: Ledger) -> LaunchOrder | None:
        """Write that the provider is about to be asked; None if the intent is not wanted any more."""
        order = tx.session.get(LaunchIntent, self._intent)
        if order is None or order.status != IntentStatus.INTENDED:
            return None
        record, settings = self._desk.record(tx, ledger), self._desk.settings
        if ledger.now_s - order.created_at > STALE_INTENT_S:
            record.settle(listed=False, at_s=ledger.now_s)
            return None
        valid_s = settings.boot_s + settings.join_s
        code = self._identity.mint_join_code(tx, order.id, pool=self._desk.pool, uses=order.count, expires_s=valid_s)
        order.asked_at = order.lookup_at = ledger.now_s
        record.turn_order(order, IntentEvent.ASK)
        return LaunchOrder(order.id, order.count, self._script(order, code), order.life_s)

    def _script(self, order: LaunchIntent, code: str) -> str:
        settings = self._desk.settings
        return start_up_script(
            Boot(
                server=self._desk.worker_url,
                join=code,
                pool=self._desk.pool,
                intent=order.id,
                life_s=order.life_s,
                install=settings.agent_install,
                ca_pin=self._desk.ca_pin,
                cloud=settings.backend if settings.backend in WATCHED_CLOUDS else "none",
                power_off=settings.backend in MACHINES_OF_OUR_OWN,
                idle_s=dead_idle_s(settings),
            )
        )

    def refused(self, tx: Transaction, ledger: Ledger, words: str) -> None:
        """Nothing was started: nothing is reserved any more."""
        record = self._desk.record(tx, ledger)
        order = record.orders.get(self._intent)
        if order is None or order.status not in (IntentStatus.LAUNCHING, IntentStatus.ENDING):
            return
        order.expected = 0
        event = IntentEvent.FAIL if order.status == IntentStatus.LAUNCHING else IntentEvent.VANISH
        record.turn_order(order, event, words[:ERROR_MAX])
        record.reserve()

    def unknown(self, tx: Transaction, ledger: Ledger, words: str) -> None:
        """Nobody knows what came of it: from now on it is looked up."""
        order = tx.session.get(LaunchIntent, self._intent)
        if order is not None:
            order.lookup_at, order.error = ledger.now_s, words[:ERROR_MAX]
            ledger.event(tx, "launch.unknown", pool=self._desk.pool, intent=order.id, reason=order.error)

    def started(self, tx: Transaction, ledger: Ledger, started: Sequence[Instance]) -> None:
        """What was started comes into the record; what is still missing of it may yet be listed."""
        record = self._desk.record(tx, ledger)
        order = record.orders.get(self._intent)
        if order is None:
            return
        order.lookup_at = ledger.now_s
        for one in started:
            if one.intent == self._intent:
                record.adopt(one, ledger.now_s)
        record.settle(listed=False, at_s=ledger.now_s)


def take_note(tx: Transaction, ledger: Ledger, record: Record, notice: Notice) -> str:
    """Write down what a provider tells of its own accord; returns the worker that takes nothing new because of it."""
    row = record.rows.get(notice.instance)
    kind = f"instance.{notice.kind.value}" if notice.instance else f"launch.{notice.kind.value}"
    ledger.event(
        tx, kind, worker=(row.worker or None) if row else None, pool=record.pool, instance=notice.instance,
        intent=notice.intent, reason=notice.message,
    )  # fmt: skip
    if row is None or notice.kind not in (NoticeKind.PREEMPTED, NoticeKind.FAILED):
        return ""
    reason = notice.message or notice.kind.value
    if notice.kind is NoticeKind.FAILED:
        record.turn(row, InstanceEvent.END, reason, ledger.now_s)
    else:
        # Its worker still has half a minute or more to give its leases back: the machine is not ended under it.
        row.preempted = True
        record.turn(row, InstanceEvent.DRAIN, reason, ledger.now_s)
    return drain_row(tx, ledger, row.worker)
