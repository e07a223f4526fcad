"""Users' points over HTTP: off by default, granted, spent, given back, and never below nothing."""

from __future__ import annotations

import asyncio

import pytest
from api_client import DATABASE, ServedFarm
from points import deal_in_points

from scheduler.errors import Conflict
from scheduler.service.economy import boost_job, grant_points
from scheduler.store.engine import sqlite_module
from scheduler.store.tables import Job


@pytest.fixture
def dealing(served: ServedFarm) -> ServedFarm:
    deal_in_points(served, boost_cost_points=2.0, boost_max=20.0)
    return served


@pytest.mark.parametrize(
    ("method", "path", "role", "body"),
    [
        ("GET", "/users", "user", None),
        ("GET", "/users/user", "user", None),
        ("POST", "/users/user/grant", "admin", {"points": 5}),
        ("POST", "/jobs/{job}/boost", "user", {"points": 5}),
    ],
)
def test_it_is_off_until_a_setting_says_otherwise(served, method, path, role, body) -> None:
    job = served.post_job()
    answer = served.call(method, path.format(job=job), role, json=body)
    assert answer.status_code == 409
    assert answer.json()["data"]["code"] == "economy_off"
    assert answer.json()["data"]["details"] == {"setting": "economy.enabled"}
    assert "[economy]" in answer.json()["data"]["hint"]


def test_points_are_granted_spent_and_shown(dealing: ServedFarm) -> None:
    job = dealing.post_job()
    granted = dealing.data("POST", "/users/user/grant", "admin", json={"points": 30, "note": "welcome"})
    boosted = dealing.data("POST", f"/jobs/{job}/boost", json={"points": 10})
    account = dealing.data("GET", "/users/user")
    listed = {row["user"]: row for row in dealing.data("GET", "/users")}
    page = dealing.call("GET", "/users/user?limit=1")
    older = dealing.data("GET", f"/users/user?limit=1&cursor={page.headers['X-Next-Cursor']}")

    assert granted["balance"] == 30
    assert boosted == {"jobID": job, "user": "user", "spent": 10, "boost": 5, "balance": 20}
    assert (account["balance"], account["granted"], account["spent"]) == (20, 30, 10)
    assert [(entry["kind"], entry["points"], entry["balance"]) for entry in account["entries"]] == [
        ("SPENT", -10, 20),
        ("GRANTED", 30, 30),
    ]
    assert account["entries"][0]["jobID"] == job
    assert {"admin", "user"} <= set(listed)
    assert listed["admin"]["balance"] == 0
    assert [entry["kind"] for entry in older["entries"]] == ["GRANTED"]
    assert {row["jobID"]: row["effective"]["boost"] for row in dealing.data("GET", "/priorities")["jobs"]} == {job: 5}


@pytest.mark.parametrize(
    ("points", "status", "code"),
    [(31, 409, "too_few_points"), (0, 422, "invalid_field"), (-5, 422, "invalid_field"), (1e300, 422, "invalid_field")],
)
def test_what_cannot_be_spent_changes_nothing(dealing: ServedFarm, points, status, code) -> None:
    job = dealing.post_job()
    dealing.data("POST", "/users/user/grant", "admin", json={"points": 30})
    answer = dealing.call("POST", f"/jobs/{job}/boost", json={"points": points})
    assert (answer.status_code, answer.json()["data"]["code"]) == (status, code)
    assert dealing.data("GET", "/users/user")["balance"] == 30


def test_a_boost_has_a_cap_and_needs_a_living_job(dealing: ServedFarm) -> None:
    job = dealing.post_job()
    dealing.data("POST", "/users/user/grant", "admin", json={"points": 100})
    dealing.data("POST", f"/jobs/{job}/boost", json={"points": 39})
    over = dealing.call("POST", f"/jobs/{job}/boost", json={"points": 2})
    dealing.data("POST", f"/jobs/{job}/cancel")
    dead = dealing.call("POST", f"/jobs/{job}/boost", json={"points": 1})

    assert (over.status_code, over.json()["data"]["code"]) == (422, "boost_cap")
    assert "At most 1 more" in over.json()["message"]
    assert (dead.status_code, dead.json()["data"]["code"]) == (409, "job_state")
    assert dealing.call("POST", "/jobs/99999/boost", json={"points": 1}).status_code == 404


def test_unknown_users_get_nothing(dealing: ServedFarm) -> None:
    assert dealing.call("POST", "/users/nobody/grant", "admin", json={"points": 1}).status_code == 404
    assert dealing.call("GET", "/users/nobody").status_code == 404
    assert "nobody" not in {row["user"] for row in dealing.data("GET", "/users")}


@pytest.mark.parametrize("how", ["cancel", "remove"])
def test_points_come_back_when_a_job_never_started(dealing: ServedFarm, how: str) -> None:
    job = dealing.post_job()
    for user in ("user", "admin"):
        dealing.data("POST", f"/users/{user}/grant", "admin", json={"points": 10})
        dealing.data("POST", f"/jobs/{job}/boost", user, json={"points": 6})
    dealing.data(*(("POST", f"/jobs/{job}/cancel") if how == "cancel" else ("DELETE", f"/jobs/{job}")))

    for user in ("user", "admin"):
        account = dealing.data("GET", f"/users/{user}")
        assert (account["balance"], account["spent"]) == (10, 0)
        assert account["entries"][0]["kind"] == "REFUNDED"
    with dealing.store.read() as session:
        assert session.get(Job, int(job)).boost == 0.0


def test_a_job_that_has_started_keeps_what_was_spent(dealing: ServedFarm) -> None:
    job = dealing.post_job()
    dealing.data("POST", "/users/user/grant", "admin", json={"points": 10})
    dealing.data("POST", f"/jobs/{job}/boost", json={"points": 6})
    assert dealing.lease()
    dealing.data("POST", f"/jobs/{job}/cancel")
    assert dealing.data("GET", "/users/user")["balance"] == 4


def test_the_same_key_spends_once(dealing: ServedFarm) -> None:
    job = dealing.post_job()
    grants = [
        dealing.call("POST", "/users/user/grant", "admin", json={"points": 10}, headers={"Idempotency-Key": "g"})
        for _ in range(2)
    ]
    spends = [
        dealing.call("POST", f"/jobs/{job}/boost", json={"points": 6}, headers={"Idempotency-Key": "s"})
        for _ in range(2)
    ]
    other = dealing.call("POST", f"/jobs/{job}/boost", json={"points": 1}, headers={"Idempotency-Key": "s"})

    assert grants[0].content == grants[1].content
    assert spends[0].content == spends[1].content
    assert other.json()["data"]["code"] == "idempotency_conflict"
    assert dealing.data("GET", "/users/user")["balance"] == 4


def test_fifty_at_once_cannot_spend_what_ten_have(dealing: ServedFarm) -> None:
    job = int(dealing.post_job())

    async def rush() -> list[object]:
        await grant_points(dealing.farm, "user", 10.0, "admin")
        spends = [boost_job(dealing.farm, "user", job, 1.0) for _ in range(50)]
        return await asyncio.gather(*spends, return_exceptions=True)

    outcomes = dealing.run(rush())
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 10
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Conflict)} == {"too_few_points"}
    assert dealing.data("GET", "/users/user")["balance"] == 0


def test_the_table_itself_refuses_a_debt(dealing: ServedFarm) -> None:
    sqlite = sqlite_module()
    database = sqlite.connect(dealing.settings.server.data / DATABASE)
    with database, pytest.raises(sqlite.IntegrityError, match="balance_not_negative"):
        database.execute("INSERT INTO points_account (user, balance) VALUES ('x', -0.01)")
    database.close()


def test_a_worker_rates_itself_and_an_admin_anyone(served: ServedFarm) -> None:
    other, _token = served.hire("w2")
    bench = {"vcpus": 8, "kernel": {"rating": 1.5}}
    rated = served.data("POST", f"/workers/{served.worker}/rating", "worker", json={"rating": 1.5, "bench": bench})

    assert (rated["rating"], rated["rated_at"] is not None) == (1.5, True)
    assert rated["capabilities"]["details"]["bench"] == {**bench, "rating": 1.5}
    assert served.data("POST", f"/workers/{other}/rating", "admin", json={"rating": 0.5})["rating"] == 0.5
    assert served.call("POST", f"/workers/{other}/rating", "worker", json={"rating": 9}).status_code == 403
    assert served.call("POST", f"/workers/{other}/rating", "admin", json={"rating": 0}).status_code == 422
    assert served.call("POST", "/workers/nobody/rating", "admin", json={"rating": 1}).status_code == 404


def test_reliability_is_shown(served: ServedFarm) -> None:
    worker = served.data("GET", f"/workers/{served.worker}")
    assert (worker["succeeded"], worker["failed"], worker["reliability"], worker["owner"]) == (0, 0, 0.95, "")
