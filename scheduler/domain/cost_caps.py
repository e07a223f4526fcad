"""The most that a job may cost in pools with a price: what it has cost, what is set aside for what runs, what is left.

An attempt costs its slot's share of the worker's price for as long as it holds it (`domain.costs`). Before it starts,
what it may cost is set aside: the time that nine of ten such tasks need, or all that a task may take where nothing is
known of its frames, and `ahead_s` more. One that takes longer is set aside more as it runs, and when all that runs
would reach the cap within `ahead_s`, attempts are stopped, those that lose least first. So with a look at least every
`ahead_s` seconds no attempt carries the job over its cap, however wrong the estimates were. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from scheduler.domain.costs import in_usd

AHEAD_S = 10.0
"""So long before the cap would be reached attempts are stopped, and so much more than it may take each is set aside."""

AHEAD_TICKS = 5.0
"""On a farm with a slow tick: so many of them."""

TRIAL_AHEADS = 2.0
"""A task of which nothing is known may try where the money lasts for so many times `ahead_s`."""

ENDLESS = 1_000_000
"""More tasks than any worker asks for."""

SPENT = "its cost cap of {cap} USD has {left} USD left, and one more task here may cost {unit} USD"
FULL = (
    "its cost cap of {cap} USD has {left} USD left beside what is set aside for the tasks that run, and one more"
    " may cost {unit} USD"
)
FREE_ONLY = "its cost cap is 0 USD: it runs only where that costs nothing"
UNPRICED = "it has a cost cap, and the price of this pool is not known yet"
SITE = "it has a cost cap, which cannot be kept at another farm that has a price"


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that costs and may yet cost more; `longest_s` is what it was thought to take at the most there.

    `lost`: its worker was not heard of any more, and may come back with the work.
    """

    task: int
    attempt: int
    usd_per_s: float
    ran_s: float
    longest_s: float = 0.0
    lost: bool = False

    @property
    def spent_usd(self) -> float:
        """What it has cost, if it ended now."""
        return self.usd_per_s * max(0.0, self.ran_s)

    def reserved_usd(self, ahead_s: float) -> float:
        """What is set aside for it, with what it has cost."""
        return self.usd_per_s * (max(self.longest_s, self.ran_s, 0.0) + ahead_s)


@dataclass(frozen=True, slots=True)
class Bill:
    """What a job may cost and has cost in US dollars: `settled_usd` of attempts that are over, and those that are not.

    A lost attempt is settled for the time until it was lost; its `ran_s` counts from then on.
    """

    cap_usd: float
    settled_usd: float = 0.0
    open: tuple[OpenAttempt, ...] = ()

    @property
    def spent_usd(self) -> float:
        """What it has cost until now."""
        return self.settled_usd + sum(one.spent_usd for one in self.open)

    @property
    def unspent_usd(self) -> float:
        """What would be left if all that runs ended now."""
        return max(0.0, self.cap_usd - self.spent_usd)

    def left_usd(self, ahead_s: float) -> float:
        """What nothing is set aside for; negative where attempts take longer than was thought."""
        return self.cap_usd - self.settled_usd - sum(one.reserved_usd(ahead_s) for one in self.open)

    def without(self, stopped: Iterable[OpenAttempt]) -> Bill:
        """The bill after these attempts were stopped."""
        gone = set(stopped)
        kept = tuple(one for one in self.open if one not in gone)
        return Bill(self.cap_usd, self.settled_usd + sum(one.spent_usd for one in gone if not one.lost), kept)


def to_stop(bill: Bill, ahead_s: float) -> list[OpenAttempt]:
    """The attempts that must stop now so that what goes on stays under the cap for `ahead_s`.

    Those that were lost come first, for stopping them loses nothing that is certain, then the newest.
    """
    room_usd = bill.cap_usd - bill.spent_usd
    rate = sum(one.usd_per_s for one in bill.open)
    stopped: list[OpenAttempt] = []
    for one in sorted(bill.open, key=lambda one: (not one.lost, one.spent_usd, one.task)):
        if rate * ahead_s <= room_usd:
            break
        stopped.append(one)
        rate -= one.usd_per_s
        if one.lost:
            room_usd += one.spent_usd
    return stopped


@dataclass(frozen=True, slots=True)
class TaskLength:
    """The longest that a task of a step is expected to take, in seconds; not `known`: nothing like it was rendered."""

    longest_s: float
    known: bool = True


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many more tasks may start, and the US dollars that are set aside for each."""

    count: int
    unit_usd: float = 0.0


def allow(left_usd: float, usd_per_s: float, length: TaskLength, *, idle: bool, ahead_s: float) -> Allowance:
    """How many tasks may start where a slot costs so much.

    Where nothing is known and what is left does not cover the longest time, one task may try, with all that is left,
    as long as nothing else of the job runs for money (`idle`): it is stopped at the cap, and what it takes is learned.
    """
    if usd_per_s <= 0:
        return Allowance(ENDLESS)
    unit_usd = usd_per_s * (length.longest_s + ahead_s)
    count = math.floor(left_usd / unit_usd) if left_usd > 0 else 0
    if count <= 0 and not length.known and idle and left_usd >= usd_per_s * TRIAL_AHEADS * ahead_s:
        return Allowance(1, left_usd)
    return Allowance(max(0, min(count, ENDLESS)), unit_usd)


class Standing(StrEnum):
    """How a pool with a price stands to a job with a cap."""

    OPEN = "open"
    FULL = "full"
    """The money that is left is set aside for tasks that run; some of it may come back."""
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one more task may start in a pool, how many may, and why not."""

    standing: Standing
    count: int = 0
    words: str = ""


def judge(bill: Bill, usd_per_s: float, lengths: Iterable[TaskLength], ahead_s: float) -> Verdict:
    """How a pool stands to a job, by the shortest of its steps' tasks."""
    if bill.cap_usd <= 0 < usd_per_s:
        return Verdict(Standing.SPENT, 0, FREE_ONLY)
    length = min(lengths, key=lambda one: one.longest_s, default=TaskLength(ahead_s))
    left_usd = bill.left_usd(ahead_s)
    now = allow(left_usd, usd_per_s, length, idle=not bill.open, ahead_s=ahead_s)
    if now.count > 0:
        return Verdict(Standing.OPEN, now.count)
    later = allow(bill.unspent_usd, usd_per_s, length, idle=True, ahead_s=ahead_s)
    standing = Standing.FULL if bill.open and later.count > 0 else Standing.SPENT
    left_usd = max(0.0, left_usd) if standing is Standing.FULL else bill.unspent_usd
    words = FULL if standing is Standing.FULL else SPENT
    unit = in_usd(usd_per_s * (length.longest_s + ahead_s))
    return Verdict(standing, 0, words.format(cap=in_usd(bill.cap_usd), left=in_usd(left_usd), unit=unit))
