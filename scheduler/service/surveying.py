"""Looking around before a plan is made: pools, shares, forecasts, budgets and the clock become one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from scheduler.clock import studio_time
from scheduler.domain.states import WorkerStatus
from scheduler.routing.facts import Facts, now_facts
from scheduler.routing.route import Pool
from scheduler.routing.router import Router
from scheduler.routing.rules import EMPTY_BOOK
from scheduler.service.circumstances import Circumstances, Work, policy_of
from scheduler.service.farm import Farm
from scheduler.service.forecasting import Forecaster, Outlook
from scheduler.service.planning import pools_of
from scheduler.service.sharing import Sharing


class Surveyor:
    """Makes the circumstances of a plan, and keeps the router that remembers from one plan to the next."""

    def __init__(self, farm: Farm, forecaster: Forecaster) -> None:
        self._farm, self._forecaster = farm, forecaster
        self._sharing = Sharing(farm.settings.policy.share_half_life_s)
        self._budgets: Mapping[str, Any] = {}
        self._router = Router(EMPTY_BOOK)
        self._work: tuple[Outlook, Mapping[int, Work]] = (forecaster.last, {})

    def load(self) -> None:
        """Take up what is remembered from before this start."""
        with self._farm.store.read() as session:
            self._sharing.load(session, self._farm.now_s())

    def take_budgets(self, found: Iterable[Mapping[str, Any]]) -> None:
        """From now on, conditions see the budgets as they were counted just now."""
        self._budgets = {row["budget"]: _budget(row) for row in found}

    @property
    def router(self) -> Router:
        """The router of the rules that are in force."""
        if self._router.book is not self._farm.book:
            self._router = Router(self._farm.book)
        return self._router

    def look(self) -> Circumstances:
        """The farm as it is now. Runs in the event loop's thread; the snapshot may be read in any."""
        farm, outlook = self._farm, self._forecaster.last
        now_s, settings = farm.now_s(), farm.settings
        pools = pools_of(farm.live.workers.values(), settings.pools, farm.live.offers)
        if self._work[0] is not outlook:
            self._work = (outlook, _work(outlook))
        return Circumstances(
            now_s=now_s,
            pools=pools,
            policy=policy_of(settings.policy),
            use=self._sharing.follow(farm.live, settings.policy.shares, now_s) if settings.policy.shares else {},
            forecasts=outlook.jobs,
            home=outlook.home,
            foretold=outlook.seen,
            work=self._work[1],
            sites=farm.sites.offers(),
            refused=farm.sites.refused(now_s),
            unbegun=farm.sites.unbegun,
            reserved=farm.live.plan.reserved,
            unaffordable=farm.live.purses.closed(),
            shared=Facts(
                pools=self._pool_facts(pools),
                budget=self._budgets,
                now=now_facts(studio_time(farm.clock.now(), settings.farm.time_zone)),
            ),
        )

    def _pool_facts(self, pools: tuple[Pool, ...]) -> dict[str, dict[str, Any]]:
        live = self._farm.live
        here = [worker for worker in live.workers.values() if worker.status is not WorkerStatus.LOST]
        workers, slots, running = Counter[str](), Counter[str](), Counter[str]()
        for worker in here:
            workers[worker.pool] += 1
            slots[worker.pool] += worker.slots
            running[worker.pool] += len(worker.leases)
        return {
            pool.name: {
                "backend": pool.backend or "onprem",
                "workers": workers[pool.name],
                "slots": slots[pool.name],
                "running": running[pool.name],
                "free": max(0, slots[pool.name] - running[pool.name]),
                "workers_max": pool.workers_max or 0,
                "price_usd_per_hour": pool.price_usd_per_hour,
            }
            for pool in pools
        }


def _budget(row: Mapping[str, Any]) -> dict[str, Any]:
    usd, spent = float(row["usd"]), float(row["spent_usd"])
    used = spent / usd if usd else 1.0
    return {"set": True, "usd": usd, "spent_usd": spent, "left_usd": float(row["left_usd"]), "used": min(1.0, used)}


def _work(outlook: Outlook) -> dict[int, Work]:
    """What each job has left, from its steps."""
    found: dict[int, Work] = {}
    for job, steps in outlook.steps.items():
        work_s = sum((s.waiting + s.running) * s.frames_per_task * s.time.mid_s for s in steps)
        found[job] = Work(work_s, max((s.time.mid_s for s in steps), default=0.0))
    return found
