"""The outbox inside a whole farm: queued by the job's own move, and in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from outbox_desk import Desk, outbox_desk

from scheduler.service.controlling import cancel_job, pause_job, resume_job, retry_job


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with outbox_desk(tmp_path, task_status={"RUNNING": "ip", "SUCCEEDED": "rev", "CANCELED": "omt"}) as desk:
        desk.farm.farm.outbox = desk.outbox
        yield desk


def kinds(desk: Desk) -> list[tuple[str, str | None]]:
    return [(row.kind, row.payload.get("status")) for row in desk.messages()]


def test_a_job_queues_its_messages_as_it_moves(desk: Desk) -> None:
    desk.finished()

    assert kinds(desk) == [("task_status", "ip"), ("version", None), ("task_status", "rev")]
    assert desk.deliver().sent == 3
    assert len(desk.fake.rows("Version")) == 1


def test_a_canceled_job_that_is_retried_has_one_version(desk: Desk) -> None:
    job = desk.submit()
    desk.farm.run(cancel_job(desk.farm.farm, job, "ada"))
    desk.farm.run(retry_job(desk.farm.farm, job, "ada"))
    desk.farm.run(pause_job(desk.farm.farm, job, "ada"))
    desk.farm.run(resume_job(desk.farm.farm, job, "ada"))
    desk.finish(job)

    assert kinds(desk) == [("task_status", "omt"), ("task_status", "ip"), ("version", None), ("task_status", "rev")]
    desk.deliver()
    assert len(desk.fake.rows("Version")) == 1


def test_a_job_without_a_tracker_pays_nothing(desk: Desk) -> None:
    desk.finished(tracking={})

    assert desk.messages() == []


def test_a_site_that_hangs_holds_up_neither_ticks_nor_workers(desk: Desk) -> None:
    desk.finished()
    desk.fake.hang()

    async def ticks_meanwhile() -> int:
        delivering = asyncio.create_task(desk.courier.deliver())
        ticks = 0
        while not desk.fake.requests:  # noqa: ASYNC110  the site's thread knows nothing of this loop
            await asyncio.sleep(0.01)
        for _ in range(10):
            await desk.farm.tick.run()
            ticks += not delivering.done()
        desk.fake.heal()
        await delivering
        return ticks

    assert desk.farm.run(ticks_meanwhile()) == 10
    desk.farm.clock.advance(600.0)
    desk.deliver()
    assert {status for _, status in desk.statuses()} == {"SENT"}
