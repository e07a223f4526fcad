"""Statuses of Tasks follow their jobs, in order, and a person's word is never overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from outbox_desk import Desk, outbox_desk

from scheduler.domain.states import JobStatus
from scheduler.priorities.outbox import drop_message, retry_message
from scheduler.store.production import TrackedEntity

MAPPING = {"RUNNING": "ip", "SUCCEEDED": "rev", "FAILED": "wtg"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with outbox_desk(tmp_path, task_status=MAPPING, movie=False) as desk:
        yield desk


def status(desk: Desk) -> str:
    return desk.fake.entity("Task", desk.task["id"])["sg_status_list"]


def know(desk: Desk, value: str) -> None:
    """The sync has read this status."""
    row = TrackedEntity(kind="Task", id=desk.task["id"], name="light", data={"sg_status_list": value}, fetched_at=0.0)
    desk.farm.store.write(lambda tx: tx.session.merge(row))


def test_a_task_goes_along_with_its_job(desk: Desk) -> None:
    job = desk.submit()
    desk.moved(job, JobStatus.RUNNING)
    assert desk.deliver().sent == 1
    assert status(desk) == "ip"

    desk.finish(job)
    assert desk.deliver().sent == 2
    assert status(desk) == "rev"
    assert [kind for kind, _ in desk.statuses()] == ["task_status", "version", "task_status"]


def test_what_waited_is_told_in_its_order(desk: Desk) -> None:
    job = desk.submit()
    desk.moved(job, JobStatus.RUNNING)
    desk.finish(job)
    desk.fake.fail(503)
    desk.deliver()
    assert status(desk) == "rdy", "what stands behind the first waits with it"
    desk.farm.clock.advance(600.0)

    assert desk.deliver().sent == 3
    told = [item["value"] for call in desk.fake.calls("update") for item in call["fields"] if call["type"] == "Task"]
    assert told == ["ip", "rev"]


def test_a_persons_word_is_shown_and_never_overwritten(desk: Desk) -> None:
    job = desk.submit()
    desk.moved(job, JobStatus.RUNNING)
    desk.deliver()
    desk.fake.change(desk.task, sg_status_list="hld")
    desk.finish(job)

    assert desk.deliver().conflicts == 1
    assert status(desk) == "hld"
    conflict = desk.messages()[-1]
    assert conflict.status == "CONFLICT"
    assert conflict.steps["conflict"] == {"found": "hld", "expected": "ip", "wanted": "rev"}
    assert "'hld'" in conflict.error and "'ip'" in conflict.error and "'rev'" in conflict.error
    desk.farm.clock.advance(3600.0)
    assert desk.deliver().conflicts == 0
    assert status(desk) == "hld"


def test_what_was_read_is_what_is_expected_until_the_farm_writes(desk: Desk) -> None:
    know(desk, "rdy")
    desk.fake.change(desk.task, sg_status_list="hld")
    job = desk.submit()
    desk.moved(job, JobStatus.RUNNING)

    assert desk.deliver().conflicts == 1
    assert desk.messages()[0].steps["conflict"] == {"found": "hld", "expected": "rdy", "wanted": "ip"}


def test_a_write_of_an_earlier_job_is_no_expectation_of_a_later_one(desk: Desk) -> None:
    desk.finished()
    desk.deliver()
    assert status(desk) == "rev"
    desk.farm.clock.advance(86_400.0)
    desk.fake.change(desk.task, sg_status_list="rdy")
    know(desk, "rdy")
    job = desk.submit()
    desk.moved(job, JobStatus.RUNNING)

    assert desk.deliver().sent == 1
    assert status(desk) == "ip"


def test_an_accepted_conflict_is_settled_as_long_as_it_is_the_one_that_was_seen(desk: Desk) -> None:
    know(desk, "rdy")
    desk.fake.change(desk.task, sg_status_list="hld")
    job = desk.submit()
    desk.moved(job, JobStatus.RUNNING)
    desk.deliver()
    number = desk.messages()[0].id or 0
    retry = lambda: desk.farm.store.write(lambda tx: retry_message(tx, number, desk.farm.farm.now_s()).status)  # noqa: E731

    assert retry() == "PENDING"
    desk.fake.change(desk.task, sg_status_list="omt")
    assert desk.deliver().conflicts == 1
    assert status(desk) == "omt"
    retry()
    assert desk.deliver().sent == 1
    assert status(desk) == "ip"


def test_a_dropped_message_is_never_sent_and_holds_up_nobody(desk: Desk) -> None:
    job = desk.submit()
    desk.moved(job, JobStatus.RUNNING)
    desk.farm.store.write(lambda tx: drop_message(tx, 1, 0.0))
    desk.finish(job)

    assert desk.deliver().sent == 2
    assert desk.statuses()[0] == ("task_status", "DROPPED")
    assert status(desk) == "rev"


def test_a_status_that_is_there_already_is_not_written_again(desk: Desk) -> None:
    desk.fake.change(desk.task, sg_status_list="ip")
    desk.moved(desk.submit(), JobStatus.RUNNING)

    assert desk.deliver().sent == 1
    assert desk.fake.calls("update") == []


def test_a_status_that_the_site_does_not_know_is_refused_in_its_words(tmp_path: Path) -> None:
    with outbox_desk(tmp_path, task_status={"RUNNING": "nope"}) as desk:
        desk.moved(desk.submit(), JobStatus.RUNNING)

        assert desk.deliver().refused == 1
        assert "nope" in desk.messages()[0].error


def test_a_deleted_task_is_refused(desk: Desk) -> None:
    desk.moved(desk.submit(), JobStatus.RUNNING)
    desk.fake.retire(desk.task)

    assert desk.deliver().refused == 1


def test_a_task_by_its_name(desk: Desk) -> None:
    job = desk.submit(tracking={"project": "Alpha", "shot": "sh010", "task": "light"})
    desk.moved(job, JobStatus.RUNNING)

    assert desk.deliver().sent == 1
    assert status(desk) == "ip"


def test_a_job_that_goes_on_after_a_pause_says_nothing_twice(desk: Desk) -> None:
    job = desk.submit()
    for after in (JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED):
        desk.moved(job, after)
    desk.moved(job, JobStatus.RUNNING)

    assert [row.payload["status"] for row in desk.messages()] == ["ip", "wtg", "ip"]
    assert desk.deliver().sent == 3
    assert status(desk) == "ip"


def test_a_job_without_a_task_has_no_status_to_tell(desk: Desk) -> None:
    desk.moved(desk.submit(tracking={"project": "Alpha"}), JobStatus.RUNNING)

    assert desk.messages() == []


def test_without_a_mapping_tasks_are_left_alone(tmp_path: Path) -> None:
    with outbox_desk(tmp_path) as desk:
        desk.moved(desk.submit(), JobStatus.RUNNING)

        assert desk.messages() == []


def test_a_move_that_is_undone_queues_nothing(desk: Desk) -> None:
    job = desk.submit()

    def fails(tx: object) -> None:
        desk.outbox.job_moved(tx, 0.0, job, JobStatus.SUCCEEDED)  # type: ignore[arg-type]
        raise ValueError("and then the change fails")

    with pytest.raises(ValueError, match="fails"):
        desk.farm.store.write(fails)
    assert desk.messages() == []
