"""Cost caps of jobs: counted at every tick, and enforced.

What a job with a cap has cost in pools with a price is read from its attempts, the purses are filled with what is left
(`purses`), pools that it cannot pay for any more are closed to it (the plan and `why` read that), and attempts that
would carry it over its cap are stopped: their tasks go back to the queue, and no retries are spent. Deciding is
`domain.cost_caps`'s.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from scheduler.domain.cost_caps import (
    AHEAD_S,
    AHEAD_TICKS,
    SITE,
    UNPRICED,
    Bill,
    OpenAttempt,
    Standing,
    TaskLength,
    Verdict,
    judge,
    to_stop,
)
from scheduler.domain.costs import HOUR_S, in_usd
from scheduler.domain.estimating import FrameTime, work_kind
from scheduler.domain.states import TERMINAL_JOBS, WorkerStatus
from scheduler.service.farm import Farm
from scheduler.service.forecasting import Forecaster
from scheduler.service.intending import PRICED_BACKENDS
from scheduler.service.launching import Launcher
from scheduler.service.learning import Estimator, facts_of
from scheduler.service.ledger import Ledger
from scheduler.service.purses import Purse
from scheduler.service.severing import Held, take_back
from scheduler.service.submitting import Draft
from scheduler.settings import SitePool
from scheduler.store import hot
from scheduler.store.capped_usage import CappedJob, CappedUsage, OpenRow, load_capped, load_capped_usage
from scheduler.store.tables import Job
from scheduler.store.transaction import Transaction

STOPPED = "the job's cost cap of {cap} USD is reached"

LOAD_MAX = 0.05
"""Part of the time that counting may take."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Tariff:
    """What pools cost: US dollars an hour of one worker that the farm did not launch, and for a second of the dearest
    slot there; pools whose price is not known yet, and other farms that have a price. `usd_per_hour` is the most that
    one worker of any kind costs."""

    prices: Mapping[str, float] = field(default_factory=dict[str, float])
    usd_per_s: Mapping[str, float] = field(default_factory=dict[str, float])
    unpriced: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()

    usd_per_hour: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def costly(self) -> frozenset[str]:
        """Every pool where a job with a cap must be asked for its purse."""
        return frozenset({*self.prices, *self.unpriced})


class Capper:
    """Counts what jobs with a cost cap cost, and keeps them under it."""

    def __init__(self, farm: Farm, forecaster: Forecaster, estimator: Estimator, launcher: Launcher) -> None:
        self._farm, self._launcher = farm, launcher
        self._forecaster, self._estimator = forecaster, estimator
        self._slots: dict[str, int] = {}
        self._rates: Mapping[str, float] = {}
        self._not_before_s = -math.inf

    @property
    def ahead_s(self) -> float:
        """How long attempts may run on until the next count."""
        return max(AHEAD_S, AHEAD_TICKS * self._farm.settings.farm.tick_s)

    async def run(self) -> None:
        """One count; called at every tick. Without a job that has a cap it costs one look into an empty index.

        Where jobs with very many tasks make it slow, ticks are left out, never more than half of `ahead_s`: purses are
        not filled meanwhile.
        """
        purses, tariff, clock = self._farm.live.purses, self.tariff(), self._farm.clock
        if not tariff.costly or clock.monotonic() < self._not_before_s:
            return
        purses.begin()
        began_s = clock.monotonic()
        capped, used, took_s = await asyncio.to_thread(self._read, tariff)
        self._not_before_s = began_s + min(took_s / LOAD_MAX, self.ahead_s / 2)
        self._rates = used.usd_per_s
        tariff = self.tariff()
        bills = self._bills(capped, used)
        for job, stopped in {job: to_stop(bill, self.ahead_s) for job, bill in bills.items()}.items():
            if stopped:
                await self._stop(job, bills[job], stopped)
                bills[job] = bills[job].without(stopped)
        jobs = {one.job: self.purse(bills[one.job], one.timeout_s, self._lengths(one.job), tariff) for one in capped}
        purses.fill(jobs, costly=tariff.costly, usd_per_s=used.usd_per_s, ahead_s=self.ahead_s)

    def tariff(self) -> Tariff:
        """What pools cost now, by the settings, by what their backends say, and by the workers that are here."""
        pools, hourly, unpriced = self._farm.settings.pools, dict[str, float](), set[str]()
        for name, pool in pools.items():
            desk = self._launcher.desks.get(name)
            usd = max(pool.price_usd_per_hour, desk.terms.price_usd_per_hour if desk is not None else 0.0)
            if usd > 0:
                hourly[name] = usd
            elif pool.backend in PRICED_BACKENDS:
                unpriced.add(name)
        prices = {name: pools[name].price_usd_per_hour for name in hourly}
        dearest = self._dearest_slots(hourly, unpriced) if hourly or unpriced else {}
        sites = frozenset(name for name in hourly if isinstance(pools[name], SitePool))
        return Tariff(prices, dearest, frozenset(unpriced), sites, hourly)

    def _dearest_slots(self, hourly: Mapping[str, float], unpriced: Collection[str]) -> dict[str, float]:
        """US dollars for a second of the dearest slot, by pool that has a price."""
        here = [
            worker
            for worker in self._farm.live.workers.values()
            if (worker.pool in hourly or worker.pool in unpriced) and worker.status is not WorkerStatus.LOST
        ]
        for worker in here:
            self._slots[worker.pool] = worker.slots
        found = {name: usd / HOUR_S / self._slots.get(name, 1) for name, usd in hourly.items()}
        for worker in here:
            if worker.pool in found:
                found[worker.pool] = max(found[worker.pool], self._rates.get(worker.id, 0.0))
        return found

    def purse_of_draft(self, draft: Draft) -> Purse | None:
        """The purse that a job would have if it were submitted now; None: it has no cap."""
        row = draft.row
        if row.cost_cap_usd is None:
            return None
        lengths: dict[int, TaskLength] = {}
        for step in draft.steps:
            kind, tasks = work_kind(step.kind, final=step.final), max(1, len(step.tasks))
            frames = row.frame_count / tasks if kind in ("render", "part") else 1.0
            lengths[step.index] = length_of(self._estimator.frame_time(facts_of(row), kind), frames)
        return self.purse(Bill(row.cost_cap_usd), row.timeout_s, lengths, self.tariff())

    def purse_of(self, row: Job) -> Purse | None:
        """A stored job's purse as it was counted last; of one that was not counted yet, as if it had cost nothing.

        None: it has no cap, or has ended.
        """
        job = row.id or 0
        found = self._farm.live.purses.jobs.get(job)
        if found is not None or row.cost_cap_usd is None or row.status in TERMINAL_JOBS:
            return found
        return self.purse(Bill(row.cost_cap_usd), row.timeout_s, self._lengths(job), self.tariff())

    def purse(self, bill: Bill, timeout_s: float, lengths: Mapping[int, TaskLength], tariff: Tariff) -> Purse:
        """A job's purse: how every pool with a price stands to it."""
        known = [
            TaskLength(min(timeout_s, one.longest_s)) if one.known else TaskLength(timeout_s, known=False)
            for one in lengths.values()
        ] or [TaskLength(timeout_s, known=False)]
        verdicts = {
            pool: judge(bill, usd_per_s, known, self.ahead_s)
            for pool, usd_per_s in tariff.usd_per_s.items()
            if pool not in tariff.sites
        }
        verdicts |= dict.fromkeys(tariff.unpriced, Verdict(Standing.SPENT, 0, UNPRICED))
        verdicts |= dict.fromkeys(tariff.sites, Verdict(Standing.SPENT, 0, SITE))
        closed = {pool: one.words for pool, one in verdicts.items() if one.standing is Standing.SPENT}
        return Purse(bill, timeout_s, lengths, verdicts, closed)

    # ---- Counting ----------------------------------------------------------------------------------------------------

    def _read(self, tariff: Tariff) -> tuple[list[CappedJob], CappedUsage, float]:
        """What the store says, and how long it took to say it."""
        began_s = self._farm.clock.monotonic()
        live = [worker.id for worker in self._farm.live.workers.copy().values() if worker.pool in tariff.costly]
        prices = {**dict.fromkeys(tariff.unpriced, 0.0), **tariff.prices}
        with self._farm.store.read() as session:
            capped = load_capped(session)
            used = load_capped_usage(session, capped, prices, live, tariff.sites) if capped else CappedUsage()
        return capped, used, self._farm.clock.monotonic() - began_s

    def _bills(self, capped: Iterable[CappedJob], used: CappedUsage) -> dict[int, Bill]:
        now_s, running = self._farm.now_s(), dict[int, list[OpenAttempt]]()
        lengths = {one.job: (one.timeout_s, self._lengths(one.job)) for one in capped}
        for row in used.open:
            running.setdefault(row.job, []).append(self._open(row, used, *lengths[row.job], now_s))
        return {
            one.job: Bill(one.cap_usd, used.settled_usd.get(one.job, 0.0), tuple(running.get(one.job, ())))
            for one in capped
        }

    def _open(
        self, row: OpenRow, used: CappedUsage, timeout_s: float, lengths: Mapping[int, TaskLength], now_s: float
    ) -> OpenAttempt:
        worker = self._farm.live.workers.get(row.worker)
        rating = (worker.rating if worker is not None else None) or 1.0
        found = lengths.get(row.step)
        longest_s = timeout_s if found is None or not found.known else min(timeout_s, found.longest_s / rating)
        ran_s = max(0.0, now_s - row.leased_at - row.settled_s)
        usd_per_s = used.usd_per_s.get(row.worker, 0.0)
        return OpenAttempt(row.task, row.attempt, usd_per_s, ran_s, 0.0 if row.lost else longest_s, row.lost)

    def _lengths(self, job: int) -> dict[int, TaskLength]:
        return {
            step.step: length_of(step.time, step.frames_per_task) for step in self._forecaster.last.steps.get(job, ())
        }

    # ---- Stopping ----------------------------------------------------------------------------------------------------

    async def _stop(self, job: int, bill: Bill, stopped: list[OpenAttempt]) -> None:
        live, words = self._farm.live, STOPPED.format(cap=in_usd(bill.cap_usd))
        held = [Held(one.task, one.attempt) for one in stopped]

        def change(tx: Transaction, ledger: Ledger) -> None:
            take_back(tx, ledger, held, failure="preempted", message=words, other_workers=live.has_other(None))
            for one in held:
                tx.run(hot.WITHDRAW, (one.task, one.attempt))
            spent_usd = round(bill.spent_usd, 6)
            ledger.event(tx, "job.cost_cap", job=job, cost_cap_usd=bill.cap_usd, spent_usd=spent_usd, stopped=len(held))

        await self._farm.change(change)
        for one in held:
            live.let_go(one.task, one.attempt)
        log.warning("job.cost_cap", job=job, usd=bill.cap_usd, spent_usd=in_usd(bill.spent_usd), stopped=len(held))


def length_of(time: FrameTime, frames: float) -> TaskLength:
    """The longest that nine of ten tasks of so many frames take on the reference machine; not known where no frame of
    its renderer has been seen yet."""
    return TaskLength(time.high_s * frames, known=time.count > 0)
