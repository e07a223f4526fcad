"""The launched pools as autoscaling sees them: instances from the record, terms from the desks.

What an intent may yet bring counts as starting, so that nothing is ordered twice. Decisions go to the launcher.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session

from scheduler.backends.base import Offer
from scheduler.domain.budgeting import EVERYBODY, Rent
from scheduler.domain.instance_states import InstanceStatus
from scheduler.domain.scaling import InstanceView, Phase, Scaling
from scheduler.routing.machines import Machine
from scheduler.service.farm import Farm
from scheduler.service.launching import Applied, Launcher
from scheduler.service.scaling_ground import RentedPool
from scheduler.service.treasury import attempts_spent, rooms
from scheduler.service.viewing import reading
from scheduler.store.renting import load_record, still_coming

PHASES = {
    InstanceStatus.STARTING: Phase.STARTING,
    InstanceStatus.RUNNING: Phase.RUNNING,
    InstanceStatus.DRAINING: Phase.RETIRING,
    InstanceStatus.ENDING: Phase.RETIRING,
}


class RentedPools:
    """What a `Scaler` needs of whoever launches."""

    def __init__(self, farm: Farm, launcher: Launcher) -> None:
        self._farm, self._launcher = farm, launcher

    async def rented(self, pool: str) -> RentedPool | None:
        """The pool's instances and terms; None as long as its backend has not said what it offers: then it is asked."""
        desk = self._launcher.desks.get(pool)
        if desk is None:
            return None
        terms, settings = desk.terms, self._farm.settings
        if terms.at_s is None or not terms.offers:
            if not desk.provider.resting():
                self._launcher.wake(pool)
            return None
        price, life_s = terms.price_usd_per_hour, desk.settings.life_s
        now_s = self._farm.now_s()

        def look(session: Session) -> tuple[list[InstanceView], float | None]:
            left = rooms(session, settings, now_s, attempts_spent(session, settings, now_s))
            return _instances(session, pool), left.get(EVERYBODY)

        instances, left_usd = await reading(self._farm, look)
        return RentedPool(
            smallest(pool, terms.offers),
            instances,
            price_usd_per_hour=price,
            billing_s=terms.billing_s,
            loss_per_hour=max(offer.loss_per_hour for offer in terms.offers),
            reserve_usd=Rent(price, terms.billing_s, life_s).full_usd,
            left_usd=None if left_usd is None else max(0.0, left_usd),
        )

    async def apply(self, pool: str, decision: Scaling) -> Applied:
        """Have a decision carried out."""
        return await self._launcher.apply(pool, decision)


def smallest(pool: str, offers: Sequence[Offer]) -> Machine:
    """A machine that has what every offer has: any of them may be launched."""
    return Machine(
        pool,
        min(offer.vcpus for offer in offers),
        min(offer.memory_gib for offer in offers),
        min(offer.gpus for offer in offers),
    )


def _instances(session: Session, pool: str) -> list[InstanceView]:
    orders, rows = load_record(session, pool)
    found = [
        InstanceView(row.id, phase, row.launched_at, worker=row.worker)
        for row in rows.values()
        if (phase := PHASES.get(InstanceStatus(row.status))) is not None
    ]
    for intent, coming in still_coming(orders, rows).items():
        at_s = orders[intent].created_at
        found += [InstanceView(f"{intent}/{n}", Phase.STARTING, at_s) for n in range(coming)]
    return found
