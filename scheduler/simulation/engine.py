"""The replay: a virtual clock that jumps from event to event, workers that take what the plan gives them.

The plan is made as on the farm (rank, route) whenever something has changed or it has grown old, and only if somebody
could take something. Deterministic: the same workload, variant and options give the same outcome to the last byte.
"""

from __future__ import annotations

import math
from functools import partial

from scheduler.domain.retrying import FailureClass
from scheduler.protocol.traces import Change, WorkerLine
from scheduler.routing.caps import keys_in
from scheduler.simulation.agenda import Agenda
from scheduler.simulation.autoscaling import Autoscaler
from scheduler.simulation.fleet import Fleet, SimLease, SimWorker
from scheduler.simulation.foresight import Foresight, TrueTimes
from scheduler.simulation.handing_out import HandingOut
from scheduler.simulation.meter import Meter
from scheduler.simulation.options import BURST_FORECAST_S, Options, Recording, fails_after, pace_of
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.planner import Planner, Variant
from scheduler.simulation.queueing import JobRun, StepRun, job_runs
from scheduler.simulation.renting import Renting, Workforce
from scheduler.simulation.sharing import Sharing
from scheduler.simulation.workload import Workload

STALL_S = 8 * 86_400.0
"""So long the replay goes on without anything happening: rules may hold work back for a night, or for a week."""

STALLED_TICK_S = 900.0
"""How often a farm on which nothing happens looks whether its rules let work go on."""

RUNNING_LEFT = 0.5
"""Part that a task which runs at second 0 is taken to have left."""


def simulate(work: Workload, variant: Variant, options: Options | None = None) -> Outcome:
    """Replay a workload under one variant."""
    return Replay(work, variant, options or Options()).run()


class Replay:
    """One run of one variant."""

    def __init__(self, work: Workload, variant: Variant, options: Options) -> None:
        self._work, self._variant, self._options = work, variant, options
        pace = pace_of(work, options)
        self._interval_s = pace.plan_s
        self._fleet = Fleet(work.trace, work.renderers, pace.bin_s)
        estimator = options.estimator or TrueTimes()
        budget_usd = work.trace.farm.budget_usd
        scaler = Autoscaler(self._fleet, estimator, policy=variant.autoscale, budget_usd=budget_usd)
        bursts = scaler.foresees
        forecast_s = min(pace.forecast_s, BURST_FORECAST_S) if bursts else pace.forecast_s
        foresight = Foresight(forecast_s, estimator, at_home=bursts)
        ordering = variant.ordering
        sharing = Sharing(ordering.share_half_life_s, options.use_slot_s) if ordering.policy.shares else None
        self._planner = Planner(variant, self._fleet, work.trace.farm.origin, foresight, sharing)
        self._meter = Meter(
            self._fleet, pace.bin_s, sharing, record=Recording(options.record_leases, options.record_shares)
        )
        self._agenda = Agenda()
        self._progress_s = 0.0
        self._handing_out = HandingOut(self._fleet, self._planner, self._meter, self._lease)
        workforce = Workforce(self._joined, self._leave, self._handing_out.more_ready)
        self._renting = Renting(
            scaler, self._fleet, self._planner, self._agenda, workforce, interval_s=pace.plan_s, seed=options.seed
        )
        self._planned_s = -math.inf
        self._ticking, self._stale = False, True
        self._jobs = job_runs(work.jobs)
        self._waiters: dict[str, list[JobRun]] = {}
        self._active: dict[JobRun, None] = {}
        self._open = len(self._jobs)

    def run(self) -> Outcome:
        """From second 0 until nothing more happens."""
        self._schedule()
        if self._agenda:
            self._agenda.step()
            self._resume_running()
            self._dispatch()
        while self._agenda and not self._over:
            self._agenda.step()
            self._dispatch()
        now_s = max(self._progress_s, self._agenda.now_s)
        return self._meter.outcome(self._variant.name, self._jobs, self._progress_s, now_s)

    @property
    def _over(self) -> bool:
        """Whether all jobs have ended and no worker is left but those that are kept without work."""
        return not self._open and bool(self._renting) and not self._renting.surplus

    def _schedule(self) -> None:
        at = self._agenda.at
        at(0.0, self._tick)
        for worker in self._work.trace.workers:
            at(worker.joined_s, partial(self._join, worker))
        for job in self._jobs:
            line = job.work.line
            for needed in line.depends_on:
                self._waiters.setdefault(needed, []).append(job)
            at(line.submitted_s, partial(self._submit, job))
            for change in line.changes:
                at(max(change.at_s, line.submitted_s), partial(self._change, job, change))
            if line.canceled_s is not None:
                at(max(line.canceled_s, line.submitted_s), partial(self._end_job, job, "CANCELED"))

    # ---- Jobs ------------------------------------------------------------------------------------------------------

    def _submit(self, job: JobRun) -> None:
        job.submitted = True
        self._active[job] = None
        self._meter.waiting(job, self._agenda.now_s, job.left)
        self._stale = True

    def _change(self, job: JobRun, change: Change) -> None:
        job.follow(change)
        self._stale = True

    def _end_job(self, job: JobRun, status: str) -> None:
        if job.ended:
            return
        now_s = self._agenda.now_s
        for lease in self._fleet.leases_of(job) if job.leased else ():
            self._let_go(lease, wasted=True)
            lease.step.drop()
            self._meter.waiting(job, now_s, 1)
        self._meter.waiting(job, now_s, -job.left)
        job.end(now_s, status)
        self._open -= 1
        self._active.pop(job, None)
        self._progress_s, self._stale = now_s, True
        for waiter in self._waiters.get(job.outcome.job, ()) if status == "SUCCEEDED" else ():
            waiter.waits_for.discard(job.outcome.job)
            self._planned_s = -math.inf  # whoever was waited for should be followed at once

    # ---- Workers ---------------------------------------------------------------------------------------------------

    def _join(self, line: WorkerLine) -> None:
        kind = self._fleet.kind(line.pool, line.machine)
        for number in range(line.count):
            name = line.worker if line.count == 1 else f"{line.worker}-{number + 1}"
            worker = self._fleet.join(name, kind, self._agenda.now_s)
            self._joined(worker)
            if line.left_s is not None:
                self._agenda.at(line.left_s, partial(self._leave, worker))

    def _joined(self, worker: SimWorker) -> None:
        self._handing_out.ask(worker)
        self._stale = True

    def _leave(self, worker: SimWorker, failure: FailureClass = FailureClass.LOST) -> None:
        """A worker goes, whatever it was doing; its tasks are lost and done again."""
        leases = list(worker.leases)
        for lease in leases:
            self._let_go(lease, wasted=True)
        self._handing_out.withdraw(worker)
        self._fleet.leave(worker, self._agenda.now_s)
        for lease in leases:
            self._failed(lease, failure)
        self._stale = True

    # ---- The plan --------------------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        """Somebody could work and something is ready: time alone may bring them together, while rules depend on it."""
        if not self._agenda:
            stalled = self._agenda.now_s - self._progress_s >= STALL_S
            if stalled or not self._planner.depends_on_time:
                return
        self._ticking = True
        self._agenda.after(self._interval_s if self._agenda else max(self._interval_s, STALLED_TICK_S), self._tick)

    def _tick(self) -> None:
        self._ticking = False

    def _dispatch(self) -> None:
        """Everybody who has a free slot takes what the plan gives."""
        growing = bool(self._renting)
        kinds = [kind for kind in self._fleet.kinds if kind.open]
        if not (growing or (self._active and kinds)):
            self._handing_out.nothing()
            return
        now_s = self._agenda.now_s
        fresh = (self._stale and not self._options.sparing) or now_s - self._planned_s >= self._interval_s
        if fresh:
            self._planner.plan(self._active, self._meter.held, now_s)
            self._stale, self._planned_s = False, now_s
            self._handing_out.ask_all()
            self._meter.plans += 1
        self._handing_out.serve(kinds)
        if growing and (fresh or self._renting.due):
            self._renting.scale()
        if not self._ticking and any(step.ready for job in self._active for step in job.steps):
            self._look_again()

    # ---- Leases ----------------------------------------------------------------------------------------------------

    def _lease(self, worker: SimWorker, step: StepRun, part: float = 1.0) -> None:
        seq, attempt = step.take()
        lease = SimLease(step, seq, worker, self._agenda.now_s, attempt)
        if step.caps:
            lease.caps = keys_in(step.caps, worker.kind.pool)
        worker.hold(lease, step.job.work.needs)
        self._meter.begun(lease)
        self._progress_s = lease.started_s
        takes_s = part * step.work.seconds[seq] / worker.kind.rating
        failed_part = fails_after(self._options, lease.name)
        if failed_part is None:
            self._agenda.after(takes_s, partial(self._finished, lease))
        else:
            self._agenda.after(takes_s * failed_part, partial(self._broke, lease))

    def _finished(self, lease: SimLease) -> None:
        if not lease.alive:
            return
        step = lease.step
        self._let_go(lease, wasted=False)
        self._progress_s = self._agenda.now_s
        if step.finish(lease.seq):
            self._handing_out.more_ready()
        if not step.job.left:
            self._end_job(step.job, "SUCCEEDED")

    def _broke(self, lease: SimLease) -> None:
        if lease.alive:
            self._let_go(lease, wasted=True)
            self._failed(lease, FailureClass.USER)

    def _failed(self, lease: SimLease, failure: FailureClass) -> None:
        """An attempt has ended without a result: again, later, or never. A task that has failed fails its job."""
        step, seq = lease.step, lease.seq
        decision = step.fail(seq, failure, other_workers=True)
        self._meter.waiting(step.job, self._agenda.now_s, 1)
        if decision.retry:
            self._agenda.after(decision.delay_s, partial(self._again, step, seq))
        else:
            self._end_job(step.job, "FAILED")

    def _again(self, step: StepRun, seq: int) -> None:
        if not step.job.ended:
            step.ready.appendleft(seq)
            self._handing_out.more_ready()

    def _let_go(self, lease: SimLease, *, wasted: bool) -> None:
        """The slot is free again."""
        lease.alive = False
        worker, now_s = lease.worker, self._agenda.now_s
        worker.let_go(lease, lease.step.job.work.needs)
        self._handing_out.ask(worker)
        self._meter.ended(lease, now_s, wasted=wasted)
        if not worker.leases:
            worker.idle_since_s = now_s

    def _resume_running(self) -> None:
        """Tasks that run already when the replay begins get their slots before anything is planned."""
        by_name = {job.outcome.job: job for job in self._jobs}
        for (name, index), count in self._options.running.items():
            step, left = by_name[name].steps[index], count
            for worker in self._fleet.fitting(step.job.work.needs):
                while left and step.ready and worker.fits(step.job.work.needs):
                    self._lease(worker, step, part=RUNNING_LEFT)
                    left -= 1
