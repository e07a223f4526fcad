"""The same farm on SQLite and on PostgreSQL: every hot statement and every use case, with the same outcome."""

from __future__ import annotations

import pytest
from farms import LooseFarm
from sqlmodel import select

from scheduler.domain.states import AttemptStatus, JobStatus, TaskStatus
from scheduler.errors import Unavailable
from scheduler.protocol.work import Report, Running
from scheduler.service.controlling import cancel_job, pause_job, remove_job, resume_job, retry_job
from scheduler.service.keeping import keep_house
from scheduler.service.registering import drain_worker, enable_worker
from scheduler.store.store import Store
from scheduler.store.tables import Attempt, Event, Frame, Job, Step, Task


@pytest.fixture
def farm(database, tmp_path):
    opened = LooseFarm(tmp_path, database=database)
    yield opened
    opened.close()


def status(farm, job):
    with farm.store.read() as session:
        return session.get(Job, job).status


def test_a_split_job_from_submission_to_frames(farm):
    worker = farm.join()
    job = farm.submit(renderer="kernel", frames="1-2", split={"tiles": [5, 4]})
    while leases := farm.sync(worker, want=7).leases:
        for lease in leases:
            assert [ack.status for ack in farm.deliver(worker, lease).acks] == [202]
    assert status(farm, job) == JobStatus.SUCCEEDED
    with farm.store.read() as session:
        assert [row.frame for row in session.exec(select(Frame).order_by(Frame.frame)).all()] == [1, 2]
        merges = session.exec(select(Step).where(Step.kind == "merge")).all()
        assert {step.level for step in merges} == {1, 2}
        kinds = {event.kind for event in session.exec(select(Event)).all()}
    assert {"worker.joined", "job.submitted", "job.status", "frame.published"} <= kinds


def test_failures_retries_expiry_and_a_restart(farm):
    first, second = farm.join("a"), farm.join("b")
    job = farm.submit(renderer="null", frames="1-3", max_attempts=2)
    (lease,) = farm.sync(first, want=1).leases
    farm.sync(first, reports=[Report(lease.task, lease.attempt, lease.secret, "failed", message="no camera")])
    # The retry prefers the other worker.
    assert lease.task not in [got.task for got in farm.sync(first, want=3).leases]
    (again,) = farm.sync(second, want=1).leases
    assert (again.task, again.attempt) == (lease.task, 2)
    farm.restart()
    assert len(farm.farm.live.leases) == 3
    farm.sync(second, reports=[farm.finished(again)])
    farm.clock.advance(60)
    farm.run(farm.tick.run())
    with farm.store.read() as session:
        tried = session.exec(select(Attempt).order_by(Attempt.task_id, Attempt.attempt)).all()
    assert [row.status for row in tried] == [
        AttemptStatus.FAILED,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.LOST,
        AttemptStatus.LOST,
    ]
    assert status(farm, job) == JobStatus.RUNNING


def test_a_worker_that_was_cut_off_keeps_what_it_still_works_on(farm):
    worker = farm.join()
    farm.submit(renderer="null", frames="1-2")
    first, second = farm.sync(worker, want=2).leases
    farm.clock.advance(600)
    farm.run(farm.tick.run())
    assert not farm.farm.live.leases
    other = farm.join("other")
    (taken,) = farm.sync(other, want=1).leases
    assert taken.task == first.task
    running = [Running(lease.task, lease.attempt, 0.5) for lease in (first, second)]
    assert [ref.task for ref in farm.sync(worker, running=running).cancel] == [first.task]
    assert [ack.status for ack in farm.sync(worker, reports=[farm.finished(second)]).acks] == [200]
    with farm.store.read() as session:
        assert session.get(Task, second.task).attempt == 1


def test_people_act(farm):
    worker = farm.join()
    job, other = farm.submit(renderer="null", frames="1-4"), farm.submit(renderer="null", depends_on=["00001"])
    leases = farm.sync(worker, want=2).leases
    farm.run(pause_job(farm.farm, job, "me"))
    assert farm.sync(worker, want=2).leases == []
    farm.run(resume_job(farm.farm, job, "me"))
    assert status(farm, job) == JobStatus.RUNNING
    farm.run(cancel_job(farm.farm, job, "me"))
    running = [Running(lease.task, lease.attempt) for lease in leases]
    assert [ref.task for ref in farm.sync(worker, running=running).cancel] == [lease.task for lease in leases]
    farm.run(retry_job(farm.farm, job, "me"))
    why = farm.run(farm.services.explainer.why_job(other))
    assert why["waiting"] == [{"reason": "waits for job 00001 to succeed", "tasks": 1}]
    farm.run(farm.tick.run())
    for lease in farm.sync(worker, want=4).leases:
        assert lease.job == "00001"
        farm.sync(worker, reports=[farm.finished(lease)])
    assert status(farm, job) == JobStatus.SUCCEEDED
    farm.run(farm.tick.run())
    assert [lease.job for lease in farm.sync(worker, want=4).leases] == ["00002"]
    farm.run(remove_job(farm.farm, other, "me"))
    assert status(farm, other) == JobStatus.CANCELED


def test_drain_enable_and_retention(farm):
    worker = farm.join()
    farm.run(drain_worker(farm.farm, worker))
    farm.submit(renderer="null")
    reply = farm.sync(worker, want=1)
    assert (reply.leases, reply.drain) == ([], True)
    farm.run(enable_worker(farm.farm, worker))
    farm.run(farm.tick.run())
    (lease,) = farm.sync(worker, want=1).leases
    farm.sync(worker, reports=[farm.finished(lease)])
    farm.clock.advance(200 * 86_400)
    assert farm.run(keep_house(farm.farm))["jobs"] == 1
    with farm.store.read() as session:
        assert session.exec(select(Task)).all() == []
        assert session.exec(select(Job)).all() == []


def test_the_oldest_task_first_and_ready_reducers_before_producers(farm):
    worker = farm.join()
    farm.submit(renderer="kernel", frames="1-3", split={"tiles": [2, 1]})
    for lease in farm.sync(worker, want=2).leases:
        assert lease.frames == [1]
        farm.deliver(worker, lease)
    (lease,) = farm.sync(worker, want=1).leases
    assert (lease.kind, lease.frames, len(lease.inputs)) == ("merge", [1], 2)


def test_postgresql_has_one_active_scheduler(cluster, tmp_path):
    url = cluster.url()
    first = Store(tmp_path / "a", url)
    with pytest.raises(Unavailable, match="already active"):
        Store(tmp_path / "b", url)
    first.close()
    Store(tmp_path / "b", url).close()


def test_task_states_are_the_contracts():
    assert {state.value for state in TaskStatus} == {"BLOCKED", "READY", "LEASED", "SUCCEEDED", "FAILED", "CANCELED"}
