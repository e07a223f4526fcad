"""The outbox and the costs, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from outbox_desk import Desk, outbox_desk

from scheduler.domain.costs import account
from scheduler.domain.states import JobStatus
from scheduler.store.usage import load_usage


@pytest.fixture
def desk(database: str | None, tmp_path: Path) -> Iterator[Desk]:
    with outbox_desk(tmp_path, database, task_status={"RUNNING": "ip", "SUCCEEDED": "rev"}) as desk:
        yield desk


def test_a_job_from_its_start_to_its_version(desk: Desk) -> None:
    job = desk.submit()
    desk.moved(job, JobStatus.RUNNING)
    assert desk.deliver().sent == 1
    desk.finish(job)
    assert desk.deliver().sent == 2
    desk.finish(job)
    assert desk.deliver().sent == 1

    assert len(desk.fake.rows("Version")) == 1
    assert desk.fake.entity("Task", desk.task["id"])["sg_status_list"] == "rev"
    assert {status for _, status in desk.statuses()} == {"SENT"}


def test_costs_of_ended_and_of_running_attempts(desk: Desk) -> None:
    desk.finished()
    desk.submit()
    worker = desk.farm.join("second", vcpus=4)
    assert len(desk.farm.sync(worker, want=1).leases) == 1
    desk.farm.clock.advance(3600.0)
    now_s = desk.farm.farm.now_s()

    with desk.farm.store.read() as session:
        usages = load_usage(session, now_s=now_s)
        recent = load_usage(session, now_s=now_s, since_s=now_s - 1800.0, pools=["onprem"])

    found = account(usages, {"onprem": 1.0})
    assert (found.attempts, found.retries) == (4, 1)
    assert found.core_hours == pytest.approx(3 * 2 / 3600 + 1.0)
    assert account(recent, {"onprem": 1.0}).usd == pytest.approx(0.125)
    assert account(recent, {}).attempts == 1
