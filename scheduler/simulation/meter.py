"""What is measured while a replay runs: curves of running and waiting tasks, slots held by project, leases, money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from scheduler.routing.caps import CapKey
from scheduler.simulation.fleet import HOUR_S, Fleet, SimLease
from scheduler.simulation.options import Recording
from scheduler.simulation.outcome import Curve, LeaseRecord, Outcome
from scheduler.simulation.queueing import JobRun
from scheduler.simulation.sharing import Sharing


class Meter:
    """Counts; `held` are the slots that each project holds now,
    `capped` those that count towards caps of rules."""

    def __init__(self, fleet: Fleet, bin_s: float, sharing: Sharing | None, *, record: Recording) -> None:
        self._fleet, self._bin_s, self._record = fleet, bin_s, record
        self._running: dict[str, Curve] = {}
        self._waiting: dict[str, Curve] = {}
        self._leases: list[LeaseRecord] = []
        self._started: list[str] = []
        self._sharing = sharing
        self.held: Counter[str] = Counter()
        self.capped: Counter[CapKey] = Counter()
        self.plans = self.done = 0

    def waiting(self, job: JobRun, now_s: float, tasks: int) -> None:
        """So many more tasks of a job wait; fewer, if negative."""
        self._curve(self._waiting, job).add(now_s, tasks)

    def begun(self, lease: SimLease) -> None:
        """A lease was granted."""
        job, now_s = lease.step.job, lease.started_s
        if job.outcome.started_s is None:
            job.outcome.started_s = now_s
            self._started.append(job.outcome.job)
        self._hold(job, now_s, 1)
        self.capped.update(lease.caps)
        self._curve(self._waiting, job).add(now_s, -1)
        self._curve(self._running, job).add(now_s, 1)
        self._fleet.pools[lease.worker.kind.pool].busy.add(now_s, 1)
        if self._record.leases:
            self._leases.append(
                LeaseRecord(now_s, job.outcome.job, lease.step.index, lease.seq, lease.attempt, lease.worker.name)
            )

    def ended(self, lease: SimLease, now_s: float, *, wasted: bool) -> None:
        """A lease has ended; what it `wasted` must be done again."""
        job, kind = lease.step.job, lease.worker.kind
        pool = self._fleet.pools[kind.pool]
        pool.busy.add(now_s, -1)
        self._curve(self._running, job).add(now_s, -1)
        self._hold(job, now_s, -1)
        self.capped.subtract(lease.caps)
        held_s = now_s - lease.started_s
        job.outcome.slot_s += held_s
        job.outcome.usd += held_s / HOUR_S * pool.spec.price_usd_per_hour / kind.slots
        if self._record.shares:
            share = job.outcome.shares.setdefault(kind.pool, [0.0, 0.0])
            share[0] += not wasted
            share[1] += held_s / HOUR_S / kind.slots
        if wasted:
            job.outcome.wasted_s += held_s
        else:
            self.done += 1

    def outcome(self, variant: str, jobs: list[JobRun], ended_s: float, now_s: float) -> Outcome:
        """Everything that was measured until the end; launched workers may have gone, and cost, until later."""
        for curve in (*self._running.values(), *self._waiting.values()):
            curve.reach(ended_s)
        pools = self._fleet.outcomes(ended_s, now_s)
        bins = max(1, -int(-ended_s // self._bin_s))

        def means(curves: Mapping[str, Curve]) -> dict[str, list[float]]:
            return {name: curves[name].means(bins) for name in sorted(curves)}

        return Outcome(
            variant=variant,
            ended_s=ended_s,
            jobs=[job.outcome for job in jobs],
            pools=pools,
            bin_s=self._bin_s,
            running=means(self._running),
            waiting=means(self._waiting),
            busy={name: pool.busy.means(bins) for name, pool in self._fleet.pools.items()},
            leases=self._leases,
            started=self._started,
            plans=self.plans,
            tasks_done=self.done,
        )

    def _hold(self, job: JobRun, now_s: float, slots: int) -> None:
        """A project holds more or fewer slots; what it held until now counts as use."""
        if self._sharing is not None:
            self._sharing.follow(self.held, now_s)
        self.held[job.outcome.project] += slots

    def _curve(self, curves: dict[str, Curve], job: JobRun) -> Curve:
        found = curves.get(job.outcome.project)
        if found is None:
            found = curves[job.outcome.project] = Curve(self._bin_s)
        return found
