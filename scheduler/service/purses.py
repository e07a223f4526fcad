"""Money of jobs with a cost cap while leases are granted: what each may still start where a slot costs something.

`capping` counts the money at every tick and fills the purses; between two counts a lease takes out of its job's purse
what is set aside for it. What is taken while a count is under way is taken out of the new purse as well, so that an
attempt may be set aside twice until the next count, and never not at all. Used from the event loop's thread alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.cost_caps import Allowance, Bill, Standing, TaskLength, Verdict, allow

NOTHING_USD = 1e-12
"""Less than this is a rounding error."""


@dataclass(slots=True)
class Purse:
    """One job's: its bill as it was counted, the longest tasks of its steps on the reference machine, how every pool
    with a price stands to it, and the pools that are closed to it, with the reason."""

    bill: Bill
    timeout_s: float
    lengths: Mapping[int, TaskLength] = field(default_factory=dict[int, TaskLength])
    verdicts: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    closed: Mapping[str, str] = field(default_factory=dict[str, str])
    left_usd: float = 0.0
    idle: bool = True

    def length_of(self, step: int, rating: float) -> TaskLength:
        """The longest that a task of this step is expected to take on a slot of this power."""
        found = self.lengths.get(step)
        if found is None or not found.known:
            return TaskLength(self.timeout_s, known=False)
        return TaskLength(min(self.timeout_s, found.longest_s / rating))


@dataclass(frozen=True, slots=True)
class Pledge:
    """What was taken out of a job's purse for one take."""

    job: int
    step: int
    count: int
    unit_usd: float


class Purses:
    """The purses of all jobs with a cap that have not ended. `costly` are the pools with a price, or with one that
    is not known yet."""

    def __init__(self) -> None:
        self.costly: frozenset[str] = frozenset()
        self.jobs: dict[int, Purse] = {}
        self._usd_per_s: Mapping[str, float] = {}
        self._ahead_s = 0.0
        self._taken_usd: defaultdict[int, float] | None = None
        self._pledged_usd: defaultdict[int, float] = defaultdict(float)
        self._closed: Mapping[int, Mapping[str, str]] = {}

    # ---- Counting ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A count begins: what is taken from now on may not be in it."""
        self._taken_usd = defaultdict(float)

    def fill(
        self, jobs: dict[int, Purse], *, costly: Iterable[str], usd_per_s: Mapping[str, float], ahead_s: float
    ) -> None:
        """The count is done. `usd_per_s` is what a slot costs, by worker."""
        taken = self._taken_usd or {}
        for job, purse in jobs.items():
            missing_usd = taken.get(job, 0.0) + self._pledged_usd.get(job, 0.0)
            purse.left_usd = purse.bill.left_usd(ahead_s) - missing_usd
            purse.idle = not purse.bill.open and missing_usd <= 0
        self.jobs, self.costly = jobs, frozenset(costly)
        self._usd_per_s, self._ahead_s, self._taken_usd = usd_per_s, ahead_s, None
        self._closed = {job: purse.closed for job, purse in jobs.items() if purse.closed}

    def closed(self) -> Mapping[int, Mapping[str, str]]:
        """By job: the pools that its cap closes to it, with the reason. Never changed in place."""
        return self._closed

    def forget(self, job: int) -> None:
        """The job's cap has changed: nothing of it starts where it costs until the next count."""
        self.jobs.pop(job, None)

    # ---- Leases -----------------------------------------------------------------------------------------------------

    def allowance(
        self, job: int, step: int, worker: str, rating: float | None, earlier: Sequence[Pledge] = ()
    ) -> Allowance:
        """How many more tasks of a step may start on a worker of a pool that costs, beside what is about to be taken.

        Of a job or a worker that no count has seen yet: none.
        """
        purse, usd_per_s = self.jobs.get(job), self._usd_per_s.get(worker)
        if purse is None or usd_per_s is None:
            return Allowance(0)
        taken_usd = sum(one.count * one.unit_usd for one in earlier if one.job == job)
        length = purse.length_of(step, rating or 1.0)
        idle = purse.idle and not taken_usd
        return allow(purse.left_usd - taken_usd, usd_per_s, length, idle=idle, ahead_s=self._ahead_s)

    def pledge(self, pledges: Iterable[Pledge]) -> None:
        """Take out what these takes may cost; `settle` puts back what was not granted."""
        for one in pledges:
            usd = one.count * one.unit_usd
            self._pledged_usd[one.job] += usd
            self._take(one.job, usd)

    def settle(self, pledges: Iterable[Pledge], granted: Iterable[int]) -> None:
        """The transaction is over: what was granted, named by steps, stays taken."""
        counts = Counter(granted)
        for one in pledges:
            usd, kept_usd = one.count * one.unit_usd, min(one.count, counts[one.step]) * one.unit_usd
            left_usd = self._pledged_usd.pop(one.job, 0.0) - usd
            if left_usd > NOTHING_USD:
                self._pledged_usd[one.job] = left_usd
            self._take(one.job, kept_usd - usd)
            if self._taken_usd is not None:
                self._taken_usd[one.job] += kept_usd

    def _take(self, job: int, usd: float) -> None:
        purse = self.jobs.get(job)
        if purse is not None and usd:
            purse.left_usd -= usd
            purse.idle = False


def full_pools(purse: Purse | None) -> dict[str, str]:
    """The pools where nothing more of a job may start until some of what runs there ends, with the reason."""
    if purse is None:
        return {}
    return {pool: one.words for pool, one in purse.verdicts.items() if one.standing is Standing.FULL}


def purse_view(purse: Purse | None) -> dict[str, Any] | None:
    """A job's cost cap as `why` shows it; None: it has none, or was not counted yet."""
    if purse is None:
        return None
    bill = purse.bill
    shut = {pool: one.words for pool, one in purse.verdicts.items() if one.standing is not Standing.OPEN}
    return {
        "usd": bill.cap_usd,
        "spent_usd": round(bill.spent_usd, 4),
        "reserved_usd": round(max(0.0, bill.cap_usd - bill.spent_usd - max(0.0, purse.left_usd)), 4),
        "pools": shut,
    }
