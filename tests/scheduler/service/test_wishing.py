"""What production wishes, as it reaches the queue: order, new jobs, thousands at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_shotgrid import FakeShotGrid, fake_shotgrid
from postgres import Cluster
from sqlmodel import select
from tracked_farm import TrackedFarm

from scheduler.domain.states import JobStatus
from scheduler.domain.tracking import Tracked, Wish
from scheduler.priorities.deciding import Decision
from scheduler.protocol.work import SyncRequest
from scheduler.service.wishing import WISHES_PER_CHANGE, apply_wishes, wish_new_job
from scheduler.store.tables import Job


@pytest.fixture
def fake() -> Iterator[FakeShotGrid]:
    with fake_shotgrid() as site:
        yield site


@pytest.fixture
def tracked(tmp_path: Path, fake: FakeShotGrid) -> Iterator[TrackedFarm]:
    farm = TrackedFarm(tmp_path, fake, sync_interval_s=15.0)
    yield farm
    farm.close()


def shots(fake: FakeShotGrid, count: int) -> list[dict[str, Any]]:
    alpha = fake.add("Project", name="Alpha")
    return [fake.add("Shot", code=f"sh{n:03}", project=alpha, sg_priority="Low") for n in range(count)]


def test_a_shot_that_is_raised_goes_first_while_others_run(tracked: TrackedFarm, fake: FakeShotGrid) -> None:
    made = shots(fake, 3)
    worker = tracked.join()
    jobs = [
        tracked.submit(renderer="null", frames="1-5", tracking={"project": "Alpha", "shot": shot["name"]})
        for shot in made
    ]
    tracked.follow()
    assert [lease.job for lease in tracked.sync(worker, want=1).leases] == [f"{jobs[0]:05d}"]

    fake.change(made[2], sg_priority="High")
    tracked.wait(tracked.shotgrid.sync_interval_s + 1)

    assert [lease.job for lease in tracked.sync(worker, want=2).leases] == [f"{jobs[2]:05d}"] * 2
    assert tracked.job(jobs[0]).status == JobStatus.RUNNING


def new_row(**values: Any) -> Job:
    known: dict[str, Any] = {
        "name": "new", "status": JobStatus.QUEUED, "renderer": "null", "frames": "1", "frame_count": 1, "format": "png",
        "scene": {}, "settings": {}, "requires": {}, "extra": {}, "payload": {}, "pools": [], "submitted_at": 0.0,
    }  # fmt: skip
    return Job(**(known | values))


def test_a_new_job_is_wished_for_from_memory_alone(tracked: TrackedFarm, fake: FakeShotGrid) -> None:
    held = shots(fake, 2)[1]
    fake.change(held, sg_status_list="hld")
    for name in ("sh000", "sh001"):
        tracked.submit(renderer="null", tracking={"project": "Alpha", "shot": name})
    tracked.follow()
    asked = len(fake.requests)

    first, second, third, fourth = (
        new_row(tracking={"project": "Alpha", "shot": "sh000"}),
        new_row(tracking={"project": "Alpha", "shot": "sh001"}),
        new_row(tracking={}),
        new_row(tracking={"project": "Alpha", "shot": "sh001"}, status=JobStatus.PAUSED),
    )
    for row in (first, second, third, fourth):
        wish_new_job(tracked.tracker, row, 7.0)

    assert (first.tracked_priority, first.tracked_source, first.tracked_at) == (20, "Shot.sg_priority", 7.0)
    assert (second.status, second.held_by, second.tracked_hold) == (JobStatus.PAUSED, "tracking", "hld")
    assert (third.tracked_priority, third.tracked_at, third.status) == (None, None, JobStatus.QUEUED)
    assert (fourth.status, fourth.held_by) == (JobStatus.PAUSED, "")
    assert len(fake.requests) == asked
    assert not tracked.tracker.due()


def test_a_new_job_that_nobody_knows_asks_for_a_sync(tracked: TrackedFarm, fake: FakeShotGrid) -> None:
    tracked.follow()
    tracked.clock.advance(10)
    assert not tracked.tracker.due()

    wish_new_job(tracked.tracker, new_row(tracking={"task_id": 5}), 7.0)
    assert tracked.tracker.due()

    wish_new_job(None, new_row(tracking={"task_id": 5}), 7.0)


def test_a_project_that_is_raised_raises_all_its_jobs_in_portions(tracked: TrackedFarm, fake: FakeShotGrid) -> None:
    count = 2 * WISHES_PER_CHANGE + 1
    project = fake.add("Project", name="Alpha")
    rows = [new_row(tracking={"project": "Alpha"}) for _ in range(count)]
    tracked.store.write(lambda tx: tx.session.add_all(rows))
    tracked.run(tracked.following.sync())
    before = tracked.store.writer.changes

    fake.change(project, sg_priority=66)
    tracked.run(tracked.following.sync())

    with tracked.store.read() as session:
        assert set(session.exec(select(Job.tracked_priority)).all()) == {66}
    assert 3 <= tracked.store.writer.changes - before <= 6


def test_what_was_decided_for_a_job_that_has_ended_meanwhile_is_dropped(tracked: TrackedFarm) -> None:
    job = tracked.submit(renderer="null")
    tracked.store.write(lambda tx: setattr(tx.session.get(Job, job), "status", JobStatus.CANCELED))
    decision = Decision(job, Wish(priority=90, source="x"), Tracked(), Tracked(90, "x"))

    assert tracked.run(apply_wishes(tracked.farm, [decision])) == 0
    assert tracked.job(job).tracked_priority is None


def test_leases_are_given_between_the_portions(tracked: TrackedFarm, fake: FakeShotGrid) -> None:
    worker = tracked.join()
    tracked.submit(renderer="null", frames="1-5")
    rows = [new_row(tracking={"project": "Alpha"}) for _ in range(5 * WISHES_PER_CHANGE)]
    tracked.store.write(lambda tx: tx.session.add_all(rows))
    decisions = [
        Decision(row, Wish(priority=5, source="x"), Tracked(), Tracked(5, "x")) for row in range(2, len(rows) + 2)
    ]

    async def scenario() -> tuple[bool, int]:
        applying = asyncio.create_task(apply_wishes(tracked.farm, decisions))
        await asyncio.sleep(0)
        reply = await tracked.leasing.sync(worker, SyncRequest(want=1))
        early = not applying.done()
        await applying
        return early, len(reply.leases)

    assert tracked.run(scenario()) == (True, 1)


def test_on_postgresql_too(tmp_path: Path, fake: FakeShotGrid) -> None:
    cluster = Cluster()
    farm = TrackedFarm(tmp_path, fake, database=cluster.url())
    (shot,) = shots(fake, 1)
    job = farm.submit(renderer="null", tracking={"project": "Alpha", "shot": "sh000"})
    farm.follow()
    fake.change(shot, sg_status_list="hld", sg_priority="High")
    farm.follow()
    held = farm.job(job)
    fake.retire(shot)
    farm.follow()
    farm.restart()

    assert (held.status, held.held_by, held.tracked_priority) == (JobStatus.PAUSED, "tracking", 80)
    assert farm.job(job).reason.startswith("still paused: Shot")
    assert farm.remembered().entities["Shot", shot["id"]].gone
    farm.close()
    cluster.stop()
