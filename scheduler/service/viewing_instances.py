"""The read side of what was launched: intents, instances with their cost, and how each pool's provider is doing."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from scheduler.domain.instance_states import InstanceStatus
from scheduler.service.farm import Farm, iso
from scheduler.service.launching import Launcher
from scheduler.service.pool_desk import PoolDesk
from scheduler.service.viewing import reading
from scheduler.store.instances import CloudInstance, LaunchIntent
from scheduler.store.renting import list_instances, list_intents, rent_of

USD_DIGITS = 4


async def show_instances(farm: Farm, launcher: Launcher, *, pool: str | None, gone: bool, limit: int) -> dict[str, Any]:
    """Instances, newest first, and the pools that they are launched in."""
    now_s = farm.now_s()

    def read(session: Session) -> list[dict[str, Any]]:
        rows = list_instances(session, pool=pool, gone=gone, limit=limit)
        return [instance_view(row, now_s) for row in rows]

    found = await reading(farm, read)
    desks = [desk for name, desk in launcher.desks.items() if pool in (None, name)]
    for view in found:
        view["worker_status"] = _worker_status(farm, view["worker"])
    return {"instances": found, "pools": [_desk_view(desk) for desk in desks]}


async def show_launches(farm: Farm, *, pool: str | None, limit: int) -> list[dict[str, Any]]:
    """Intents, newest first."""
    rows = await reading(farm, lambda session: list_intents(session, pool=pool, limit=limit))
    return [intent_view(row) for row in rows]


def instance_view(row: CloudInstance, now_s: float) -> dict[str, Any]:
    """An instance; one that is not gone costs up to now."""
    gone = row.status == InstanceStatus.GONE
    usd = row.usd if gone else rent_of(row).usd(now_s - row.launched_at)
    return {
        "instance": row.id,
        "pool": row.pool,
        "intent": row.intent or row.label,
        "ordered": bool(row.intent),
        "status": row.status,
        "reason": row.reason,
        "preempted": row.preempted,
        "machine": row.machine,
        "place": row.place,
        "address": row.address,
        "worker": row.worker or None,
        "worker_status": None,
        "price_usd_per_hour": row.price_usd_per_hour,
        "usd": round(usd, USD_DIGITS),
        "launched_at": iso(row.launched_at),
        "ends_at": iso(row.launched_at + row.life_s),
        "ended_at": iso(row.ended_at),
    }


def intent_view(row: LaunchIntent) -> dict[str, Any]:
    """An intent to launch."""
    return {
        "intent": row.id,
        "pool": row.pool,
        "status": row.status,
        "count": row.count,
        "expected": row.expected,
        "price_usd_per_hour": row.price_usd_per_hour,
        "life_s": row.life_s,
        "reserved_usd": round(row.reserved_usd, USD_DIGITS),
        "shares": row.shares,
        "reasons": row.reasons,
        "error": row.error,
        "created_at": iso(row.created_at),
        "asked_at": iso(row.asked_at),
        "ended_at": iso(row.ended_at),
    }


def _worker_status(farm: Farm, worker: str | None) -> str | None:
    live = farm.live.workers.get(worker) if worker else None
    return live.status.value if live else None


def _desk_view(desk: PoolDesk) -> dict[str, Any]:
    trouble, terms = desk.provider.trouble, desk.terms
    return {
        "pool": desk.pool,
        "backend": desk.settings.backend,
        "reap": desk.settings.reap,
        "price_usd_per_hour": terms.price_usd_per_hour or desk.settings.price_usd_per_hour,
        "trouble": None
        if trouble is None
        else {"at": iso(trouble.at_s), "code": trouble.code, "message": trouble.message},
        "strangers": [{"instance": one.id, "intent": one.intent, "reason": one.reason} for one in desk.strangers],
    }
