"""The whole core as one state machine: whatever happens in whatever order, the invariants hold.

The real store on a real file, the real use cases and tick; only the clock is ours and the decoder is trusting. Workers
come, lease, finish, fail, fall silent, speak up late; people cancel, pause, retry; the scheduler is restarted.
"""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, multiple, rule
from watched_farm import WatchedFarm

from scheduler.domain.states import AttemptStatus, TaskStatus
from scheduler.errors import Conflict, NotFound
from scheduler.protocol.work import Report, Running
from scheduler.service import controlling
from scheduler.service.overriding import prioritise_job
from scheduler.store.tables import Attempt, Task


class FarmMachine(WatchedFarm):
    """See the module's docstring."""

    workers = Bundle("workers")
    jobs = Bundle("jobs")
    leases = Bundle("leases")
    spent = Bundle("spent")

    @rule(target=workers)
    def a_worker_joins(self) -> str:
        return self.farm.join()

    @rule(
        target=jobs,
        frames=st.sampled_from(["1", "1-3", "1-2x5,9"]),
        renderer=st.sampled_from(["null", "kernel"]),
        split=st.sampled_from([None, {"tiles": [2, 1]}, {"samples": 18}]),
        max_attempts=st.integers(1, 3),
        priority=st.integers(0, 100),
        paused=st.booleans(),
        chunk=st.integers(1, 2),
    )
    def a_job_is_submitted(self, frames, renderer, split, max_attempts, priority, paused, chunk) -> int:
        shape = {"split": split} if renderer == "kernel" and split else {"chunk": chunk}
        return self.farm.submit(
            frames=frames, renderer=renderer, max_attempts=max_attempts, priority=priority, paused=paused, **shape
        )

    @rule(target=jobs, needed=jobs)
    def a_dependent_job_is_submitted(self, needed) -> int:
        return self.farm.submit(frames="1", renderer="null", depends_on=[f"{needed:05d}"])

    @rule(target=leases, worker=workers, want=st.integers(1, 4))
    def a_worker_leases(self, worker, want):
        reply = self.farm.sync(worker, want=want)
        assert len(reply.leases) <= want
        return multiple(*((worker, lease) for lease in reply.leases))

    @rule(target=spent, held=consumes(leases))
    def a_task_is_done(self, held):
        worker, lease = held
        if self.accepts(lease):
            reply = self.farm.deliver(worker, lease)
            assert {ack.status for ack in reply.acks} <= {200, 202}
            with self.farm.store.read() as session:
                assert session.get(Task, lease.task).status == TaskStatus.SUCCEEDED
        else:
            reply = self.farm.sync(worker, reports=[self.farm.finished(lease)])
            assert [(ack.status, ack.code) for ack in reply.acks] == [(409, "stale_attempt")]
        return held

    @rule(target=spent, held=consumes(leases))
    def broken_output_is_delivered(self, held):
        worker, lease = held
        if lease.renderer == "null" or lease.partial or not self.accepts(lease):
            return multiple()
        self.farm.deliver(worker, lease, b"broken")
        with self.farm.store.read() as session:
            assert session.get(Attempt, (lease.task, lease.attempt)).status == AttemptStatus.FAILED
            assert session.get(Task, lease.task).status != TaskStatus.SUCCEEDED
        return held

    @rule(
        target=spent,
        held=consumes(leases),
        failure=st.sampled_from(["user", "infra", "licence", "preempted"]),
        seconds=st.sampled_from([0.1, 60.0]),
    )
    def a_task_fails(self, held, failure, seconds):
        worker, lease = held
        report = Report(
            lease.task, lease.attempt, lease.secret, "failed", failure=failure, seconds=seconds, message="x"
        )
        self.farm.sync(worker, reports=[report])
        return held

    @rule(target=spent, held=consumes(leases))
    def a_lease_is_returned(self, held):
        worker, lease = held
        self.farm.sync(worker, reports=[Report(lease.task, lease.attempt, lease.secret, "returned")])
        return held

    @rule(held=spent)
    def a_late_copy_of_a_report_changes_nothing(self, held):
        worker, lease = held
        before = self.picture()
        report = Report(lease.task, lease.attempt, lease.secret, "failed", message="late")
        reply = self.farm.sync(worker, reports=[report])
        assert [ack.status for ack in reply.acks] == [409]
        assert self.picture() == before

    @rule(held=leases)
    def a_forged_secret_changes_nothing(self, held):
        worker, lease = held
        before = self.picture()
        report = Report(lease.task, lease.attempt, "0" * 32, "done")
        assert self.farm.sync(worker, reports=[report]).acks[0].status == 409
        assert self.picture() == before

    @rule(worker=workers, seconds=st.sampled_from([1.0, 15.0, 29.0]))
    def time_passes_with_heartbeats(self, worker, seconds):
        self.farm.clock.advance(seconds / 2)
        for lease in list(self.farm.farm.live.leases.values()):
            self.farm.sync(lease.worker, running=[Running(lease.task, lease.attempt, 0.5)])
        self.farm.clock.advance(seconds / 2)
        self.farm.run(self.farm.tick.run())

    @rule()
    def workers_fall_silent(self):
        self.farm.clock.advance(40.0)
        self.farm.run(self.farm.tick.run())
        assert not self.farm.farm.live.leases

    @rule(held=leases)
    def a_worker_that_was_lost_is_still_at_work(self, held):
        worker, lease = held
        kept = self.accepts(lease)
        reply = self.farm.sync(worker, running=[Running(lease.task, lease.attempt, 0.5)])
        assert [(ref.task, ref.attempt) for ref in reply.cancel] == ([] if kept else [(lease.task, lease.attempt)])
        with self.farm.store.read() as session:
            leased = session.get(Task, lease.task).status == TaskStatus.LEASED
        assert leased or not kept

    @rule()
    def a_long_time_passes(self):
        self.farm.clock.advance(7200.0)
        self.farm.run(self.farm.tick.run())

    @rule(job=jobs, action=st.sampled_from(["pause_job", "resume_job", "cancel_job", "retry_job", "remove_job"]))
    def a_person_acts(self, job, action):
        with contextlib.suppress(Conflict, NotFound):
            self.farm.run(getattr(controlling, action)(self.farm.farm, job, "someone"))
        self.farm.run(self.farm.tick.run())

    @rule(job=jobs, priority=st.integers(0, 100))
    def a_priority_changes(self, job, priority):
        with contextlib.suppress(NotFound):
            self.farm.run(prioritise_job(self.farm.farm, job, priority, "someone"))

    @rule()
    def the_scheduler_is_restarted(self):
        before = self.picture()
        self.farm.restart()
        assert self.picture() == before


FarmMachine.TestCase.settings = settings(
    max_examples=settings().max_examples // 6,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestFarmMachine = FarmMachine.TestCase
