"""`deadline`: rent only for what cannot make its date at home, only as much of it, and no earlier than needed.

What that is says `overflowing`. Which pool covers a job (`assign`): the cheapest that its routes allow and that can
make its date beside what it covers already; one pool, not several. How many instances, and when (`Load`, `size`): all
loads of a pool up to a date need a certain number of instances from now on to be done by then. They are begun when that
number reaches a set part (`haste`) of what could be had, the latest moment with something in hand. Boot, transfer, the
length of a task and work that pre-emption makes futile are allowed for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scheduler.domain.overflowing import Overflow, lateness_s, margin_s, overflows
from scheduler.domain.renting import affordable, cheapest_first, rework
from scheduler.domain.scaling import Cover, Ground, PoolView, Stage, Want, Work

RUSH = 4.0
"""Work that has begun gets so many times the instances that would just do: the same money, in a quarter of the time."""

HOLD_ON = 1.25
"""A job that is covered is given up when it would be this much later than another one could be and still be covered."""

LATE = "it would end {late} late at home"
CLOSE = "it would end only {early} before its date at home"
NOWHERE = "it cannot be done at home"
NOW = "{home}; {pool} takes over {amount} of its work"
LATER = "{home}; {pool} would be in time with {amount} of its work if it began in {wait}, so nothing is rented yet"
HOPELESS = "even with {pool} it would end {late} late, more than the {grace} that money is spent for"
NEEDED = "deadline: {count} workers do {amount} of work of {jobs} that home cannot do in time"
NOTHING = "deadline: nothing has to be rented now to make the dates"
WAITING = "for {jobs} more it is early enough to launch later"


@dataclass(slots=True)
class Load:
    """A covered job in a pool: its part of the work, that of all earlier dates with it, and how long there is for it.

    `over` is the job's own part; `total_s` is all that is due by its date, with what pre-emption makes futile;
    `window_s` the time that new instances would have for it (infinite: no date); `tasks` how many tasks all of that is.
    """

    work: Work
    over: Overflow
    total_s: float
    window_s: float
    tasks: int
    late_s: float = 0.0
    begun: bool = False

    def rate(self, pool: PoolView) -> float:
        """Instances, not a whole number, that must work from now on to do everything by this date."""
        if math.isinf(self.window_s):
            return 0.0
        if self.window_s <= 0:
            return math.inf
        return self.total_s / (pool.slots * pool.power * self.window_s)

    def widest(self, pool: PoolView) -> int:
        """The most instances that could help: one slot for each task, and all of a unit that is paid for anyhow."""
        by_tasks = math.ceil(self.tasks / pool.slots)
        by_unit = math.ceil(self.total_s / (pool.slots * pool.power * pool.billing_s))
        return max(1, min(by_tasks, by_unit))


@dataclass
class Roster:
    """What a pool covers, and how many instances it may have: jobs that it can end in time, by date, and late ones.

    Where not all can be in time, the fewest possible are late: whenever a date cannot be met, the largest job that is
    due until then is put off (Moore, An n Job, One Machine Sequencing Algorithm for Minimizing the Number of Late Jobs,
    1968). Those that are late are served last.
    """

    pool: PoolView
    cap: int
    now_s: float
    loads: list[Load] = field(default_factory=list[Load])
    late: list[Load] = field(default_factory=list[Load])

    def load_of(self, work: Work, over: Overflow, before: Load | None) -> Load:
        """The load that this job would be after another one with an earlier date."""
        pool = self.pool
        total_s = over.work_s * rework(pool, work.task_s) + (before.total_s if before else 0.0)
        tasks = max(1, math.ceil(over.work_s / work.task_s)) + (before.tasks if before else 0)
        spare_s = margin_s(work, pool, self.now_s)
        lead_s = pool.boot_s + pool.transfer_s + work.task_s / pool.power
        window_s = over.until_s - self.now_s - lead_s - spare_s
        load = Load(work, over, total_s, window_s, tasks)
        workers = min(self.cap, load.widest(pool))
        takes_s = total_s / (pool.slots * pool.power * workers) if workers else math.inf
        load.late_s = max(0.0, takes_s - window_s - spare_s)
        return load

    def offer(self, work: Work, over: Overflow) -> Load:
        """The load that this job would be; dates only grow. It is not taken yet."""
        return self.load_of(work, over, self.loads[-1] if self.loads else None)

    def take(self, load: Load) -> Load | None:
        """Take a load that was offered; returns the one that is late for it, if one is."""
        self.loads.append(load)
        if not load.late_s:
            return None
        put_off = max(self.loads, key=lambda one: (one.over.work_s, one.work.job))
        left, self.loads = [one for one in self.loads if one is not put_off], []
        for one in left:
            again = self.offer(one.work, one.over)
            again.begun = one.begun
            self.loads.append(again)
        last = self.late[-1] if self.late else self.loads[-1] if self.loads else None
        late = self.load_of(put_off.work, put_off.over, last)
        late.begun = True
        self.late.append(late)
        return late


def assign(ground: Ground, pools: Iterable[PoolView], taken: Mapping[int, int]) -> tuple[list[Roster], list[Cover]]:
    """Give each job that would be late to one pool; `taken` are the ready tasks that other policies' pools take.

    Returns what every pool covers, and the jobs that no pool could help. Those stay at home, and so does their work,
    which makes others late: it is reckoned again until no more are found.
    """
    pools = tuple(pools)
    hopeless: dict[int, Cover] = {}
    while True:
        rosters = {pool.name: Roster(pool, most(pool, ground), ground.now_s) for pool in pools}
        over = overflows(ground, {pool.name: pool for pool in pools}, hopeless)
        late = [work for work in ground.work if work.job in over and taken.get(work.job, 0) < work.left]
        # Of those that are due together the short ones go first: more of them are in time.
        late.sort(key=lambda work: (over[work.job].until_s, over[work.job].work_s, work.job))
        found = [cover for work in late if (cover := _place(work, over[work.job], rosters, ground)) is not None]
        if not found:
            break
        hopeless |= {cover.job: cover for cover in found}
    for roster in rosters.values():
        _begin(roster)
    return list(rosters.values()), list(hopeless.values())


def _place(work: Work, over: Overflow, rosters: Mapping[str, Roster], ground: Ground) -> Cover | None:
    """Let the cheapest pool cover the job that can make its date; or a cover that says whom none can come near to.

    A job that is covered stays where it is as long as it can be in time there.
    """
    before = ground.covered.get(work.job)
    ordered = cheapest_first((rosters[name].pool for name in work.pools if name in rosters), work.task_s)
    ordered.sort(key=lambda pool: pool.name != before)
    offers = [(rosters[pool.name].offer(work, over), rosters[pool.name]) for pool in ordered]
    in_time = (pair for pair in offers if not pair[0].late_s)
    load, roster = next(in_time, min(offers, key=lambda pair: pair[0].late_s))
    pool = roster.pool
    load.begun = before == pool.name or math.isinf(load.window_s)
    late = roster.take(load)
    if late is None:
        return None
    covered = late.work.job in ground.covered
    if late.late_s <= pool.grace_s * (HOLD_ON if covered else 1.0):
        return None
    roster.late.remove(late)
    words = HOPELESS.format(pool=pool.name, late=in_words(late.late_s), grace=in_words(pool.grace_s))
    return Cover(late.work.job, pool.name, Stage.HOPELESS, late.over.work_s, None, words)


def most(pool: PoolView, ground: Ground) -> int:
    """How many instances the pool may have, by its bound and by the money that is left."""
    bounds = [affordable(usd, pool) for usd in (pool.budget_usd, ground.budget_usd)]
    return min([pool.workers_max, *(pool.present + count for count in bounds if count is not None)])


def _begin(roster: Roster) -> None:
    """Begin whatever may wait no longer, and with it all that is due before it."""
    pool, last = roster.pool, -1
    for place, load in enumerate(roster.loads):
        if math.isfinite(load.window_s) and load.rate(pool) >= pool.haste * min(roster.cap, load.widest(pool)):
            last = place
    for load in roster.loads[: last + 1]:
        load.begun = True


def size(roster: Roster) -> Want:
    """As many instances as make every date that has begun, with something in hand, and more for those that are late."""
    pool, begun = roster.pool, _only_begun(roster.loads)
    waiting = len(roster.loads) - len(begun)
    more = (WAITING.format(jobs=_jobs(waiting)),) if waiting else ()
    serving = [*begun, *roster.late]
    if not serving:
        return Want(0, (NOTHING, *more))
    wanted = (load.widest(pool) if math.isinf(load.window_s) else RUSH * load.rate(pool) for load in begun)
    needed = (math.ceil(min(each, load.widest(pool)) - 1e-9) for each, load in zip(wanted, begun, strict=True))
    extra = math.ceil(sum(load.over.work_s / load.work.task_s for load in roster.late) / pool.slots)
    count = max(1, max(needed, default=0) + extra)
    amount = amount_in_words(sum(load.over.work_s for load in serving))
    return Want(count, (NEEDED.format(count=count, amount=amount, jobs=_jobs(len(serving))), *more))


def _only_begun(loads: Iterable[Load]) -> list[Load]:
    """The loads that have begun, with sums over nothing but those."""
    found: list[Load] = []
    seen_s, seen_tasks, total_s, tasks = 0.0, 0, 0.0, 0
    for load in loads:
        own_s, own_tasks = load.total_s - seen_s, load.tasks - seen_tasks
        seen_s, seen_tasks = load.total_s, load.tasks
        if load.begun:
            total_s, tasks = total_s + own_s, tasks + own_tasks
            found.append(Load(load.work, load.over, total_s, load.window_s, tasks, begun=True))
    return found


def covers_of(roster: Roster, now_s: float) -> list[Cover]:
    """What the pool covers, with the reason for each job, in the order in which they are served."""
    return [_cover(load, roster, now_s) for load in (*roster.loads, *roster.late)]


def _cover(load: Load, roster: Roster, now_s: float) -> Cover:
    pool, work, amount = roster.pool, load.work, amount_in_words(load.over.work_s)
    home = home_in_words(lateness_s(work, pool.caution))
    if load.begun:
        words = NOW.format(home=home, pool=pool.name, amount=amount)
        return Cover(work.job, pool.name, Stage.BURSTING, load.over.work_s, None, words)
    workers = max(1e-9, pool.haste * min(roster.cap, load.widest(pool)))
    wait_s = max(0.0, load.window_s - load.total_s / (pool.slots * pool.power * workers))
    words = LATER.format(home=home, pool=pool.name, amount=amount, wait=in_words(wait_s))
    return Cover(work.job, pool.name, Stage.LATER, load.over.work_s, now_s + wait_s, words)


def home_in_words(late_s: float) -> str:
    """What would become of a job at home."""
    if math.isinf(late_s):
        return NOWHERE
    return LATE.format(late=in_words(late_s)) if late_s > 0 else CLOSE.format(early=in_words(-late_s))


def amount_in_words(work_s: float) -> str:
    """An amount of work: `9.0 h`, or less than an hour in minutes or seconds."""
    return f"{work_s / 3600:.1f} h" if work_s >= 3600 else in_words(work_s)


def in_words(seconds: float) -> str:
    """`2 h 05 min`, `40 min`, `20 s`; without an end: `for ever`."""
    if math.isinf(seconds):
        return "for ever"
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min" if seconds >= 60 else f"{seconds:.0f} s"


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
