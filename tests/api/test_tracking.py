"""Asking for a sync over HTTP: answered at once, whatever the site does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_client import ServedFarm
from fake_shotgrid import FakeShotGrid, fake_shotgrid
from tracked_farm import site_settings

from scheduler.priorities.syncing import Tracker
from scheduler.service.following import Following
from scheduler.store.tables import Job


@pytest.fixture
def fake() -> Iterator[FakeShotGrid]:
    with fake_shotgrid() as site:
        yield site


@pytest.fixture
def following(served: ServedFarm, fake: FakeShotGrid) -> Iterator[Following]:
    """The served farm follows the site."""
    tracker = Tracker(served.store, site_settings(fake), served.clock)
    found = Following(served.farm, tracker)
    setattr(served.app.api.state.scheduler, "following", found)  # noqa: B010  made in bootstrap otherwise
    yield found
    fake.released.set()
    served.run(found.close())


def test_a_sync_that_is_asked_for_comes(served: ServedFarm, fake: FakeShotGrid, following: Following) -> None:
    alpha = fake.add("Project", name="Alpha", sg_priority=77)
    job = served.post_job(renderer="null", tracking={"project": "Alpha"})

    view = served.data("POST", "/priorities/sync")
    assert (view["source"], view["site"], view["stale"]) == ("shotgrid", fake.url, True)
    served.run(following.settled())

    assert (following.view()["age_s"], following.view()["stale"], following.view()["jobs"]) == (0.0, False, 1)
    events = served.data("GET", f"/jobs/{job}/events")
    wish = next(event for event in events if event["kind"] == "job.wish")
    assert wish["data"]["new"]["priority"] == 77
    assert alpha["id"] == 1


def test_it_answers_at_once_while_the_site_hangs(served: ServedFarm, fake: FakeShotGrid, following: Following) -> None:
    fake.hang(20)

    first: dict[str, Any] = served.call("POST", "/priorities/sync").json()
    again: dict[str, Any] = served.call("POST", "/priorities/sync").json()

    assert first["message"] == "The tracker is being asked."
    assert again["data"]["last_success"] is None
    assert len([seen for seen in fake.requests if seen.method != "info"]) <= 1


def test_trouble_is_told_with_the_next_try(served: ServedFarm, fake: FakeShotGrid, following: Following) -> None:
    fake.fail(429, headers={"Retry-After": "600"})
    served.run(following.sync())

    answer = served.call("POST", "/priorities/sync").json()

    assert answer["data"]["error"] == "ShotGrid asks for fewer requests (429)."
    assert answer["message"].startswith("ShotGrid asks for fewer requests (429). It is tried again at 2026-01-01T00:10")
    assert FakeShotGrid.api_key not in str(answer)


def test_a_farm_without_a_tracker_says_so(served: ServedFarm, tmp_path: Path) -> None:
    response = served.call("POST", "/priorities/sync")

    assert response.status_code == 409
    assert response.json()["data"]["code"] == "no_tracker"
    assert "shotgrid.url" in response.json()["data"]["hint"]


def test_why_tells_who_speaks_and_how_old_it_is(served: ServedFarm, fake: FakeShotGrid, following: Following) -> None:
    fake.add("Project", name="Alpha", sg_priority=150)
    job = served.post_job(renderer="null", tracking={"project": "Alpha", "shot": "sh404"})
    served.run(following.sync())
    served.clock.advance(42)

    with served.store.read() as session:
        row = session.get(Job, int(job))
        assert row is not None
        told = following.why(row)

    assert (told["source"], told["age_s"], told["stale"], told["priority"]) == ("shotgrid", 42.0, False, 100)
    assert told["field"] == "Project.sg_priority"
    assert told["says"] == [
        "priority 100 by Project.sg_priority",
        "no Shot 'sh404' in Project Alpha is known from ShotGrid",
        "Project.sg_priority is 150; a priority lies between 0 and 100",
    ]
