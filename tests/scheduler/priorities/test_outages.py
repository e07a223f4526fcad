"""ShotGrid down, slow, garbled, rate-limited, wrong key, another schema, another clock: what is known stays, its age is
told, nothing escapes, and afterwards all is as it should be within one sweep."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_shotgrid import FakeShotGrid
from tracked_farm import TIMEOUT_S, TrackedFarm

from scheduler.domain.states import JobStatus
from scheduler.priorities.lane import Lane

HOUR_S = 3600


@pytest.fixture
def task(fake: FakeShotGrid) -> dict[str, Any]:
    alpha = fake.add("Project", name="Alpha")
    shot = fake.add("Shot", code="sh010", project=alpha)
    return fake.add("Task", content="light", project=alpha, entity=shot, sg_priority_1="2_Tier")


@pytest.fixture
def job(tracked: TrackedFarm, task: dict[str, Any]) -> int:
    """A job whose wish has been heard once."""
    number = tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    tracked.follow()
    return number


def times(status: int) -> Callable[[FakeShotGrid], None]:
    return lambda fake: fake.fail(status, 10_000)


FAULTS: dict[str, tuple[Callable[[FakeShotGrid], None], str]] = {
    "down": (lambda fake: setattr(fake, "down", True), "ShotGrid cannot be reached"),
    "503": (times(503), "ShotGrid is down for maintenance or too busy (503)."),
    "429": (times(429), "ShotGrid asks for fewer requests (429)."),
    "500": (times(500), "ShotGrid answers with the HTTP status 500."),
    "html": (lambda fake: fake.garble(10_000), "ShotGrid answers with something that is no JSON."),
    "list": (lambda fake: fake.garble(10_000, body=b"[]"), "ShotGrid"),
    "null": (lambda fake: fake.garble(10_000, body=b"null"), "ShotGrid"),
    "results": (lambda fake: fake.garble(10_000, body=b'{"results": 3}'), "ShotGrid"),
    "entities": (
        lambda fake: fake.garble(10_000, body=b'{"results": {"entities": [1], "paging_info": {}}}'),
        "ShotGrid's answer to",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_hour_of_trouble_is_lived_through(
    name: str, tracked: TrackedFarm, fake: FakeShotGrid, task: dict[str, Any], job: int
) -> None:
    fault, words = FAULTS[name]
    fault(fake)
    asked = len(fake.requests)
    tracked.wait(HOUR_S)
    state = tracked.tracker.state()

    assert tracked.job(job).tracked_priority == 60
    assert state.error is not None
    assert state.error.startswith(words)
    assert state.stale
    assert state.age_s == pytest.approx(HOUR_S, abs=1)
    assert state.failing_since_at is not None
    # 5, 10, 20 … up to ten minutes: no storm. The HTTP library asks a second time when a connection is closed on it.
    assert 8 <= state.failures <= 14
    assert len(fake.requests) - asked <= 2 * state.failures

    fake.heal()
    fake.change(task, sg_priority_1="1_Tier")
    tracked.wait(tracked.shotgrid.backoff_max_s + 1)
    assert tracked.job(job).tracked_priority == 90
    assert (tracked.tracker.state().error, tracked.tracker.state().stale) == (None, False)


def test_a_site_that_hangs_costs_the_time_out_and_no_more(tracked: TrackedFarm, fake: FakeShotGrid, job: int) -> None:
    fake.hang(10)
    started_s = time.perf_counter()
    tracked.follow()
    took_s = time.perf_counter() - started_s

    assert TIMEOUT_S <= took_s < TIMEOUT_S + 2.0
    assert tracked.tracker.state().error == "ShotGrid does not answer in time (shotgrid.timeout_s)."
    assert tracked.job(job).tracked_priority == 60


def test_the_farm_goes_on_while_the_site_hangs(tmp_path: Path, fake: FakeShotGrid, task: dict[str, Any]) -> None:
    farm = TrackedFarm(tmp_path, fake, timeout_s=60.0)
    worker = farm.join()
    job = farm.submit(renderer="null", tracking={"task_id": task["id"]})
    farm.follow()
    fake.hang(10)
    asked = len(fake.requests)

    async def scenario() -> None:
        farm.clock.advance(farm.shotgrid.sync_interval_s)
        await farm.following.poll()
        while len(fake.requests) == asked:  # noqa: ASYNC110  the site tells nobody that it was asked
            await asyncio.sleep(0.001)
        await farm.tick.run()
        await farm.following.poll()  # one is enough

    farm.run(scenario())

    assert farm.tracker.state().syncing
    assert [lease.job for lease in farm.sync(worker, want=1).leases] == [f"{job:05d}"]
    assert farm.job(job).status == JobStatus.RUNNING
    assert len(fake.requests) == asked + 1
    farm.close()


def test_a_site_that_says_when_is_not_asked_before(tracked: TrackedFarm, fake: FakeShotGrid, job: int) -> None:
    fake.fail(429, headers={"Retry-After": "900"})
    tracked.follow()
    asked = len(fake.requests)
    for _minute in range(14):
        tracked.tracker.ask()
        tracked.wait(60)
    assert len(fake.requests) == asked

    tracked.wait(70)
    assert len(fake.requests) > asked
    assert tracked.tracker.state().error is None


def test_asking_is_heard_during_a_pause_but_not_all_the_time(
    tracked: TrackedFarm, fake: FakeShotGrid, job: int
) -> None:
    fake.fail(500, 10_000)
    tracked.wait(HOUR_S)
    asked = len(fake.requests)
    for _second in range(20):
        tracked.tracker.ask()
        tracked.wait(1)

    assert 4 <= len(fake.requests) - asked <= 5


def test_a_wrong_key_is_told_plainly_and_asked_for_rarely(
    tracked: TrackedFarm,
    fake: FakeShotGrid,
    task: dict[str, Any],
    job: int,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.api_key = "another"
    asked = len(fake.requests)
    tracked.wait(HOUR_S)
    state = tracked.tracker.state()

    assert state.error == "ShotGrid refuses the script: Can't authenticate script 'outfield'"
    assert state.error_code == "tracker_denied"
    assert len(fake.requests) - asked <= 2 * HOUR_S / tracked.shotgrid.backoff_max_s
    assert tracked.job(job).tracked_priority == 60
    said = caplog.text + "".join(capsys.readouterr()) + repr(state) + repr(tracked.shotgrid)
    assert FakeShotGrid.api_key not in said

    fake.api_key = FakeShotGrid.api_key
    tracked.tracker.ask()
    tracked.wait(10)
    assert tracked.tracker.state().error is None


def test_a_field_that_vanishes_is_done_without(
    tracked: TrackedFarm, fake: FakeShotGrid, task: dict[str, Any], job: int
) -> None:
    described = fake.site.schema["Task"].pop("sg_priority_1")
    fake.change(task, sg_status_list="ip")
    tracked.follow()

    assert tracked.tracker.state().error is None
    assert "Task.sg_priority_1" in tracked.tracker.state().missing
    assert tracked.job(job).tracked_priority is None

    fake.site.schema["Task"]["sg_priority_1"] = described
    tracked.wait(tracked.shotgrid.sweep_interval_s + tracked.shotgrid.sync_interval_s)
    assert tracked.job(job).tracked_priority == 60


def test_answers_without_content_delete_nothing(tracked: TrackedFarm, fake: FakeShotGrid, job: int) -> None:
    fake.garble(10_000, body=b'{"results": {}}')
    tracked.wait(HOUR_S)

    assert tracked.job(job).tracked_priority == 60
    assert not any(entity.gone for entity in tracked.remembered().entities.values())


@pytest.mark.parametrize("skew_s", [-10 * 86_400.0, 10 * 86_400.0])
def test_a_clock_that_is_wrong_changes_nothing(
    tracked: TrackedFarm, fake: FakeShotGrid, task: dict[str, Any], job: int, skew_s: float
) -> None:
    fake.site.clock_skew_s = skew_s
    fake.change(task, sg_priority_1="1_Tier", due_date="2026-12-05")
    tracked.wait(tracked.shotgrid.sync_interval_s + 1)

    assert tracked.job(job).tracked_priority == 90
    assert tracked.tracker.state().age_s == pytest.approx(0, abs=2)


def test_a_long_backlog_is_caught_up_with(
    tracked: TrackedFarm, fake: FakeShotGrid, task: dict[str, Any], job: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.priorities.reading.EVENT_PAGE", 10)
    monkeypatch.setattr("scheduler.priorities.reading.EVENT_PAGES_MAX", 3)
    fake.down = True
    for number in range(120):
        fake.change(task, sg_status_list=("ip", "rdy")[number % 2])
    fake.change(task, sg_priority_1="1_Tier")
    tracked.follow()
    fake.heal()
    tracked.follow()

    assert tracked.job(job).tracked_priority == 90


def test_a_failure_half_way_leaves_nothing_half_known(
    tracked: TrackedFarm, fake: FakeShotGrid, task: dict[str, Any], job: int
) -> None:
    before = tracked.remembered().entities
    fake.change(task, sg_priority_1="1_Tier")
    tracked.submit(renderer="null", tracking={"project": "Alpha", "shot": "sh404"})
    fake.requests.clear()
    tracked.fake.fail(503, method="read")  # the events …
    tracked.follow()
    assert tracked.remembered().entities == before
    assert tracked.job(job).tracked_priority == 60

    tracked.follow()
    assert tracked.job(job).tracked_priority == 90


def test_nobody_waits_for_a_site_that_hangs_when_the_farm_ends(
    tracked: TrackedFarm, fake: FakeShotGrid, job: int
) -> None:
    lane, released, begun = Lane("hanging"), fake.released, threading.Event()

    def hang() -> None:
        begun.set()
        released.wait(30)

    async def scenario() -> None:
        waiting = asyncio.create_task(lane.run(hang))
        await asyncio.to_thread(begun.wait, 5)
        waiting.cancel()

    tracked.run(scenario())
    assert lane.close(0.01) is False
    released.set()
    assert lane.close(5.0) is True


def test_an_error_in_the_lane_is_the_callers(tracked: TrackedFarm) -> None:
    lane = Lane("failing")

    with pytest.raises(ZeroDivisionError):
        tracked.run(lane.run(lambda: 1 // 0))
    assert tracked.run(lane.run(lambda: 7)) == 7
    assert lane.close(5.0)
