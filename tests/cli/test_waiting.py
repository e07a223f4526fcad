"""Waiting for a job's end, and what ends the wait before that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest
from fake_rest import JOB, TOKEN, FakeRest

from scheduler.cli import waiting
from scheduler.cli.client import Client
from scheduler.cli.connection import Connection
from scheduler.cli.exits import JobFailed, Unplaceable, Unreachable
from scheduler.cli.waiting import News, Patience, listening, succeed_or_raise, wait_for_end
from scheduler.clock import ManualClock

QUEUED = JOB | {
    "status": "QUEUED",
    "progress": {"total": 2, "done": 0, "running": 0, "failed": 0, "waiting": 2, "canceled": 0},
}
WHY: dict[str, Any] = {"placeable": False, "waiting": [{"reason": "no worker has Blender 5", "tasks": 2}]}
PATIENCE = Patience(away_max_s=60.0, unplaceable_s=10.0)


@pytest.fixture
def client(fake: FakeRest) -> Client:
    return Client(Connection(fake.url, TOKEN))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Every wait passes four seconds at once, and nothing listens."""
    clock = ManualClock()
    news = News()
    news.wait = lambda: clock.advance(4.0)  # type: ignore[method-assign]

    @contextmanager
    def silence(_connection: Connection, _job: str) -> Any:
        yield news

    monkeypatch.setattr(waiting, "listening", silence)
    return clock


def then(*answers: Any) -> Callable[[Any], Any]:
    """One answer after another, the last one for ever."""
    left = list(answers)
    return lambda _request: left.pop(0) if len(left) > 1 else left[0]


def ok(data: Any) -> tuple[int, Any]:
    return 200, {"data": data, "message": ""}


AWAY = (502, {"data": {"code": "bad_gateway", "hint": "", "details": None}, "message": "away"})


def test_it_ends_with_the_job_and_shows_every_step(client: Client, fake: FakeRest, clock: ManualClock) -> None:
    done = JOB | {"status": "SUCCEEDED"}
    fake.answers["GET /jobs/00007"] = then(ok(QUEUED), ok(JOB), ok(done))
    fake.answers["GET /jobs/00007/why"] = WHY
    shown = list[str]()

    found = wait_for_end(client, "00007", lambda job: shown.append(job["status"]), clock=clock, patience=PATIENCE)

    assert found == done
    assert shown == ["QUEUED", "RUNNING", "SUCCEEDED"]


def test_a_restart_of_the_scheduler_is_waited_out(client: Client, fake: FakeRest, clock: ManualClock) -> None:
    fake.answers["GET /jobs/00007"] = then(ok(JOB), AWAY, AWAY, AWAY, ok(JOB | {"status": "SUCCEEDED"}))

    found = wait_for_end(client, "00007", lambda _job: None, clock=clock, patience=PATIENCE)

    assert found["status"] == "SUCCEEDED"


def test_a_scheduler_that_stays_away_ends_it(client: Client, fake: FakeRest, clock: ManualClock) -> None:
    fake.answers["GET /jobs/00007"] = then(ok(JOB), AWAY)

    with pytest.raises(Unreachable):
        wait_for_end(client, "00007", lambda _job: None, clock=clock, patience=PATIENCE)

    assert 60.0 < clock.monotonic() <= 68.0


def test_a_job_that_no_pool_can_take_ends_it_after_a_while(client: Client, fake: FakeRest, clock: ManualClock) -> None:
    fake.answers["GET /jobs/00007"] = QUEUED
    fake.answers["GET /jobs/00007/why"] = WHY

    with pytest.raises(Unplaceable, match="no worker has Blender 5"):
        wait_for_end(client, "00007", lambda _job: None, clock=clock, patience=PATIENCE)

    assert 10.0 <= clock.monotonic() <= 14.0


@pytest.mark.parametrize(
    "job",
    [JOB, QUEUED | {"status": "PAUSED"}, QUEUED | {"progress": QUEUED["progress"] | {"running": 1}}],
    ids=["running", "paused", "one task runs"],
)
def test_a_job_that_moves_or_is_paused_is_not_given_up(
    client: Client, fake: FakeRest, clock: ManualClock, job: dict[str, Any]
) -> None:
    fake.answers["GET /jobs/00007"] = then(*[ok(job)] * 20, ok(JOB | {"status": "SUCCEEDED"}))
    fake.answers["GET /jobs/00007/why"] = WHY

    assert wait_for_end(client, "00007", lambda _job: None, clock=clock, patience=PATIENCE)["status"] == "SUCCEEDED"


def test_a_worker_that_joins_in_time_ends_the_worry(client: Client, fake: FakeRest, clock: ManualClock) -> None:
    fake.answers["GET /jobs/00007"] = then(*[ok(QUEUED)] * 8, ok(JOB | {"status": "SUCCEEDED"}))
    fake.answers["GET /jobs/00007/why"] = then(ok(WHY), ok(WHY), ok(WHY | {"placeable": True}))

    assert wait_for_end(client, "00007", lambda _job: None, clock=clock, patience=PATIENCE)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("status", ["FAILED", "CANCELED"])
def test_anything_but_success_is_a_failure(client: Client, fake: FakeRest, status: str) -> None:
    fake.answers["GET /jobs/00007/tasks"] = [{"task": 3, "message": "no camera"}]

    with pytest.raises(JobFailed) as failure:
        succeed_or_raise(client, JOB | {"status": status})

    assert failure.value.details == [{"field": "task 3", "problem": "no camera"}]
    succeed_or_raise(client, JOB | {"status": "SUCCEEDED"})


def test_an_event_wakes_the_one_who_waits(fake: FakeRest) -> None:
    fake.answers["GET /events"] = lambda _request: (200, b"id: 1\nevent: task.done\ndata: {}\n\n")

    with listening(Connection(fake.url, TOKEN), "00007") as news:
        assert news.happened.wait(10)

    assert fake.calls("GET /events")[0].query == "job=00007"


def test_without_events_it_asks_by_itself(fake: FakeRest) -> None:
    with listening(Connection(fake.url, TOKEN), "00007") as news:
        assert not news.arrives
