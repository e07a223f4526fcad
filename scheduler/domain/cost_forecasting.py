"""What a job will cost: from where the forecast lays its work and from prices, as an interval, or why nobody can say.

The same forecast that says when a job finishes says which pools do how much of it. Money counts as for work that is
done (`domain.costs`): a slot's share of its worker's price while a task holds it. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scheduler.domain.costs import HOUR_S, in_usd
from scheduler.domain.estimating import GUESS, Z80

SD_MAX = 2.5
"""Log-sd beyond which an interval says no more than "nobody knows"."""

NO_TIMES = "how long its frames take is not known: {basis}"
NO_PRICE = "the price of pool {pool} is not known yet"
CAPPED = (
    "without its cost cap of {cap} USD it would cost about {usd} USD: once the cap is reached, the rest waits"
    " for pools that cost nothing, so it may end later than told, or not at all"
)


@dataclass(frozen=True, slots=True)
class Share:
    """What a pool does of a job: tasks, hours of whole machines, and the log-sd of those hours."""

    pool: str
    tasks: float
    machine_hours: float
    sd: float = 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """US dollars: `low` to `high` hold 80 %."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class CostForecast:
    """What a job costs in all, and where the rest of it is done, most first. `usd` None: `note` says why not.

    Not `timed`: nobody has seen such frames, so that the hours are a guess.
    """

    usd: Interval | None
    shares: tuple[Share, ...] = ()
    note: str = ""
    timed: bool = True


def merged(shares: Iterable[tuple[str, float, float, float, float]]) -> tuple[Share, ...]:
    """Shares of a job by pool, from (pool, tasks, machine hours, doubt, spread) of its parts.

    What is not known of a frame is the same for all frames of a job; single tasks around it even out.
    """
    found: dict[str, list[float]] = {}
    for pool, tasks, hours, doubt, spread in shares:
        sums = found.setdefault(pool, [0.0, 0.0, 0.0, 0.0])
        sums[0] += tasks
        sums[1] += hours
        sums[2] += hours * doubt
        sums[3] += (hours * spread) ** 2 / max(tasks, 1.0)
    made = [
        Share(pool, tasks, hours, math.hypot(doubts, math.sqrt(noise)) / hours if hours > 0 else 0.0)
        for pool, (tasks, hours, doubts, noise) in found.items()
    ]
    return tuple(sorted(made, key=lambda share: (-share.machine_hours, share.pool)))


def foretell(
    shares: Sequence[Share],
    usd_per_hour: Mapping[str, float],
    unpriced: Iterable[str] = (),
    *,
    spent_usd: float = 0.0,
    unknown: str = "",
) -> CostForecast:
    """What the job costs with what it has cost. `usd_per_hour` is a worker's price by pool; others are free, but those
    in `unpriced`. `unknown` says on what frame times rest that nobody has seen; empty: they are known."""
    blind = next((share.pool for share in shares if share.pool in set(unpriced)), None)
    if blind is not None:
        return CostForecast(None, tuple(shares), NO_PRICE.format(pool=blind), not unknown)
    parts = [(share.machine_hours * usd_per_hour.get(share.pool, 0.0), share.sd) for share in shares]
    if unknown and any(usd > 0 for usd, _sd in parts):
        return CostForecast(None, tuple(shares), NO_TIMES.format(basis=unknown.removeprefix(GUESS)), timed=False)
    likely = sum(usd for usd, _sd in parts)
    # What is not known of the frames is the same in all pools.
    sd = min(SD_MAX, sum(usd * sd for usd, sd in parts) / likely) if likely > 0 else 0.0
    factor = math.exp(Z80 * sd)
    usd = Interval(spent_usd + likely / factor, spent_usd + likely, spent_usd + likely * factor)
    return CostForecast(usd, tuple(shares), timed=not unknown)


def under_cap(found: CostForecast, cap_usd: float | None, spent_usd: float = 0.0) -> CostForecast:
    """The same for a job that costs no more than its cap, with a note where that keeps it from being done there."""
    if cap_usd is None or found.usd is None:
        return found
    most = max(cap_usd, spent_usd)
    usd = Interval(*(min(value, most) for value in (found.usd.low, found.usd.likely, found.usd.high)))
    note = CAPPED.format(cap=in_usd(cap_usd), usd=in_usd(found.usd.likely)) if found.usd.likely > most else found.note
    return CostForecast(usd, found.shares, note, found.timed)


def machine_hours(slot_s: float, slots: float) -> float:
    """Hours of whole machines with so many slots."""
    return slot_s / HOUR_S / max(1.0, slots)
