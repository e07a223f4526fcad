"""What jobs will cost, for people: the last forecast's shares with the prices in force, and what was spent already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlmodel import Session

from scheduler.domain.cost_forecasting import CostForecast, Interval, Share, foretell, under_cap
from scheduler.domain.costs import account
from scheduler.domain.estimating import FrameTime
from scheduler.domain.states import TERMINAL_JOBS
from scheduler.service.capping import Capper, Tariff
from scheduler.service.farm import Farm
from scheduler.service.forecasting import Forecaster
from scheduler.service.treasury import prices
from scheduler.service.viewing import reading
from scheduler.store.tables import Job
from scheduler.store.usage import load_usage

USD_DIGITS, HOUR_DIGITS = 4, 3

NOTHING_TOLD = "no estimate: nobody knows yet where it will run"
AWAY = "another farm has the job: what it costs there is counted as it is told"


class Foretold(Protocol):
    """What a replay says of a job's money."""

    @property
    def usd(self) -> Interval:
        """US dollars by the expected times, by shorter and by longer ones."""
        ...

    @property
    def shares(self) -> tuple[Share, ...]:
        """Which pools do how much."""
        ...


async def job_cost(farm: Farm, forecaster: Forecaster, capper: Capper, job: int) -> dict[str, Any]:
    """What a job has cost and will cost, in the shape of `GET /jobs/{id}/estimate`."""

    def read(session: Session) -> tuple[Job, float]:
        row = session.get_one(Job, job)
        usages = load_usage(session, now_s=farm.now_s(), job=job)
        session.expunge(row)
        return row, account(usages, prices(farm.settings.pools)).usd

    row, spent_usd = await reading(farm, read)
    last = forecaster.last
    tasks = sum(step.waiting + step.running for step in last.steps.get(job, ()))
    if row.status in TERMINAL_JOBS:
        found = CostForecast(Interval(spent_usd, spent_usd, spent_usd))
        return Told(found, 0, row.cost_cap_usd, spent_usd).view()
    shares = last.shares.get(job)
    if row.away is not None or shares is None:
        note = AWAY if row.away is not None else NOTHING_TOLD
        return Told(CostForecast(None, note=note), tasks, row.cost_cap_usd, spent_usd).view()
    tariff = capper.tariff()
    unknown = unknown_times(step.time for step in last.steps.get(job, ()))
    found = foretell(shares, tariff.usd_per_hour, tariff.unpriced, spent_usd=spent_usd, unknown=unknown)
    found = under_cap(found, row.cost_cap_usd, spent_usd)
    return Told(found, tasks, row.cost_cap_usd, spent_usd, tariff.usd_per_hour).view()


def unknown_times(times: Iterable[FrameTime]) -> str:
    """On what the frame times rest where nobody has seen any; empty: they are known."""
    return next((time.basis for time in times if time.count == 0), "")


def cost_if(costs: Foretold | None, tariff: Tariff, unknown: str, cap_usd: float | None) -> CostForecast:
    """What a job that does not exist would cost, by a replay of the queue with it."""
    if costs is None:
        return CostForecast(None, note=NOTHING_TOLD)
    found = foretell(costs.shares, tariff.usd_per_hour, tariff.unpriced, unknown=unknown)
    if found.usd is not None:
        found = replace(found, usd=costs.usd)
    return under_cap(found, cap_usd)


@dataclass(frozen=True)
class Told:
    """A forecast of money with what it is told with: tasks that are left, the cap, what was spent, workers' prices."""

    found: CostForecast
    tasks: int
    cap_usd: float | None = None
    spent_usd: float = 0.0
    usd_per_hour: Mapping[str, float] = field(default_factory=dict[str, float])

    def view(self) -> dict[str, Any]:
        """As it is shown. `usd` is null where `note` says why, hours where nobody has seen such frames."""
        usd, found = self.found.usd, self.found
        hours = sum(share.machine_hours for share in found.shares)
        return {
            "usd": None if usd is None else {"low": _usd(usd.low), "likely": _usd(usd.likely), "high": _usd(usd.high)},
            "spent_usd": _usd(self.spent_usd),
            "cost_cap_usd": self.cap_usd,
            "tasks": self.tasks,
            "machine_hours": round(hours, HOUR_DIGITS) if found.timed and found.shares else None,
            "pools": [self._share(share) for share in found.shares if share.pool],
            "note": found.note,
        }

    def _share(self, share: Share) -> dict[str, Any]:
        price = self.usd_per_hour.get(share.pool, 0.0)
        known = self.found.usd is not None
        return {
            "pool": share.pool,
            "tasks": round(share.tasks, 1),
            "machine_hours": round(share.machine_hours, HOUR_DIGITS) if self.found.timed else None,
            "usd": _usd(share.machine_hours * price) if known else None,
        }


def _usd(value: float) -> float:
    return round(value, USD_DIGITS)
