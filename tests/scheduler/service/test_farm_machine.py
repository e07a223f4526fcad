"""The whole core as one state machine: whatever happens in whatever order, the invariants hold.

The real store on a real file, the real use cases and tick; only the clock is ours and the decoder is trusting. Workers
come, lease, finish, fail, fall silent, speak up late; people cancel, pause, retry; the scheduler is restarted.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from pathlib import Path

from farms import LooseFarm
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from sqlmodel import func, select

from scheduler.domain.states import TERMINAL_JOBS, AttemptStatus, JobStatus, TaskStatus
from scheduler.errors import Conflict, NotFound
from scheduler.protocol.work import Lease, Report, Running
from scheduler.service import controlling
from scheduler.service.overriding import prioritise_job
from scheduler.store.tables import Attempt, Frame, Job, Step, Task

COLUMNS = {status: status.value.lower() for status in TaskStatus}


class FarmMachine(RuleBasedStateMachine):
    """See the module's docstring."""

    workers = Bundle("workers")
    jobs = Bundle("jobs")
    leases = Bundle("leases")
    spent = Bundle("spent")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outfield-machine-"))
        self.farm = LooseFarm(self.folder, failed_tasks_max=3)
        self.attempts: dict[int, int] = {}
        self.ended: set[tuple[int, int]] = set()

    def teardown(self) -> None:
        self.farm.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- What happens -----------------------------------------------------------------------------------------------

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
        if self._accepts(lease):
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
        if lease.renderer == "null" or lease.partial or not self._accepts(lease):
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
        before = self._picture()
        report = Report(lease.task, lease.attempt, lease.secret, "failed", message="late")
        reply = self.farm.sync(worker, reports=[report])
        assert [ack.status for ack in reply.acks] == [409]
        assert self._picture() == before

    @rule(held=leases)
    def a_forged_secret_changes_nothing(self, held):
        worker, lease = held
        before = self._picture()
        report = Report(lease.task, lease.attempt, "0" * 32, "done")
        assert self.farm.sync(worker, reports=[report]).acks[0].status == 409
        assert self._picture() == before

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
        kept = self._accepts(lease)
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
        before = self._picture()
        self.farm.restart()
        assert self._picture() == before

    # ---- What always holds ------------------------------------------------------------------------------------------

    @invariant()
    def counters_are_the_tasks(self):
        """I3: no event is lost between tasks and their steps."""
        with self.farm.store.read() as session:
            for step in session.exec(select(Step)).all():
                found = dict(
                    session.exec(
                        select(Task.status, func.count()).where(Task.step_id == step.id).group_by(Task.status)
                    ).all()
                )
                for status, column in COLUMNS.items():
                    assert getattr(step, column) == found.get(status.value, 0), (step, found)

    @invariant()
    def attempts_only_grow_and_one_is_open(self):
        """I1: the fence never falls, and at most one attempt of a task is open."""
        with self.farm.store.read() as session:
            for task in session.exec(select(Task)).all():
                assert task.attempt >= self.attempts.get(task.id, 0)
                self.attempts[task.id] = task.attempt
                tried = session.exec(select(Attempt).where(Attempt.task_id == task.id)).all()
                assert sorted(row.attempt for row in tried) == list(range(1, task.attempt + 1))
                opened = [row for row in tried if row.status in (AttemptStatus.LEASED, AttemptStatus.PUBLISHING)]
                assert [row.attempt for row in opened] == ([task.attempt] if task.status == TaskStatus.LEASED else [])
                if task.status == TaskStatus.SUCCEEDED:
                    assert [row.attempt for row in tried if row.status == AttemptStatus.SUCCEEDED] == [task.attempt]

    @invariant()
    def a_finished_frame_is_on_the_disk(self):
        """I2: a task that makes frames has succeeded exactly when they are recorded, and the files are those."""
        with self.farm.store.read() as session:
            rows = session.exec(
                select(Task, Job, Step).where(Task.job_id == Job.id, Task.step_id == Step.id, Job.renderer != "null")
            ).all()
            for task, job, step in rows:
                if not step.final:
                    continue
                for frame in task.frames.split(","):
                    row = session.get(Frame, (job.id, int(frame)))
                    assert (row is not None) == (task.status == TaskStatus.SUCCEEDED)
                    if row is not None:
                        assert row.attempt <= task.attempt
                        assert hashlib.sha256(Path(row.path).read_bytes()).hexdigest() == row.hash

    @invariant()
    def memory_is_the_disk(self):
        """I5: every lease in memory is one on the disk, held by a worker that is known."""
        live = self.farm.farm.live
        with self.farm.store.read() as session:
            leased = session.exec(
                select(Task.id, Task.attempt, Task.worker)
                .join(Attempt, (Attempt.task_id == Task.id) & (Attempt.attempt == Task.attempt))
                .where(Task.status == TaskStatus.LEASED, Attempt.status == AttemptStatus.LEASED)
            ).all()
        assert {(t, a, w) for t, a, w in leased} == {(le.task, le.attempt, le.worker) for le in live.leases.values()}
        for worker in live.workers.values():
            assert {le.task for le in worker.leases.values()} == {t for t, _a, w in leased if w == worker.id}
        assert all(le.worker in live.workers for le in live.leases.values())

    @invariant()
    def no_machine_is_overdrawn(self):
        """I4: what the leases of a worker need never exceeds what it has."""
        for worker in self.farm.farm.live.workers.values():
            room = worker.room()
            assert room.memory_gib >= 0
            assert room.gpus >= 0

    @invariant()
    def ended_jobs_hold_nothing(self):
        """I6: a job that has ended has no leased task; a job has succeeded exactly when all its tasks have."""
        with self.farm.store.read() as session:
            for job in session.exec(select(Job)).all():
                states = session.exec(select(Task.status).where(Task.job_id == job.id)).all()
                if job.status in TERMINAL_JOBS:
                    assert TaskStatus.LEASED not in states
                assert (job.status == JobStatus.SUCCEEDED) == all(s == TaskStatus.SUCCEEDED for s in states)
                if job.status == JobStatus.CANCELED:
                    assert set(states) <= {TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELED}
                if job.waiting_on:
                    assert not job.started_at

    @invariant()
    def only_the_user_pays_for_the_users_failures(self):
        """I7: a task's spent attempts are failures of class `user`."""
        with self.farm.store.read() as session:
            for task in session.exec(select(Task)).all():
                blamed = session.exec(
                    select(func.count()).where(Attempt.task_id == task.id, Attempt.failure == "user")
                ).one()
                assert task.failures <= blamed

    # ---- Looking ----------------------------------------------------------------------------------------------------

    def _accepts(self, lease: Lease) -> bool:
        """Whether the lease's result should still count: current, not yet ended, its job not ended."""
        with self.farm.store.read() as session:
            task = session.get(Task, lease.task)
            attempt = session.get(Attempt, (lease.task, lease.attempt))
            return (
                task.attempt == lease.attempt
                and task.secret == lease.secret
                and task.status in (TaskStatus.LEASED, TaskStatus.READY)
                and attempt.status in (AttemptStatus.LEASED, AttemptStatus.LOST)
            )

    def _picture(self) -> list[tuple]:
        with self.farm.store.read() as session:
            tasks = session.exec(select(Task.id, Task.status, Task.attempt, Task.failures, Task.troubles)).all()
            tried = session.exec(select(Attempt.task_id, Attempt.attempt, Attempt.status)).all()
            jobs = session.exec(select(Job.id, Job.status)).all()
        return sorted(map(tuple, tasks)) + sorted(map(tuple, tried)) + sorted(map(tuple, jobs))


FarmMachine.TestCase.settings = settings(
    max_examples=settings().max_examples // 6,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestFarmMachine = FarmMachine.TestCase
