"""A provider's list against a pool's rows: both as the domain sees them, and what it finds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlmodel import Session

from scheduler.backends.base import Instance
from scheduler.domain.instance_states import InstanceEvent, InstanceStatus, IntentStatus
from scheduler.domain.instances import Findings, Known, Listed, Order, Patience, Shown, Stranger, compare
from scheduler.service.pool_workers import WorkerState
from scheduler.store.instances import CloudInstance, LaunchIntent
from scheduler.store.renting import load_record


def find(
    at_s: float,
    orders: Collection[LaunchIntent],
    rows: Collection[CloudInstance],
    listed: Collection[Instance],
    *,
    workers: Mapping[str, WorkerState],
    patience: Patience,
) -> Findings:
    """What a list tells that was asked for at `at_s`."""
    known = {row.id: known_view(row, workers) for row in rows}
    intents = {order.id: order_view(order) for order in orders}
    return compare(at_s, intents, known, [listed_view(one) for one in listed], patience)


def unwanted(
    session: Session,
    pool: str,
    at_s: float,
    listed: Sequence[Instance],
    *,
    workers: Mapping[str, WorkerState],
    patience: Patience,
) -> list[Stranger]:
    """What would be ended if the pool followed a list now: strangers, and instances of its own that must go."""
    names, intents = {one.id for one in listed}, {one.intent for one in listed}
    orders, rows = load_record(session, pool, instances=names, intents=intents)
    found = find(at_s, orders.values(), rows.values(), listed, workers=workers, patience=patience)
    ends = [turn for turn in found.turns if turn.event in (InstanceEvent.END, InstanceEvent.REAPPEAR)]
    return found.strangers + [
        Stranger(turn.id, rows[turn.id].intent, turn.reason, rows[turn.id].launched_at) for turn in ends
    ]


def order_view(row: LaunchIntent) -> Order:
    """An intent as the domain sees it."""
    return Order(row.id, IntentStatus(row.status), row.count, row.expected, row.settled, row.created_at, row.lookup_at)


def known_view(row: CloudInstance, workers: Mapping[str, WorkerState]) -> Known:
    """An instance as the domain sees it."""
    worker = workers.get(row.worker) if row.worker else None
    return Known(
        row.id,
        row.intent,
        InstanceStatus(row.status),
        row.launched_at,
        row.life_s,
        running_at_s=row.running_at,
        missing_since_s=row.missing_since,
        worker=row.worker,
        seen=row.seen_at is not None,
        idle=worker is None or (worker.drained and not worker.held),
        silent_s=worker.silent_s if worker is not None else None,
    )


def listed_view(one: Instance) -> Listed:
    """An entry of the provider's list as the domain sees it."""
    return Listed(one.id, one.intent, Shown(one.state.value), one.launched_at_s)
