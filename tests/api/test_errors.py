"""Errors: one envelope, the right status, words that help, and a bug never shows its insides."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import structlog
from api_client import ServedFarm

from scheduler import errors
from scheduler.api.errors import error_answer, status_of
from scheduler.domain.frames import FrameSyntaxError
from scheduler.domain.states import InvalidTransition, JobEvent, JobStatus
from scheduler.errors import Conflict, Denied, NotFound, OutfieldError, Refused, StaleAttempt, Unavailable
from scheduler.service import controlling

KINDS = [kind for _name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, OutfieldError)]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused(), 422),
        (Refused(code="not_json"), 400),
        (Refused(code="body_too_large"), 413),
        (NotFound(), 404),
        (Conflict(), 409),
        (StaleAttempt(), 409),
        (Denied(), 403),
        (Denied(code="unauthenticated"), 401),
        (Unavailable(), 503),
        (Unavailable(code="shutting_down"), 503),
        (Unavailable(code="storage_full"), 507),
        (Unavailable(code="rate_limited", details={"retry_after_s": 0.2}), 429),
    ],
)
def test_status(error: OutfieldError, status: int) -> None:
    assert status_of(error) == status
    assert ("retry-after" in error_answer(error).headers) is (status in (429, 503, 507))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_to_do_next(kind: type[OutfieldError]) -> None:
    error = kind()

    assert error.message.endswith(".")
    assert error.hint.endswith(".") or "`" in error.hint


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "route_unknown"),
        ("GET", "/jobs/", 404, "route_unknown"),
        ("PUT", "/jobs", 405, "method_not_allowed"),
        ("GET", "/new_job", 405, "method_not_allowed"),
        ("GET", "/jobs?limit=x", 422, "invalid_request"),
        ("GET", "/jobs?limit=0", 422, "invalid_field"),
        ("DELETE", "/jobs", 422, "invalid_request"),
        ("GET", "/jobs?status=SLEEPING", 422, "invalid_field"),
        ("GET", "/jobs?cursor=x", 422, "invalid_field"),
        ("GET", "/jobs/99999", 404, "job_unknown"),
        ("GET", "/jobs/" + "9" * 40, 404, "job_unknown"),
        ("GET", "/jobs/٣", 404, "job_unknown"),
        ("GET", "/tasks/x", 404, "task_unknown"),
        ("GET", "/workers/nobody", 404, "worker_unknown"),
        ("GET", "/blobs/xyz", 404, "blob_unknown"),
        ("PUT", "/blobs/xyz", 422, "invalid_hash"),
    ],
)
def test_refusals_in_the_envelope(shared_farm: ServedFarm, method: str, path: str, status: int, code: str) -> None:
    response = shared_farm.call(method, path)
    body = response.json()

    assert (response.status_code, body["data"]["code"]) == (status, code)
    assert set(body) == {"data", "message"}
    assert set(body["data"]) == {"code", "details", "hint"}
    assert body["message"]


def test_405_names_every_method(shared_farm: ServedFarm) -> None:
    assert shared_farm.call("PATCH", "/jobs/00001").headers["allow"] == "DELETE, GET"
    assert shared_farm.call("GET", f"/workers/{shared_farm.worker}/sync").headers["allow"] == "POST"


def test_a_bug_gives_500_with_the_number_that_is_in_the_log(
    shared_farm: ServedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: Any) -> None:
        raise RuntimeError("secret insides")

    monkeypatch.setattr(controlling, "pause_job", broken)
    with structlog.testing.capture_logs() as logs:
        response = shared_farm.call("POST", "/jobs/1/pause")

    body = response.json()
    assert (response.status_code, body["data"]["code"]) == (500, "internal_error")
    assert "secret" not in response.text
    assert logs[-1]["error_id"] == body["data"]["details"]["error_id"]
    assert isinstance(logs[-1]["exc_info"], RuntimeError)
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_bug_on_the_hot_road_too(shared_farm: ServedFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_arguments: Any) -> None:
        raise RuntimeError("secret insides")

    monkeypatch.setattr(shared_farm.leasing, "sync", broken)
    response = shared_farm.call("POST", f"/workers/{shared_farm.worker}/sync", "worker", json={})

    assert (response.status_code, response.json()["data"]["code"]) == (500, "internal_error")


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (FrameSyntaxError("what is this", 3), 422, "invalid_frames"),
        (InvalidTransition(JobStatus.SUCCEEDED, JobEvent.PAUSE), 409, "conflict"),
        (Unavailable("The disk is full.", code="storage_full"), 507, "storage_full"),
    ],
)
def test_errors_of_other_rooms_are_mapped(
    shared_farm: ServedFarm, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int, code: str
) -> None:
    async def refusing(*_arguments: Any) -> None:
        raise raised

    monkeypatch.setattr(controlling, "pause_job", refusing)
    response = shared_farm.call("POST", "/jobs/1/pause")

    assert (response.status_code, response.json()["data"]["code"]) == (status, code)


def test_while_stopping_health_says_so(served: ServedFarm) -> None:
    served.services.stopping = True

    assert served.call("GET", "/healthz", "none").status_code == 503
    assert served.call("GET", "/events").status_code == 503
