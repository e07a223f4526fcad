"""What ranking and routing need of the farm at one moment, beside the queue itself: a snapshot, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scheduler.domain.budgeting import EVERYBODY
from scheduler.domain.cost_caps import SITE
from scheduler.domain.forecasting import Forecast
from scheduler.domain.ranking import Policy
from scheduler.routing.departing import SiteOffer
from scheduler.routing.facts import Facts
from scheduler.routing.reserving import Reserved
from scheduler.routing.route import Pool
from scheduler.settings import PolicySettings

SITE_COSTS = "budget '{budget}' is spent, and the site has a price"


class Work(NamedTuple):
    """What a job has left: seconds of all its tasks together and of one frame, on the reference machine."""

    work_s: float
    frame_s: float


@dataclass(frozen=True)
class Circumstances:
    """The farm at `now_s` (seconds since the epoch).

    `use` maps projects to their part of the farm's recent use; `forecasts` and `work` are by job, as last foretold;
    `home` are the forecasts if every job stayed at home, `foretold` the jobs that were in them: one that was
    and has no finish there never finishes there. `shared` are the facts that are the same for all jobs.
    `sites` are the other farms by pool, `refused` by job the sites that did not take it lately, with the reason.
    `unbegun` are jobs that run, as far as their status goes, but only ever did at a site. `reserved` are the pools
    whose rented workers are kept for some jobs, `unaffordable` by job those that its cost cap closes, with the reason.
    """

    now_s: float
    pools: tuple[Pool, ...] = ()
    policy: Policy = field(default_factory=Policy)
    use: Mapping[str, float] = field(default_factory=dict[str, float])
    forecasts: Mapping[int, Forecast] = field(default_factory=dict[int, Forecast])
    home: Mapping[int, Forecast] = field(default_factory=dict[int, Forecast])
    foretold: frozenset[int] = frozenset()
    work: Mapping[int, Work] = field(default_factory=dict[int, Work])
    shared: Facts = field(default_factory=Facts)
    reserved: Reserved = field(default_factory=dict[str, Mapping[int, int]])
    sites: Mapping[str, SiteOffer] = field(default_factory=dict[str, SiteOffer])
    refused: Mapping[int, Mapping[str, str]] = field(default_factory=dict[int, Mapping[str, str]])
    unbegun: frozenset[int] = frozenset()
    unaffordable: Mapping[int, Mapping[str, str]] = field(default_factory=dict[int, Mapping[str, str]])

    def closed_sites(self, job: int, project: str, *, capped: bool) -> dict[str, str]:
        """The sites that a job does not go to at present, with the reason: they did not take it, or money is spent; a
        `capped` one goes to none that has a price."""
        closed = dict(self.refused.get(job, {}))
        if capped:
            closed |= {pool.name: SITE for pool in self.pools if pool.is_site and pool.price_usd_per_hour > 0}
        spent = next((name for name in (EVERYBODY, project) if self._is_spent(name)), None)
        if spent is not None:
            words = SITE_COSTS.format(budget=spent)
            closed |= {pool.name: words for pool in self.pools if pool.is_site and pool.price_usd_per_hour > 0}
        return closed

    def _is_spent(self, budget: str) -> bool:
        found = self.shared.budget.get(budget)
        return found is not None and found["left_usd"] <= 0

    def slack_s(self, job: int, deadline_s: float | None) -> float | None:
        """Seconds to spare if the job goes on as foretold, negative if it will be late; None without a deadline.

        A job that nobody can foretell has the time until its deadline to spare.
        """
        if deadline_s is None:
            return None
        found = self.forecasts.get(job)
        return deadline_s - (found.finish_s if found is not None else self.now_s)


def policy_of(settings: PolicySettings) -> Policy:
    """The ranking formula's weights as the settings have them."""
    return Policy(
        deadline_points=settings.deadline_points,
        deadline_horizon_s=settings.deadline_horizon_s,
        share_points=settings.share_points,
        shares=settings.shares,
        age_points_per_day=settings.age_points_per_day,
        boost_weight=settings.boost_weight,
    )
