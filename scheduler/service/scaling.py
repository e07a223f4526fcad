"""Autoscaling on the running farm: look, decide, have it done; and tell anybody who asks what would be done and why.

Deciding is the domain's (`resizing`), the snapshot is made in `scaling_ground`, and launching and ending instances is
somebody else's: whatever fulfils `Launching`. Between two decisions this remembers what was changed last, and which
jobs machines are rented for; the plan keeps those machines for them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from scheduler.domain.renting import HOUR_S
from scheduler.domain.resizing import decide
from scheduler.domain.scaling import Cover, Decision, Ground, Phase, Policy, PoolView, Scaling
from scheduler.service.farm import Farm, iso
from scheduler.service.forecasting import Forecaster
from scheduler.service.scaling_ground import GroundMaker, RentedPool
from scheduler.service.surveying import Surveyor

USD_DIGITS = 4

log = structlog.get_logger()


class Launching(Protocol):
    """Who knows the instances that were launched, and launches and ends them."""

    async def rented(self, pool: str) -> RentedPool | None:
        """The pool's instances and terms; None: nothing is launched there, or its backend has not said yet what it
        offers."""
        ...

    async def apply(self, pool: str, decision: Scaling) -> Outcome:
        """Write down what was decided and have it done, as far as money and bounds allow; returns soon."""
        ...


class Outcome(Protocol):
    """What came of a decision: how many are launched, which go, and why it was not all that was decided."""

    @property
    def launched(self) -> int:
        """How many instances were ordered."""
        ...

    @property
    def retired(self) -> tuple[str, ...]:
        """The instances that are on their way out now."""
        ...

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it was not more."""
        ...


@dataclass
class Past:
    """What was done about a pool lately, seconds since the epoch; why the last launch came to nothing, and when."""

    grown_at_s: float | None = None
    shrunk_at_s: float | None = None
    used_at_s: float | None = None
    refused_at_s: float | None = None
    refusal: tuple[str, ...] = ()


class Scaler:
    """Decides at an interval how many workers each pool has. Without `launching` it decides about no pool."""

    def __init__(
        self, farm: Farm, forecaster: Forecaster, surveyor: Surveyor, launching: Launching | None = None
    ) -> None:
        self._farm, self._launching = farm, launching
        self._maker = GroundMaker(farm, forecaster, surveyor)
        self._past: dict[str, Past] = defaultdict(Past)
        self._last = Decision()
        self._lock = asyncio.Lock()

    @property
    def pools(self) -> list[str]:
        """The pools that are scaled."""
        return [name for name, pool in self._farm.settings.pools.items() if Policy(pool.autoscale) is not Policy.NONE]

    async def run(self) -> Decision:
        """Decide once and have it done; called every `[farm] scale_s`."""
        if self._launching is None or not self.pools:
            return self._last
        async with self._lock:
            ground, decision = await self._decide()
            self._last = decision
            self._farm.live.reserve(decision.reserved(ground.pools))
            for scaling in decision.scalings:
                if scaling.retire or (scaling.launch and not self._refused(scaling.pool)):
                    await self._apply(scaling)
            return decision

    async def plan(self) -> dict[str, Any]:
        """What would be done now, without doing it: pools, and the jobs that would be late at home."""
        async with self._lock:
            ground, decision = await self._decide()
        titles = {work.job: work.name for work in ground.work}
        scalings = {scaling.pool: scaling for scaling in decision.scalings}
        known = {pool.name: pool for pool in ground.pools}
        return {
            "made_at": iso(ground.now_s),
            "pools": [
                _pool_view(known[name], scalings[name], decision, self._past[name].refusal)
                if name in known
                else self._unknown_view(name)
                for name in self.pools
            ],
            "jobs": [_cover_view(cover, titles.get(cover.job, "")) for cover in decision.covers],
        }

    async def _decide(self) -> tuple[Ground, Decision]:
        rented = await self._rented()
        self._farm.live.offers = self._maker.offers(rented)
        ground = await self._maker.look(rented, self._past, self._last.covered)
        return ground, await asyncio.to_thread(decide, ground)

    async def _rented(self) -> dict[str, RentedPool]:
        """The scaled pools whose instances and terms are known."""
        if self._launching is None:
            return {}
        found = {name: await self._launching.rented(name) for name in self.pools}
        return {name: one for name, one in found.items() if one is not None}

    def _refused(self, pool: str) -> bool:
        """Whether a launch came to nothing so shortly ago that it is not asked for again yet."""
        refused_at_s, settle_s = self._past[pool].refused_at_s, self._farm.settings.pools[pool].settle_s
        return refused_at_s is not None and self._farm.now_s() - refused_at_s < settle_s

    async def _apply(self, scaling: Scaling) -> None:
        assert self._launching is not None
        done = await self._launching.apply(scaling.pool, scaling)
        past, now_s = self._past[scaling.pool], self._farm.now_s()
        if done.retired:
            past.shrunk_at_s = now_s
        if done.launched:
            past.grown_at_s, past.refused_at_s, past.refusal = now_s, None, ()
        elif scaling.launch:
            past.refused_at_s, past.refusal = now_s, done.reasons
        log.info(
            "pool.scaled",
            pool=scaling.pool,
            launched=done.launched,
            wanted=scaling.launch,
            retired=list(done.retired),
            reasons=[*scaling.reasons, *done.reasons],
        )

    def _unknown_view(self, name: str) -> dict[str, Any]:
        """A pool of which it is not known what could be launched there."""
        settings = self._farm.settings.pools[name]
        return {
            "pool": name,
            "autoscale": settings.autoscale,
            "workers": {"present": 0, "starting": 0, "busy": 0, "idle": 0, "retiring": 0},
            "wanted": None,
            "launch": 0,
            "retire": [],
            "reasons": [UNKNOWN_TERMS],
            "workers_min": settings.workers_min,
            "workers_max": settings.workers_max,
            "price_usd_per_hour": settings.price_usd_per_hour,
            "usd_per_hour": 0.0,
            "usd_per_hour_wanted": 0.0,
        }


UNKNOWN_TERMS = (
    "its backend has not said yet what it offers, or launches nothing; `outfield cloud ls` tells of trouble with it"
)


def _pool_view(pool: PoolView, scaling: Scaling, decision: Decision, refusal: Sequence[str]) -> dict[str, Any]:
    phases = [one.phase for one in pool.instances]
    after = pool.present + scaling.launch - len(scaling.retire)
    return {
        "pool": pool.name,
        "autoscale": pool.policy.value,
        "workers": {
            "present": pool.present,
            "starting": phases.count(Phase.STARTING),
            "busy": pool.busy,
            "idle": phases.count(Phase.RUNNING) - pool.busy,
            "retiring": pool.retiring,
        },
        "wanted": decision.wants[pool.name].count,
        "launch": scaling.launch,
        "retire": list(scaling.retire),
        "reasons": [*scaling.reasons, *refusal],
        "workers_min": pool.workers_min,
        "workers_max": pool.workers_max,
        "price_usd_per_hour": pool.price_usd_per_hour,
        "usd_per_hour": _usd(pool.present * pool.price_usd_per_hour),
        "usd_per_hour_wanted": _usd(after * pool.price_usd_per_hour),
    }


def _cover_view(cover: Cover, name: str) -> dict[str, Any]:
    return {
        "jobID": f"{cover.job:05d}",
        "name": name,
        "pool": cover.pool,
        "stage": cover.stage.value,
        "work_hours": round(cover.work_s / HOUR_S, 3),
        "starts_at": iso(cover.starts_s),
        "reason": cover.reason,
    }


def _usd(usd: float) -> float:
    return round(usd, USD_DIGITS)
