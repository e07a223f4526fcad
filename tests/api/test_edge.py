"""The outer gate: Host, Origin, headers, sizes, rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from api_client import HOST, ServedFarm
from hypothesis import given
from hypothesis import strategies as st

from scheduler.api import hosts
from scheduler.api.hosts import allowed_hosts, host_and_port, is_own_origin
from scheduler.api.rates import CALLERS_MAX, Buckets

FORGED = ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "", "127.0.0.1:80a",
          "localhost:8000, evil.example", "[::1", "127.0.0.2"]  # fmt: skip
GOOD = [HOST, "localhost:8000", "LOCALHOST", "[::1]:8000", "127.0.0.1"]
ROUTES = ["/healthz", "/jobs", "/docs", "/openapi.json", "/docs/static/docs-page/init.js", "/nowhere"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("host", FORGED)
def test_a_forged_host_is_refused_everywhere(shared_farm: ServedFarm, host: str, path: str) -> None:
    response = shared_farm.call("GET", path, headers={"Host": host})

    assert (response.status_code, response.json()["data"]["code"]) == (403, "bad_host")


@pytest.mark.parametrize("host", GOOD)
def test_its_own_names_are_answered(shared_farm: ServedFarm, host: str) -> None:
    assert shared_farm.call("GET", "/healthz", "none", headers={"Host": host}).status_code == 200


def test_the_hot_road_is_behind_the_same_gate(shared_farm: ServedFarm) -> None:
    path = f"/workers/{shared_farm.worker}/sync"

    assert shared_farm.call("POST", path, "worker", json={}, headers={"Host": "evil.example"}).status_code == 403
    assert (
        shared_farm.call("POST", path, "worker", json={}, headers={"Origin": "http://evil.example"}).status_code == 403
    )
    assert shared_farm.call("POST", path, "worker", json={}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9000", "https://localhost", "x", ""]
)
def test_another_sites_page_is_refused(shared_farm: ServedFarm, origin: str, method: str) -> None:
    response = shared_farm.call(method, "/jobs", headers={"Origin": origin})

    assert (response.status_code, response.json()["data"]["code"]) == (403, "bad_origin")
    assert "access-control-allow-origin" not in response.headers


def test_its_own_page_is_answered(shared_farm: ServedFarm) -> None:
    assert shared_farm.call("GET", "/jobs", headers={"Origin": f"http://{HOST}"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://farm", "farm:80", True),
        ("https://farm", "farm", True),
        ("https://farm:8443", "farm:8443", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://farm:8000/", "farm:8000", True),
        ("http://farm:8000/path", "farm:8000", False),
        ("file://farm", "farm", False),
        ("http://user@farm", "farm", False),
        ("http://farm:8000", "farm", False),
    ],
)
def test_own_origin(origin: str, host: str, own: bool) -> None:
    assert is_own_origin(origin, host) is own


@given(st.text(max_size=60))
def test_any_host_header_is_taken_apart_or_refused(text: str) -> None:
    parts = host_and_port(text)

    assert parts is None or (parts[0] == parts[0].lower() != "" and (parts[1] == "" or parts[1].isdigit()))


def test_a_server_on_all_addresses_answers_to_the_machines_own_names() -> None:
    own = ("render01", "10.0.0.5")

    assert allowed_hosts("0.0.0.0", (), own) >= {"render01", "10.0.0.5", "localhost"}
    assert "10.0.0.5" not in allowed_hosts("127.0.0.1", (), own)
    assert "farm.studio" in allowed_hosts("127.0.0.1", ("Farm.Studio",), own)
    assert "192.168.1.5" in allowed_hosts("192.168.1.5", (), own)


def test_the_machine_knows_its_own_addresses() -> None:
    assert "127.0.0.1" in hosts.own_names()


def test_a_name_from_the_settings_is_answered(tmp_path: Path) -> None:
    farm = ServedFarm(tmp_path, server={"allowed_hosts": ("farm.studio",)})

    assert farm.call("GET", "/healthz", "none", headers={"Host": "farm.studio:8000"}).status_code == 200
    farm.close()


@pytest.mark.parametrize("path", ["/healthz", "/jobs", "/nowhere", "/docs", "/docs/static/docs-page/init.js"])
def test_every_answer_is_protected(shared_farm: ServedFarm, path: str) -> None:
    headers = shared_farm.call("GET", path).headers

    assert headers["content-security-policy"].startswith("default-src 'self'; frame-ancestors 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    if headers["content-type"] == "application/json":
        assert headers["cache-control"] == "no-store"


def test_a_body_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    farm = ServedFarm(tmp_path, body_max_bytes=2000)
    jobs = len(farm.data("GET", "/jobs"))

    announced = farm.call("POST", "/new_job", json={"name": "x", "metadata": {"a": "x" * 3000}})

    async def chunks() -> object:
        for _ in range(10):
            yield b'{"name": "' + b"x" * 500

    streamed = farm.call("POST", "/new_job", content=chunks())
    sync = farm.call("POST", f"/workers/{farm.worker}/sync", "worker", content=b" " * 3000)

    for response in (announced, streamed, sync):
        assert (response.status_code, response.json()["data"]["code"]) == (413, "body_too_large")
    assert len(farm.data("GET", "/jobs")) == jobs
    farm.close()


def test_whoever_asks_too_fast_waits(tmp_path: Path) -> None:
    farm = ServedFarm(tmp_path, requests_per_s_max=1.0, requests_burst_max=5)
    statuses = [farm.call("GET", "/jobs").status_code for _ in range(7)]
    refused = farm.call("GET", "/jobs")

    assert statuses == [200] * 5 + [429] * 2
    assert refused.json()["data"]["code"] == "rate_limited"
    assert int(refused.headers["retry-after"]) >= 1
    assert farm.call("GET", "/jobs", "admin").status_code == 200, "each token has a bucket of its own"
    worker = [farm.call("POST", f"/workers/{farm.worker}/sync", "worker", json={}).status_code for _ in range(20)]
    assert worker == [200] * 20, "the scheduler itself sets a worker's rhythm"
    farm.clock.advance(2.0)
    assert [farm.call("GET", "/jobs").status_code for _ in range(3)] == [200, 200, 429]
    farm.close()


def test_guessing_tokens_does_not_dodge_the_rate(tmp_path: Path) -> None:
    farm = ServedFarm(tmp_path, requests_burst_max=5, requests_per_s_max=0.001)
    headers = [{"Authorization": f"Bearer ofd_{number:012d}_x"} for number in range(8)]

    assert farm.call("GET", "/jobs", "none", headers=headers[0]).status_code in (401, 429)
    assert [farm.call("GET", "/jobs", "none", headers=h).status_code for h in headers][-1] == 429
    farm.close()


@given(st.lists(st.floats(min_value=0, max_value=2), max_size=80))
def test_a_bucket_never_grants_more_than_burst_plus_rate(pauses: list[float]) -> None:
    buckets, now, granted = Buckets(2.0, 4), 0.0, 0
    for pause in pauses:
        now += pause
        granted += buckets.wait_s("caller", now) == 0.0

    assert granted <= 4 + 2.0 * now + 1e-6


def test_buckets_are_bounded() -> None:
    buckets = Buckets(1.0, 1)
    for number in range(CALLERS_MAX + 5):
        buckets.wait_s(str(number), 0.0)

    assert len(buckets._buckets) == CALLERS_MAX


@pytest.mark.parametrize(
    "headers", [[(b"host", b"evil.example")], [(b"host", b"127.0.0.1"), (b"origin", b"http://evil.example")], []]
)
def test_a_websocket_is_behind_the_same_gate(shared_farm: ServedFarm, headers: list[tuple[bytes, bytes]]) -> None:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": headers}
    shared_farm.run(shared_farm.app(scope, None, send))  # type: ignore[arg-type]

    assert said == [{"type": "websocket.close", "code": 1008}]


def test_nul_in_an_address_is_refused(shared_farm: ServedFarm) -> None:
    for path in ("/jobs/%00", "/jobs?user=%00"):
        response = shared_farm.call("GET", path)
        assert (response.status_code, response.json()["data"]["code"]) == (400, "invalid_path")
