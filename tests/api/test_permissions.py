"""Every route × every caller equals the written table. Nothing is open by oversight."""

from __future__ import annotations

import re

import pytest
from api_client import MATRIX_ROLES, ServedFarm
from starlette.routing import Mount

from scheduler.addons.packing import build
from scheduler.api.app import route_keys
from scheduler.api.permissions import ANYONE, PERMISSIONS
from scheduler.service.identity import Role

ANONYMOUS = {"GET /ca.pem", "GET /healthz", "GET /openapi.json", "GET /docs", "POST /workers"}
ANONYMOUS |= {"GET /addons", "GET /addons/index.json", "GET /addons/{file}"}
FILLED = {
    "job": "99999",
    "task": "99999",
    "frame": "1",
    "hash": "0" * 64,
    "attempt": "1.1",
    "name": "a.png",
    "token": "x",
    "message": "99999",
    "version": "99999",
    "user": "nobody",
    "file": build("blender").addon.file_name,
}
REFUSED = {401, 403}


def address(farm: ServedFarm, key: str) -> tuple[str, str]:
    """A route's method and an address that leads to it; workers are the one that calls."""
    method, _, path = key.partition(" ")
    filled = {**FILLED, "worker": farm.worker}
    return method, re.sub(r"\{(\w+)\}", lambda match: filled[match[1]], path)


def test_the_table_names_every_route_and_nothing_else(shared_farm: ServedFarm) -> None:
    hot_road = "POST /workers/{worker}/sync"

    assert {*route_keys(shared_farm.app.api), hot_road} == set(PERMISSIONS)


def test_only_these_are_anonymous(shared_farm: ServedFarm) -> None:
    assert {key for key, allowed in PERMISSIONS.items() if allowed is ANYONE} == ANONYMOUS
    assert [route.path for route in shared_farm.app.api.router.routes if isinstance(route, Mount)] == ["/docs/static"]


def test_the_document_tells_every_route_with_its_roles(shared_farm: ServedFarm) -> None:
    paths = shared_farm.call("GET", "/openapi.json", "none").json()["paths"]
    told = {f"{method.upper()} {path}": call for path, calls in paths.items() for method, call in calls.items()}

    assert set(told) == set(PERMISSIONS) - {"GET /docs", "GET /openapi.json", "GET /ca.pem"}
    for key, call in told.items():
        allowed = PERMISSIONS[key]
        assert call["security"] == ([] if allowed is ANYONE else [{"bearer": []}, {"token": []}]), key
        assert call.get("x-roles", []) == sorted(allowed or ()), key


@pytest.mark.parametrize("role", MATRIX_ROLES)
@pytest.mark.parametrize("key", [key for key in PERMISSIONS if key != "GET /events"])
def test_matrix(shared_farm: ServedFarm, key: str, role: str) -> None:
    method, path = address(shared_farm, key)
    allowed = PERMISSIONS[key]
    hello = {"join": "WRONG", "name": "w", "capabilities": {"vcpus": 1, "memory_gib": 1}}

    response = shared_farm.call(method, path, role, **({"json": hello} if key == "POST /workers" else {}))

    if key == "POST /workers":
        assert response.json()["data"]["code"] == "join_code_invalid"
    elif allowed is ANYONE:
        assert response.status_code == (404 if key == "GET /ca.pem" else 200)  # this farm serves plain HTTP
    elif role in ("none", "wrong"):
        assert response.status_code == 401
    elif Role(role) in allowed:
        assert response.status_code not in REFUSED
    else:
        assert response.status_code == 403
    assert response.status_code < 500


def test_the_event_stream_is_closed_to_others(shared_farm: ServedFarm) -> None:
    statuses = {role: shared_farm.call("GET", "/events", role).status_code for role in ("none", "wrong", "worker")}

    assert statuses == {"none": 401, "wrong": 401, "worker": 403}


@pytest.mark.parametrize("header", ["Bearer ", "Basic dXNlcjpwYXNz", "Bearer ofd_", "ofd_x_y", "Bearer \x80\xff"])
def test_a_broken_credential_is_none(shared_farm: ServedFarm, header: str) -> None:
    response = shared_farm.call("GET", "/jobs", "none", headers={"Authorization": header.encode("latin-1")})

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_both_headers_carry_a_token(shared_farm: ServedFarm) -> None:
    token = shared_farm.tokens["user"]

    assert shared_farm.call("GET", "/jobs", "none", headers={"X-API-Token": token}).status_code == 200
    assert shared_farm.call("GET", "/jobs", "none", headers={"authorization": f"bearer {token}"}).status_code == 200


def test_a_worker_may_speak_only_for_itself(served: ServedFarm) -> None:
    other, _token = served.hire("other")

    response = served.call("POST", f"/workers/{other}/sync", "worker", json={})

    assert (response.status_code, response.json()["data"]["code"]) == (403, "other_worker")
