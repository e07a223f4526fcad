"""Reaping on demand: every provider's list is looked at now, and what nobody wants is ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from scheduler.domain.instance_states import InstanceStatus
from scheduler.service.farm import Farm
from scheduler.service.pool_desk import PoolDesk
from scheduler.service.viewing import reading
from scheduler.store.renting import load_record


async def reap_pools(farm: Farm, desks: Mapping[str, PoolDesk], *, dry_run: bool) -> list[dict[str, Any]]:
    """End what nobody wants in any pool, and say what that was; with `dry_run` only say what it would be."""
    found: list[dict[str, Any]] = []
    for pool, desk in desks.items():
        if dry_run:
            found += [_view(pool, one.id, one.intent, one.reason) for one in await desk.unwanted()]
            continue
        before = {view["instance"] for view in await _ending(farm, pool)}
        await desk.round(look=True, reap=True)
        found += [view for view in await _ending(farm, pool) if view["instance"] not in before]
    return found


async def _ending(farm: Farm, pool: str) -> list[dict[str, Any]]:
    def read(session: Session) -> list[dict[str, Any]]:
        _orders, rows = load_record(session, pool)
        return [
            _view(pool, row.id, row.intent or row.label, row.reason)
            for row in rows.values()
            if row.status == InstanceStatus.ENDING
        ]

    return await reading(farm, read)


def _view(pool: str, instance: str, intent: str, reason: str) -> dict[str, Any]:
    return {"pool": pool, "instance": instance, "intent": intent, "reason": reason}
