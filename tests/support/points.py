"""A farm that deals in points, and a worker that belongs to somebody."""

from __future__ import annotations

from typing import Any

from farms import LooseFarm

from scheduler.settings import EconomySettings
from scheduler.store.tables import Job, Worker


def deal_in_points(farm: LooseFarm, **economy: Any) -> None:
    """Turn the economy on, as a restart with other settings would."""
    on = EconomySettings(**({"enabled": True} | economy))
    farm.settings = farm.farm.settings = farm.settings.model_copy(update={"economy": on})


def own_worker(farm: LooseFarm, worker: str, owner: str, rating: float | None = None) -> None:
    """The worker belongs to this user."""

    def change(tx: Any) -> None:
        row = tx.session.get(Worker, worker)
        row.owner, row.rating = owner, rating

    farm.store.write(change)


def track(farm: LooseFarm, job: int | str, **wish: Any) -> None:
    """Production's tracker has said this of a job just now: `priority`, `deadline`, `hold`, `source`."""

    def change(tx: Any) -> None:
        row = tx.session.get(Job, int(job))
        row.tracked_at = farm.farm.now_s()
        for name, value in wish.items():
            setattr(row, f"tracked_{name}", value)

    farm.store.write(change)
