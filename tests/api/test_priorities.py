"""Production's wishes against what the farm does, and a person's say over both."""

from __future__ import annotations

from typing import Any

import pytest
from api_client import ServedFarm
from points import track

from scheduler.service.overriding import NO_REASON, expire_overrides

HOUR_S = 3600.0


def rows(farm: ServedFarm, query: str = "") -> dict[str, dict[str, Any]]:
    return {row["jobID"]: row for row in farm.data("GET", f"/priorities{query}")["jobs"]}


def test_a_plain_number_is_the_jobs_own_where_production_has_no_wish(served: ServedFarm) -> None:
    job = served.post_job()
    shown = served.data("POST", f"/jobs/{job}/priority", json={"priority": 80})
    row = rows(served)[job]

    assert shown["priority"] == 80
    assert (row["effective"]["priority"], row["effective"]["source"], row["override"]) == (80, "job", None)


def test_a_number_over_production_s_wish_is_an_override(served: ServedFarm) -> None:
    job = served.post_job(priority=40)
    track(served, job, priority=70, source="Shot.sg_priority")
    assert served.data("GET", f"/jobs/{job}")["priority"] == 70

    served.data("POST", f"/jobs/{job}/priority", json={"priority": 20})
    row = rows(served)[job]

    assert row["wanted"] == {
        "priority": 70, "source": "Shot.sg_priority", "age_s": 0.0, "deadline": None, "hold": None,
    }  # fmt: skip
    assert row["effective"] == {"priority": 20, "source": "override", "own": 40, "deadline": None, "boost": 0.0}
    assert (row["override"]["author"], row["override"]["reason"]) == ("user", NO_REASON)
    assert row["drift"]
    assert served.data("GET", f"/jobs/{job}")["priority"] == 20
    assert served.data("GET", "/jobs")[0]["priority"] == 20


def test_an_override_has_a_reason_an_author_and_an_end(served: ServedFarm) -> None:
    job = served.post_job(priority=40)
    answer = served.call("POST", f"/jobs/{job}/priority", json={"priority": 95, "reason": "client call", "hours": 4})
    override = rows(served)[job]["override"]

    assert "given priority 95, an override until" in answer.json()["message"]
    assert (override["priority"], override["author"], override["reason"]) == (95, "user", "client call")
    served.clock.advance(4 * HOUR_S - 1)
    assert served.run(expire_overrides(served.farm, served.farm.now_s())) == 0
    served.clock.advance(2)
    assert served.run(expire_overrides(served.farm, served.farm.now_s())) == 1
    assert served.run(expire_overrides(served.farm, served.farm.now_s())) == 0
    assert rows(served)[job]["override"] is None
    assert served.data("GET", f"/jobs/{job}")["priority"] == 40
    events = [event for event in served.data("GET", f"/jobs/{job}/events") if event["kind"] == "job.priority"]
    assert [(event["data"]["old"], event["data"]["new"]) for event in events] == [(40, 95), (95, 40)]
    assert events[1]["data"]["reason"] == "the override has expired"


def test_an_end_can_be_a_time(served: ServedFarm) -> None:
    job = served.post_job()
    served.data("POST", f"/jobs/{job}/priority", json={"priority": 9, "expires_at": "2099-01-01T12:00:00Z"})
    assert rows(served)[job]["override"]["expires_at"] == "2099-01-01T12:00:00.000Z"


@pytest.mark.parametrize(
    "body",
    [
        {"priority": 101},
        {"priority": "80"},
        {"priority": 80, "hours": 0},
        {"priority": 80, "hours": 1, "expires_at": "2099-01-01T00:00:00Z"},
        {"priority": 80, "expires_at": "2001-01-01T00:00:00Z"},
        {"priority": 80, "expires_at": "soon"},
        {"priority": 80, "reason": "x" * 501},
        {"priority": 80, "because": "x"},
    ],
)
def test_nonsense_changes_nothing(served: ServedFarm, body: dict[str, Any]) -> None:
    job = served.post_job(priority=40)
    assert served.call("POST", f"/jobs/{job}/priority", json=body).status_code == 422
    assert served.data("GET", f"/jobs/{job}")["priority"] == 40
    assert rows(served)[job]["override"] is None


def test_an_override_is_cleared(served: ServedFarm) -> None:
    job = served.post_job(priority=40)
    assert served.call("DELETE", f"/jobs/{job}/priority").json()["data"]["code"] == "override_unknown"
    served.data("POST", f"/jobs/{job}/priority", json={"priority": 95, "reason": "now"})
    assert served.data("DELETE", f"/jobs/{job}/priority")["priority"] == 40
    assert served.call("DELETE", f"/jobs/{job}/priority").status_code == 404
    assert served.call("DELETE", "/jobs/99999/priority").status_code == 404


def test_the_list_is_in_the_farm_s_order_and_has_pages(served: ServedFarm) -> None:
    jobs = [served.post_job(priority=priority) for priority in (10, 90, 50)]
    paused = served.post_job(paused=True, priority=99)
    first = served.call("GET", "/priorities?limit=3")
    rest = served.call("GET", f"/priorities?limit=3&cursor={first.headers['X-Next-Cursor']}")
    listed = [row["jobID"] for answer in (first, rest) for row in answer.json()["data"]["jobs"]]

    assert listed == [jobs[1], jobs[2], jobs[0], paused]
    assert [row["position"] for row in rows(served).values()] == [1, 2, 3, None]
    assert "X-Next-Cursor" not in rest.headers
    assert first.json()["data"]["total"] == 4
    assert served.call("GET", "/priorities?cursor=x").status_code == 422
    assert served.call("GET", "/priorities?limit=0").status_code == 422


def test_drift_is_flagged_with_its_cause(served: ServedFarm) -> None:
    wanted, other, calm = served.post_job(priority=20), served.post_job(priority=80), served.post_job(priority=10)
    # The farm has not planned with these wishes: it goes by the jobs' own numbers until its next tick.
    track(served, wanted, priority=90)
    track(served, other, priority=30, hold="hld")
    found = rows(served, "?drift=true")
    tracker = served.data("GET", "/priorities")["tracker"]

    assert set(found) == {wanted, other}
    assert calm in rows(served)
    assert "Production holds it back (hld)" in found[other]["why"]
    assert f"It comes after job {other}" in found[wanted]["why"]
    assert tracker == {"source": None, "jobs": 2, "stale": 0, "age_s": 0.0, "stale_after_s": 300.0, "state": None}
    served.clock.advance(301)
    assert served.data("GET", "/priorities")["tracker"]["stale"] == 2


def test_ended_and_removed_jobs_are_not_listed(served: ServedFarm) -> None:
    first, second = served.post_job(), served.post_job()
    served.data("POST", f"/jobs/{first}/cancel")
    served.data("DELETE", f"/jobs/{second}")
    assert rows(served) == {}
    assert served.call("POST", f"/jobs/{second}/priority", json={"priority": 3}).status_code == 404
