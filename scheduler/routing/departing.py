"""Whether a job is handed over whole to another farm, and to which: the last word of routing on a job. Pure.

A route may choose pools of both kinds: workers, and *sites* (other farms, which take whole jobs). A job goes to the
first pool of its route that can take it. Where that is a site, the job is handed over before anything of it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

WAITS_FULL = "{site} has as many jobs of this farm as it may (jobs_max = {jobs_max})"
WAITS_SHUT = "{site} has not been reached for too long"
WAITS_REFUSED = "it does not go to {site}"


@dataclass(frozen=True, slots=True)
class SiteOffer:
    """A site as this decision sees it.

    `full`: it has as many jobs of ours as it may. `shut`: it has been away for so long that a job which has another
    place is not kept waiting for it. `overflow_s`: a job that has waited so long at home goes there; None: never.
    """

    jobs_max: int
    full: bool = False
    shut: bool = False
    overflow_s: float | None = None


def departure(
    chosen: Sequence[str],
    sites: Mapping[str, SiteOffer],
    *,
    refused: Collection[str],
    waited_s: float,
    can_take: Callable[[str], bool],
) -> str | None:
    """The site that a job which has not started goes to; None: it stays.

    `chosen` are the pools of its route, best first; `refused` the sites that did not take it lately; `can_take` tells
    whether a pool of workers has one that fits, or may get one.
    """
    open_sites = [pool for pool in chosen if pool in sites and pool not in refused]
    elsewhere = [pool for pool in chosen if pool not in sites and can_take(pool)]
    for pool in chosen:
        if pool in elsewhere:
            return _overflow(open_sites, sites, waited_s)
        if pool in open_sites and not _is_passed_over(pool, sites, elsewhere, open_sites):
            return None if sites[pool].full else pool
    return None


def _is_passed_over(pool: str, sites: Mapping[str, SiteOffer], elsewhere: Sequence[str], others: Sequence[str]) -> bool:
    """A site that cannot be reached is waited for only where there is no other place."""
    return sites[pool].shut and bool(elsewhere or any(not sites[other].shut for other in others))


def _overflow(open_sites: Sequence[str], sites: Mapping[str, SiteOffer], waited_s: float) -> str | None:
    """A job that has waited at home for longer than a site's patience goes there."""
    for pool in open_sites:
        offer = sites[pool]
        if offer.overflow_s is not None and waited_s >= offer.overflow_s and not offer.full and not offer.shut:
            return pool
    return None


def waiting_words(site: str, offer: SiteOffer, *, refused: str | None) -> str | None:
    """Why a job does not go to a site of its route at present; None: nothing keeps it."""
    if refused is not None:
        return WAITS_REFUSED.format(site=site) + (f": {refused}" if refused else "")
    if offer.full:
        return WAITS_FULL.format(site=site, jobs_max=offer.jobs_max)
    return WAITS_SHUT.format(site=site) if offer.shut else None
