"""What the rules say of a job that has been handed over: is it forbidden there now, and has it another place."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from scheduler.routing.route import REASON_AWAY, Route
from scheduler.service.farm import Farm
from scheduler.service.planning import can_take, needs_of
from scheduler.service.situating import place_of, route_of
from scheduler.service.surveying import Surveyor
from scheduler.service.viewing import reading
from scheduler.store.production import PriorityOverride
from scheduler.store.tables import Job, Task


@dataclass(frozen=True)
class Standing:
    """A job that is away, under the rules in force.

    `forbidden`: why it may not be there; None: it may. `elsewhere`: another pool of its route could take it now.
    """

    forbidden: str | None
    elsewhere: bool


class Recaller:
    """Asks the rules about jobs that are away."""

    def __init__(self, farm: Farm, surveyor: Surveyor) -> None:
        self._farm, self._surveyor = farm, surveyor

    async def standing(self, job: int, site: str) -> Standing:
        """How a job stands that is at this site."""
        row, override, tasks = await reading(self._farm, lambda session: _load(session, job))
        around = self._surveyor.look()
        route = route_of(row, place_of(row, override), around, self._farm.book, tasks=tasks)
        pools, sites = {pool.name: pool for pool in around.pools}, self._farm.sites.sites
        needs = route.needs or needs_of(row.renderer, row.scene, row.requires)
        others = [pool for pool in route.chosen if pool != site]
        elsewhere = any(not sites[pool].shut if pool in sites else can_take(pools[pool], needs) for pool in others)
        return Standing(_forbidden(route, site), elsewhere)


def _forbidden(route: Route, site: str) -> str | None:
    """A rule that merely does not allow it any more (the job is not late any more) brings nothing back."""
    found = next((verdict for verdict in route.pools if verdict.pool == site), None)
    if found is None or found.allowed or found.reason == REASON_AWAY:
        return None
    return found.reason


def _load(session: Session, job: int) -> tuple[Job, int | None, int]:
    row = session.get_one(Job, job)
    override = session.exec(select(PriorityOverride.priority).where(PriorityOverride.job_id == job)).first()
    tasks = session.exec(select(func.count(col(Task.id))).where(Task.job_id == job)).one()
    session.expunge(row)
    return row, override, int(tasks)
