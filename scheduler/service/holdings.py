"""What a pool holds as whoever scales it must see it: instances, what is on its way, and the money that is left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlmodel import Session

from scheduler.domain.budgeting import EVERYBODY, Rent
from scheduler.domain.states import TERMINAL_INTENTS, InstanceStatus
from scheduler.service.farm import Farm
from scheduler.service.pool_desk import PoolDesk
from scheduler.service.treasury import attempts_spent, rooms
from scheduler.service.viewing import reading
from scheduler.store.renting import load_record


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """An instance that is not gone. `worker` is empty until one has joined from it."""

    id: str
    status: InstanceStatus
    launched_at_s: float
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Holdings:
    """A pool's instances, oldest first; `coming` were ordered and are not among them yet.

    `reserve_usd` is what launching one more reserves, `room_usd` what the farm's budget may still commit (None: it has
    none); `not_before_s`, on the monotonic clock: nothing is launched earlier.
    """

    pool: str
    instances: tuple[HeldInstance, ...]
    coming: int
    reserve_usd: float
    room_usd: float | None
    not_before_s: float


async def holdings_of(farm: Farm, desk: PoolDesk) -> Holdings:
    """What a pool holds now."""
    settings, now_s = farm.settings, farm.now_s()
    price = desk.terms.price_usd_per_hour or desk.settings.price_usd_per_hour
    rent = Rent(price, desk.terms.billing_s, desk.settings.life_s)

    def read(session: Session) -> Holdings:
        orders, rows = load_record(session, desk.pool)
        seen = Counter(row.intent for row in rows.values())
        here = [row for row in rows.values() if row.status != InstanceStatus.GONE]
        left = rooms(session, settings, now_s, attempts_spent(session, settings, now_s))
        return Holdings(
            pool=desk.pool,
            instances=tuple(
                HeldInstance(row.id, InstanceStatus(row.status), row.launched_at, row.worker) for row in here
            ),
            coming=sum(
                max(0, order.expected - seen[order.id])
                for order in orders.values()
                if order.status not in TERMINAL_INTENTS
            ),
            reserve_usd=rent.full_usd,
            room_usd=left.get(EVERYBODY),
            not_before_s=desk.not_before_s,
        )

    return await reading(farm, read)
