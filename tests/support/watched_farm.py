"""A farm whose invariants are checked after every step of a state machine: the base of `FarmMachine`."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from farms import LooseFarm
from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlmodel import func, select

from scheduler.domain.states import TERMINAL_JOBS, AttemptStatus, JobStatus, TaskStatus
from scheduler.protocol.work import Lease
from scheduler.store.tables import Attempt, Frame, Job, Step, Task

COLUMNS = {status: status.value.lower() for status in TaskStatus}


class WatchedFarm(RuleBasedStateMachine):
    """The real store on a real file, with a clock of our own; subclasses say what happens."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outfield-machine-"))
        self.farm = LooseFarm(self.folder, failed_tasks_max=3)
        self.attempts: dict[int, int] = {}
        self.ended: set[tuple[int, int]] = set()

    def teardown(self) -> None:
        self.farm.close()
        shutil.rmtree(self.folder, ignore_errors=True)

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

    def accepts(self, lease: Lease) -> bool:
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

    def picture(self) -> list[tuple[Any, ...]]:
        """Everything of the queue that a call may change."""
        with self.farm.store.read() as session:
            tasks = session.exec(select(Task.id, Task.status, Task.attempt, Task.failures, Task.troubles)).all()
            tried = session.exec(select(Attempt.task_id, Attempt.attempt, Attempt.status)).all()
            jobs = session.exec(select(Job.id, Job.status)).all()
        return sorted(map(tuple, tasks)) + sorted(map(tuple, tried)) + sorted(map(tuple, jobs))
