"""Routing of one step over the pools there are: filters with reasons, then scores, then a choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from scheduler.routing.facts import Facts
from scheduler.routing.machines import Machine, Needs, shortfall
from scheduler.routing.rules import EVERY_POOL, NO_EFFECTS, Cap, Effects, RuleBook, add_up

HOME_POOL = "onprem"
"""The studio's own machines. Without a rule that allows it, no job leaves it."""

HOUSE_BACKENDS = frozenset({"onprem", "slurm"})
"""Backends whose workers stand in the house: work there has not left the studio, so `cloud: never` permits them."""

REASON_NOT_ASKED = "the job names other pools"
REASON_NO_SUCH_POOL = "this farm has no such pool"
REASON_NO_POOL = "this farm has no pool"
REASON_AWAY = "no rule lets this job leave the studio's own machines"
REASON_CLOUD_NEVER = "the job may not leave the studio (its cloud is never)"
REASON_RULE_CLOUD = "rule '{rule}' keeps it in the studio"
REASON_FORBIDDEN = "rule '{rule}' forbids it"
REASON_CAP = "rule '{rule}' gives it no slots here"
REASON_EMPTY = "no worker of this pool is here at the moment"
REASON_UNFIT = "no worker of this pool has what the job needs"
REASON_FITS = "workers of this pool can take it"
REASON_SITE = "another farm, which takes the job whole"
REASON_LAUNCH = "a worker that can take it can be launched here"
ABLE = frozenset({REASON_FITS, REASON_SITE, REASON_LAUNCH})
"""Reasons of a pool that can take a step now or soon."""

REASON_KEPT = "its rented workers are kept for jobs that would be late at home"

DETAIL_ALLOWED = "rule '{rule}' allows it"
DETAIL_PREFERRED = "rule '{rule}' prefers it"
DETAIL_DEFAULT = "everything goes there unless a rule or the job says otherwise"
DETAIL_TAG = "rule '{rule}' asks for the tag {tag}"

WEIGHT_PREFERRED, WEIGHT_HOUSE, WEIGHT_FIT, WEIGHT_CHEAP = 0.5, 0.25, 0.15, 0.1
"""What the parts of a pool's score count; each part lies in [0, 1] and the weights add up to 1."""

SITE_BACKEND = "site"
"""The backend of pools that have no workers, but are another farm."""

DEFAULT_PREFERENCE = 0.75
"""Preference, 0 to 1, of the site that jobs go to by default; a rule that prefers another pool by more says more."""

LAUNCH_FIT = 0.5
"""How well a pool fits whose workers must be launched first, 0 to 1."""

CLOUD_PREFERENCE = 0.75
"""Preference, 0 to 1, of pools beyond the house for a job whose cloud is `prefer`; a rule that names one says more."""


@dataclass(frozen=True)
class Pool:
    """A pool as routing sees it. `tags` are those that each of its workers has beside its own.

    `house`: a site that is the studio's own; `default`: jobs go there without a rule.
    `offer` is the machine of a worker that could be launched here; None: the pool does not grow by itself.
    """

    name: str
    machines: tuple[Machine, ...] = ()
    backend: str = ""
    price_usd_per_hour: float = 0.0
    workers_max: int | None = None
    tags: tuple[str, ...] = ()
    house: bool = False
    default: bool = False
    offer: Machine | None = None

    @property
    def in_house(self) -> bool:
        """Whether work in this pool has not left the studio."""
        return self.house or self.name == HOME_POOL or self.backend in HOUSE_BACKENDS

    @property
    def is_site(self) -> bool:
        """Whether it is another farm, which takes jobs whole."""
        return self.backend == SITE_BACKEND

    @property
    def needs_no_rule(self) -> bool:
        """Whether jobs may go there without a rule that allows it."""
        return self.default or self.name == HOME_POOL


@dataclass(frozen=True)
class RouteRequest:
    """What routing needs to know of a step. `pools` empty: the job names none."""

    needs: Needs
    pools: tuple[str, ...] = ()
    cloud: str = "allow"


@dataclass(frozen=True)
class PoolVerdict:
    """May the step run in this pool, how well would it do there, and why (not)."""

    pool: str
    allowed: bool
    reason: str
    score: float = 0.0
    detail: str = ""
    rule: str | None = None


@dataclass(frozen=True)
class Route:
    """Where a step goes: the allowed pools, best first, the verdict on every pool, and what the rules add.

    `needs` is what a worker must have, with the tags that rules require. `caps` (those on chosen pools) bound how many
    slots the step's job may hold together with all others that match the same rule. `rules` names the rules that match,
    `troubles` those that could not be told, with the reason.
    """

    chosen: tuple[str, ...]
    pools: tuple[PoolVerdict, ...] = field(default=())
    needs: Needs | None = None
    caps: tuple[Cap, ...] = ()
    rules: tuple[str, ...] = ()
    troubles: tuple[tuple[str, str], ...] = ()

    @cached_property
    def placeable(self) -> bool:
        """Whether some worker that is here now could take it, or one that can be launched, or another farm."""
        return any(verdict.allowed and verdict.reason in ABLE for verdict in self.pools)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it goes nowhere; empty if there is a choice."""
        if self.chosen:
            return ()
        return tuple(f"{v.pool}: {v.reason}" for v in self.pools) or (REASON_NO_POOL,)


No = tuple[str, str | None]
"""A reason and the rule that it comes from, if any."""

Filter = Callable[[RouteRequest, Pool, Effects], No | None]


def _asked_for(request: RouteRequest, pool: Pool, _effects: Effects) -> No | None:
    return (REASON_NOT_ASKED, None) if request.pools and pool.name not in request.pools else None


def _cloud_never(request: RouteRequest, pool: Pool, effects: Effects) -> No | None:
    if pool.in_house:
        return None
    if request.cloud == "never":
        return REASON_CLOUD_NEVER, None
    rule = effects.cloud.get("never")
    return (REASON_RULE_CLOUD.format(rule=rule), rule) if rule else None


def _forbidden(_request: RouteRequest, pool: Pool, effects: Effects) -> No | None:
    rule = effects.by(effects.forbid, pool.name)
    return (REASON_FORBIDDEN.format(rule=rule), rule) if rule else None


def stays_home(_request: RouteRequest, pool: Pool, effects: Effects) -> No | None:
    """The one filter that rules lift: no job leaves home without a rule that allows it."""
    if pool.needs_no_rule or _allowing_rule(pool, effects):
        return None
    return REASON_AWAY, None


def _capped_out(_request: RouteRequest, pool: Pool, effects: Effects) -> No | None:
    for cap in effects.caps:
        if cap.pool in (pool.name, EVERY_POOL) and (cap.slots == 0 or cap.share == 0):
            return REASON_CAP.format(rule=cap.rule), cap.rule
    return None


FILTERS: tuple[Filter, ...] = (_asked_for, _cloud_never, _forbidden, stays_home, _capped_out)


def route(
    request: RouteRequest, pools: Sequence[Pool], book: RuleBook | None = None, facts: Facts | None = None
) -> Route:
    """Filter, score, choose. A pool without a fitting worker stays allowed: a worker may appear.

    Total: either a pool is chosen, or every pool (or the lack of any) has a reason; see `Route.reasons`.
    """
    if book is None or not book.rules:
        return settle(request, pools, NO_EFFECTS)
    match = book.match(facts or Facts())
    return settle(request, pools, add_up(match.rules), tuple(match.troubles.items()))


def settle(
    request: RouteRequest,
    pools: Sequence[Pool],
    effects: Effects,
    troubles: tuple[tuple[str, str], ...] = (),
) -> Route:
    """The route under effects that are known already."""
    needs = with_tags(request.needs, effects)
    verdicts = [_verdict(request, needs, pool, effects) for pool in pools]
    named = {pool.name for pool in pools}
    unknown = [name for name in dict.fromkeys(request.pools) if name not in named]
    verdicts += [PoolVerdict(name, False, REASON_NO_SUCH_POOL) for name in unknown]
    allowed = sorted((v for v in verdicts if v.allowed), key=lambda v: (-v.score, v.pool))
    chosen = tuple(v.pool for v in allowed)
    return Route(chosen, tuple(verdicts), needs, caps_on(chosen, effects.caps), effects.rules, troubles)


def caps_on(chosen: Sequence[str], caps: Iterable[Cap]) -> tuple[Cap, ...]:
    """The caps that touch one of these pools."""
    return tuple(cap for cap in caps if cap.pool in chosen or (chosen and cap.pool == EVERY_POOL))


def with_tags(needs: Needs, effects: Effects) -> Needs:
    """The needs with the tags that rules require."""
    more = tuple(sorted(set(effects.tags) - set(needs.tags)))
    return replace(needs, tags=needs.tags + more) if more else needs


def _allowing_rule(pool: Pool, effects: Effects) -> str | None:
    """The rule by which a pool other than home is open: it names the pool, or opens the cloud."""
    named = effects.by(effects.allow, pool.name)
    if named or pool.in_house:
        return named
    return effects.cloud.get("prefer") or effects.cloud.get("allow")


def _verdict(request: RouteRequest, needs: Needs, pool: Pool, effects: Effects) -> PoolVerdict:
    for no in FILTERS:
        found = no(request, pool, effects)
        if found is not None:
            return PoolVerdict(pool.name, False, found[0], rule=found[1])
    reason, fit, counts = fit_of(needs, pool)
    preferred, preferring = preference(request, pool, effects)
    allowing = _allowing_rule(pool, effects) if pool.name != HOME_POOL else None
    told = [DETAIL_ALLOWED.format(rule=allowing)] if allowing else [DETAIL_DEFAULT] if pool.default else []
    told += [DETAIL_PREFERRED.format(rule=preferring)] if preferring else []
    told += [DETAIL_TAG.format(rule=rule, tag=tag) for tag, rule in sorted(effects.tags.items())]
    detail = "; ".join([counts, *told] if counts else told)
    return PoolVerdict(pool.name, True, reason, score_of(pool, preferred, fit), detail, allowing or preferring)


def score_of(pool: Pool, preferred: float, fit: float) -> float:
    """How well a pool suits, 0 to 1: whether it is preferred, in the house, how much of it fits, how cheap it is."""
    return (
        WEIGHT_PREFERRED * preferred
        + WEIGHT_HOUSE * pool.in_house
        + WEIGHT_FIT * fit
        + WEIGHT_CHEAP / (1.0 + pool.price_usd_per_hour)
    )


def preference(request: RouteRequest, pool: Pool, effects: Effects) -> tuple[float, str | None]:
    """How strongly rules or the job prefer this pool, 0 to 1, and the rule."""
    strength, rule = effects.preference(pool.name)
    if pool.default and strength < DEFAULT_PREFERENCE:
        return DEFAULT_PREFERENCE, None
    if pool.in_house:
        return strength, rule
    clouds = effects.cloud.get("prefer")
    if (clouds or request.cloud == "prefer") and strength < CLOUD_PREFERENCE:
        return CLOUD_PREFERENCE, clouds
    return strength, rule


def fit_of(needs: Needs, pool: Pool) -> tuple[str, float, str]:
    """The reason, how well the pool fits (0 to 1: the part of its workers that do), and the counts in words.

    A pool that grows fits at least half if its offer does, so that a worker more never makes it fit worse.
    """
    if pool.is_site:
        return REASON_SITE, 1.0, ""
    if pool.tags and needs.tags:
        needs = replace(needs, tags=tuple(tag for tag in needs.tags if tag not in pool.tags))
    launches = can_launch(needs, pool)
    if not pool.machines:
        return (REASON_LAUNCH, LAUNCH_FIT, "") if launches else (REASON_EMPTY, 0.0, _offer_lacks(needs, pool))
    lacks = [shortfall(needs, machine) for machine in pool.machines]
    fitting = sum(1 for lack in lacks if not lack)
    counts = _count_lacks(lacks, len(pool.machines))
    reason = REASON_FITS if fitting else REASON_LAUNCH if launches else REASON_UNFIT
    return reason, max(fitting / len(pool.machines), LAUNCH_FIT * launches), counts


def can_launch(needs: Needs, pool: Pool) -> bool:
    """Whether a worker that could be launched here would fit; needs are those beyond the pool's own tags."""
    return pool.offer is not None and pool.workers_max != 0 and not shortfall(needs, pool.offer)


def _offer_lacks(needs: Needs, pool: Pool) -> str:
    """Why not even a new worker would do, e.g. `one that were launched here would be with less than 64 GiB`."""
    lacks = shortfall(needs, pool.offer) if pool.offer is not None else ()
    return f"one that is launched here comes {' and '.join(lacks)}" if lacks else ""


def _count_lacks(lacks: Sequence[tuple[str, ...]], machines: int) -> str:
    """E.g. `3 of 40 workers can take it; 37 have less than 64 GiB`."""
    fitting = sum(1 for lack in lacks if not lack)
    counts: dict[str, int] = {}
    for lack in lacks:
        for reason in lack:
            counts[reason] = counts.get(reason, 0) + 1
    told = "; ".join(
        f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"{fitting} of {machines} workers can take it" + (f"; {told}" if told else "")
