"""Workers over HTTP: joining, syncing, draining; and what people see of them."""

from __future__ import annotations

from typing import Any

import pytest
from api_client import ServedFarm

from scheduler.service.identity import Role

MACHINE = {"vcpus": 4, "memory_gib": 8, "renderers": {"null": ["1"]}}


def code(farm: ServedFarm) -> str:
    return farm.run(farm.identity.new_token("code", Role.JOIN))[1]


def test_a_join_code_is_valid_once(served: ServedFarm) -> None:
    hello = {"join": code(served), "name": "w2", "slots": 2, "capabilities": MACHINE}
    first = served.call("POST", "/workers", "none", json=hello)
    again = served.call("POST", "/workers", "none", json=hello)

    assert first.status_code == 201
    assert set(first.json()["data"]) == {"worker", "token", "lease_s", "renew_s", "grace_s", "farm", "certificate"}
    assert (again.status_code, again.json()["data"]["code"]) == (401, "join_code_invalid")


def test_a_lost_welcome_can_be_asked_for_again(served: ServedFarm) -> None:
    hello = {"join": code(served), "name": "w2", "capabilities": MACHINE}
    answers = [served.call("POST", "/workers", "none", json=hello, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert answers[0].status_code == 201
    assert answers[0].content == answers[1].content
    assert len(served.data("GET", "/workers")) == 2


@pytest.mark.parametrize(
    ("spoil", "code_"),
    [
        ({"name": ""}, "invalid_field"),
        ({"protocol": 99}, "protocol_mismatch"),
        ({"pool": "moon"}, "pool_unknown"),
        ({"slots": 0}, "invalid_field"),
        ({"capabilities": {"vcpus": 0, "memory_gib": 1}}, "invalid_field"),
        ({"shoes": 2}, "unknown_field"),
    ],
)
def test_a_bad_hello_does_not_use_up_the_code(served: ServedFarm, spoil: dict[str, Any], code_: str) -> None:
    hello = {"join": code(served), "name": "w2", "capabilities": MACHINE}
    bad = served.call("POST", "/workers", "none", json={**hello, **spoil})

    assert (bad.status_code, bad.json()["data"]["code"]) == (422, code_)
    assert served.call("POST", "/workers", "none", json=hello).status_code == 201


def test_the_admin_makes_a_join_code_with_role_worker(served: ServedFarm) -> None:
    made = served.data("POST", "/tokens", "admin", json={"name": "render room", "role": "worker"})
    hello = {"join": made["token"], "name": "w2", "capabilities": MACHINE}

    assert made["role"] == "join"
    assert made["expires_at"] is not None
    assert served.call("POST", "/workers", "none", json=hello).status_code == 201


def test_tokens_come_and_go(served: ServedFarm) -> None:
    made = served.data("POST", "/tokens", "admin", json={"name": "maria", "user": "maria", "expires_s": 60})
    served.tokens["maria"] = made["token"]

    assert served.call("GET", "/jobs", "maria").status_code == 200
    assert made["token"] not in served.call("GET", "/tokens", "admin").text
    assert served.data("POST", "/new_job", "maria", json={"name": "x"})["user"] == "maria"
    served.clock.advance(61)
    assert served.call("GET", "/jobs", "maria").status_code == 401
    listed = [token["id"] for token in served.data("GET", "/tokens", "admin") if token["name"] == "user"]
    assert served.data("DELETE", f"/tokens/{listed[0]}", "admin") == listed[0]
    assert served.call("GET", "/jobs", "user").status_code == 401
    assert served.call("DELETE", "/tokens/nothing", "admin").status_code == 404


def test_drain_and_enable(served: ServedFarm) -> None:
    served.post_job(renderer="null")
    path = f"/workers/{served.worker}"

    assert served.data("POST", f"{path}/drain", "admin")["status"] == "DRAINING"
    assert served.data("POST", f"{path}/sync", "worker", json={"want": 1})["drain"] is True
    assert served.lease() == []
    assert served.data("POST", f"{path}/enable", "admin")["status"] == "ACTIVE"
    assert len(served.lease()) == 1


def test_the_pool_counts_its_workers(served: ServedFarm) -> None:
    served.post_job(renderer="null", frames="1-5")
    served.lease(2)

    (pool,) = served.data("GET", "/pools")

    assert (pool["pool"], pool["workers"], pool["slots"], pool["running"], pool["ready"]) == ("onprem", 1, 4, 2, 3)
    assert pool["members"] == [served.worker]


def test_last_seen_is_live(served: ServedFarm) -> None:
    served.clock.advance(100)
    served.data("POST", f"/workers/{served.worker}/sync", "worker", json={"load": 0.5})
    served.clock.advance(3)

    (worker,) = served.data("GET", "/workers")

    assert (worker["load"], worker["last_seen_at"]) == (0.5, "2026-01-01T00:01:40.000Z")


def test_a_worker_that_takes_nothing_says_why_and_so_does_the_job(served: ServedFarm) -> None:
    reason = "only 0.3 GiB are free in /scratch"
    served.data("POST", f"/workers/{served.worker}/sync", "worker", json={"blocked": reason})
    job = served.submit()

    assert served.data("GET", f"/workers/{served.worker}")["blocked"] == reason
    assert reason in served.data("GET", f"/jobs/{job}/why")["waiting"][0]["reason"]

    served.data("POST", f"/workers/{served.worker}/sync", "worker", json={})
    assert served.data("GET", f"/workers/{served.worker}")["blocked"] == ""
    assert reason not in served.data("GET", f"/jobs/{job}/why")["waiting"][0]["reason"]


REPORT = b'{"task": %d, "attempt": 1, "secret": "%b", "outcome": "done"}'
BAD_SYNCS = {
    b"": "not_json",
    b"{": "not_json",
    b"\xff": "not_json",
    b"[]": "invalid_request",
    b'{"want": "many"}': "invalid_request",
    b'{"reports": [{"task": 1}]}': "invalid_request",
    b'{"reports": [%b]}' % (REPORT % (10**25, b"x")): "invalid_request",
    b'{"reports": [%b]}' % (REPORT % (1, b"\\u0000")): "invalid_text",
    b'{"reports": [%b]}' % b",".join([REPORT % (1, b"x")] * 257): "too_many_reports",
    b'{"other": ' + b"[" * 50_000 + b"}": "not_json",
}


@pytest.mark.parametrize("body", BAD_SYNCS, ids=range(len(BAD_SYNCS)))
def test_a_bad_sync_is_refused(shared_farm: ServedFarm, body: bytes) -> None:
    response = shared_farm.call("POST", f"/workers/{shared_farm.worker}/sync", "worker", content=body)

    assert response.json()["data"]["code"] == BAD_SYNCS[body]
    assert response.status_code == (400 if BAD_SYNCS[body] == "not_json" else 422)


def test_a_worker_that_is_gone_is_told_to_join_again(served: ServedFarm) -> None:
    del served.farm.live.workers[served.worker]
    response = served.call("POST", f"/workers/{served.worker}/sync", "worker", json={})

    assert (response.status_code, response.json()["data"]["code"]) == (404, "worker_unknown")
