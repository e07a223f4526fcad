"""The named queries of instances and their money: one pool's record, and what all pools cost since some moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy
from sqlmodel import Session, col, or_, select

from scheduler.domain.budgeting import Paid, Pledge, Rent, Rented, Rents
from scheduler.domain.instance_states import TERMINAL_INTENTS, InstanceStatus
from scheduler.store.instances import CloudInstance, LaunchIntent
from scheduler.store.tables import Worker

_RENTED: tuple[Any, ...] = (
    col(CloudInstance.pool),
    col(CloudInstance.price_usd_per_hour),
    col(CloudInstance.billing_s),
    col(CloudInstance.life_s),
    col(CloudInstance.launched_at),
    col(CloudInstance.ended_at),
    col(LaunchIntent.status),
    col(LaunchIntent.shares),
)
"""Of instances that are counted one by one."""


def rent_of(row: CloudInstance | LaunchIntent) -> Rent:
    """The terms that an instance, or each one of an intent, was launched on."""
    return Rent(row.price_usd_per_hour, row.billing_s, row.life_s)


def load_rents(session: Session, start_s: float) -> Rents:
    """Everything that costs in a period which began at `start_s`. What is gone is summed up by the database: a month
    may hold ten thousand instances, and launches wait for this."""
    intent, row = LaunchIntent, CloudInstance
    within = (col(row.ended_at) > start_s) & (col(row.launched_at) >= start_s)
    single: Any = (
        sqlalchemy.select(*_RENTED)
        .outerjoin(intent, col(intent.id) == col(row.intent))
        .where(or_(col(row.ended_at).is_(None), (col(row.ended_at) > start_s) & (col(row.launched_at) < start_s)))
    )
    summed: Any = (
        sqlalchemy.select(col(row.pool), col(row.intent), sqlalchemy.func.sum(row.usd))
        .where(within)
        .group_by(col(row.pool), col(row.intent))
    )
    sums = session.execute(summed).all()
    shares: dict[str, Mapping[str, float]] = dict(
        session.exec(select(intent.id, intent.shares).where(col(intent.id).in_(select(row.intent).where(within)))).all()
    )
    living = session.exec(select(intent).where(col(intent.status).not_in(list(TERMINAL_INTENTS)))).all()
    gone = _gone_counts(session, [order.id for order in living])
    return Rents(
        start_s,
        rented=[_rented(*found) for found in session.execute(single)],
        pledges=[
            Pledge(rent_of(order), max(0, order.expected - gone.get(order.id, 0)), order.shares, order.pool)
            for order in living
        ],
        paid=[Paid(float(usd), shares.get(name, {}), pool) for pool, name, usd in sums],
    )


def load_record(
    session: Session, pool: str, *, instances: Collection[str] = (), intents: Collection[str] = ()
) -> tuple[dict[str, LaunchIntent], dict[str, CloudInstance]]:
    """What the record knows of a pool: living intents with all their instances, everything that is not gone, and
    whatever else is named."""
    orders = session.exec(
        select(LaunchIntent)
        .where(LaunchIntent.pool == pool)
        .where(or_(col(LaunchIntent.status).not_in(list(TERMINAL_INTENTS)), col(LaunchIntent.id).in_(list(intents))))
        .order_by(col(LaunchIntent.created_at), col(LaunchIntent.id))
    ).all()
    living = [order.id for order in orders if order.status not in TERMINAL_INTENTS]
    rows = session.exec(
        select(CloudInstance)
        .where(CloudInstance.pool == pool)
        .where(
            or_(
                col(CloudInstance.status) != InstanceStatus.GONE,
                col(CloudInstance.id).in_(list(instances)),
                col(CloudInstance.intent).in_(living),
            )
        )
        .order_by(col(CloudInstance.launched_at), col(CloudInstance.id))
    ).all()
    return {order.id: order for order in orders}, {row.id: row for row in rows}


def still_coming(orders: Mapping[str, LaunchIntent], rows: Mapping[str, CloudInstance]) -> dict[str, int]:
    """How many instances each intent of a loaded record may yet bring; those that bring no more are left out."""
    seen = Counter(row.intent for row in rows.values())
    return {
        order.id: order.expected - seen[order.id]
        for order in orders.values()
        if order.status not in TERMINAL_INTENTS and order.expected > seen[order.id]
    }


def still_there() -> Any:
    """A condition on workers: their machine, if the farm has rented it, is not gone. A year of renting leaves tens of
    thousands of rows of others, which are kept for what their attempts have cost."""
    gone = sqlalchemy.exists().where(
        col(CloudInstance.pool) == col(Worker.pool),
        col(CloudInstance.id) == col(Worker.instance),
        col(CloudInstance.status) == InstanceStatus.GONE,
    )
    return sqlalchemy.not_(gone)


def find_instance(session: Session, pool: str, *, intent: str, instance: str) -> CloudInstance | None:
    """The instance that a worker says it runs on; without an id, the only one of its intent."""
    if instance:
        return session.get(CloudInstance, (pool, instance))
    rows = session.exec(select(CloudInstance).where(CloudInstance.intent == intent).limit(2)).all()
    order = session.get(LaunchIntent, intent)
    return rows[0] if len(rows) == 1 and order is not None and order.count == 1 else None


def list_intents(session: Session, *, pool: str | None, limit: int) -> list[LaunchIntent]:
    """The newest intents, of one pool or of all."""
    query = select(LaunchIntent).order_by(col(LaunchIntent.created_at).desc(), col(LaunchIntent.id)).limit(limit)
    return list(session.exec(query if pool is None else query.where(LaunchIntent.pool == pool)).all())


def list_instances(session: Session, *, pool: str | None, gone: bool, limit: int) -> list[CloudInstance]:
    """Instances, newest first; those that are gone only where asked for."""
    query = select(CloudInstance).order_by(col(CloudInstance.launched_at).desc(), col(CloudInstance.id)).limit(limit)
    if not gone:
        query = query.where(col(CloudInstance.status) != InstanceStatus.GONE)
    return list(session.exec(query if pool is None else query.where(CloudInstance.pool == pool)).all())


def _rented(
    pool: str, price: float, billing_s: float, life_s: float, launched_at: float, ended_at: float | None, *intent: Any
) -> Rented:
    status, shares = intent
    living = status is not None and status not in TERMINAL_INTENTS
    return Rented(Rent(price, billing_s, life_s), launched_at, ended_at, living, shares or {}, pool)


def _gone_counts(session: Session, intents: Collection[str]) -> dict[str, int]:
    query: Any = (
        sqlalchemy.select(col(CloudInstance.intent), sqlalchemy.func.count())
        .where(col(CloudInstance.intent).in_(list(intents)), col(CloudInstance.status) == InstanceStatus.GONE)
        .group_by(col(CloudInstance.intent))
    )
    return {intent: int(count) for intent, count in session.execute(query).all()}
