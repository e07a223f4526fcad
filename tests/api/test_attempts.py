"""What workers hand over: files, logs and endings, each behind the fence; and how people see it."""

from __future__ import annotations

import errno
import hashlib
from typing import Any

import pytest
from api_client import ServedFarm

from scheduler.protocol.work import Lease

PIXELS = b"pixels"
DIGEST = hashlib.sha256(PIXELS).hexdigest()


@pytest.fixture
def lease(served: ServedFarm) -> Lease:
    """A task of a one-frame job, held by the first worker."""
    served.post_job(frames="7", max_attempts=3)
    return served.lease()[0]


def put(farm: ServedFarm, lease: Lease, name: str = "0007.png", role: str = "worker", **headers: str) -> Any:
    sent = {"X-Lease-Secret": lease.secret, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return farm.call("PUT", f"/attempts/{lease.task}.{lease.attempt}/files/{name}", role, content=PIXELS, headers=sent)


def completion(lease: Lease, **more: Any) -> dict[str, Any]:
    file = {"name": "0007.png", "size": len(PIXELS), "hash": DIGEST, "kind": "frame", "frame": 7}
    return {"attempt": lease.attempt, "secret": lease.secret, "files": [file], "seconds": 2.5, **more}


def test_stage_and_complete(served: ServedFarm, lease: Lease) -> None:
    staged = put(served, lease, X_Content_SHA256=DIGEST)
    ended = served.call("POST", f"/attempts/{lease.task}.{lease.attempt}/complete", "worker", json=completion(lease))
    served.run(served.publisher.settled())

    assert (staged.status_code, staged.json()["data"]) == (201, {"name": "0007.png", "size": 6, "hash": DIGEST})
    assert (ended.status_code, ended.json()["data"]["status"]) == (202, 202)
    assert served.call("GET", "/jobs/1/frames/7").content == PIXELS
    assert served.data("GET", "/jobs/1")["status"] == "SUCCEEDED"
    (attempt,) = served.data("GET", f"/tasks/{lease.task}")["attempts"]
    assert (attempt["status"], attempt["seconds"], attempt["worker"]) == ("SUCCEEDED", 2.5, served.worker)


def test_the_task_alone_names_the_attempt_too(served: ServedFarm, lease: Lease) -> None:
    body = completion(lease, files=[], failure="user", message="no camera")
    del body["files"]
    ended = served.call("POST", f"/attempts/{lease.task}/fail", "worker", json=body)

    assert ended.status_code == 200
    task = served.data("GET", f"/tasks/{lease.task}")
    assert (task["status"], task["failures"], task["message"]) == ("READY", 1, "no camera")


@pytest.mark.parametrize(
    "spoil",
    [
        {"secret": "another"},
        {"attempt": 2},
        {"attempt": 0},
        {"task": 99},
    ],
)
@pytest.mark.parametrize("ending", ["complete", "fail"])
def test_a_stale_report_gets_409_and_changes_nothing(
    served: ServedFarm, lease: Lease, ending: str, spoil: dict[str, Any]
) -> None:
    body = {"attempt": lease.attempt, "secret": lease.secret, **spoil}
    response = served.call("POST", f"/attempts/{lease.task}.{lease.attempt}/{ending}", "worker", json=body)

    assert (response.status_code, response.json()["data"]["code"]) == (409, "stale_attempt")
    assert served.data("GET", f"/tasks/{lease.task}")["status"] == "LEASED"


def test_a_late_report_replayed_gets_409(served: ServedFarm, lease: Lease) -> None:
    body = {"attempt": lease.attempt, "secret": lease.secret, "failure": "infra", "message": "x"}
    path = f"/attempts/{lease.task}.{lease.attempt}/fail"

    assert [served.call("POST", path, "worker", json=body).status_code for _ in range(2)] == [200, 409]
    assert put(served, lease).status_code == 409


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_field"),
        ({"secret": "x", "seconds": -1}, "invalid_field"),
        ({"secret": "x", "exit_code": 2**40}, "invalid_request"),
        ({"secret": "x", "retry_after_s": 1e300}, "invalid_request"),
        ({"secret": "x", "mesage": "typo"}, "unknown_field"),
        ({"secret": "x", "failure": "bad luck"}, "invalid_field"),
    ],
)
def test_a_bad_report_is_refused(served: ServedFarm, lease: Lease, body: dict[str, Any], code: str) -> None:
    response = served.call("POST", f"/attempts/{lease.task}.{lease.attempt}/fail", "worker", json=body)

    assert (response.status_code, response.json()["data"]["code"]) == (422, code)


def test_a_damaged_upload_is_refused(served: ServedFarm, lease: Lease) -> None:
    response = put(served, lease, X_Content_SHA256="0" * 64)

    assert (response.status_code, response.json()["data"]["code"]) == (422, "hash_mismatch")
    assert not list(served.store.folders.attempt(lease.task, lease.attempt).glob("*"))


@pytest.mark.parametrize("name", ["..", ".hidden", "a%2Fb.png", "..%2F..%2Fx.png", "con.png", "a b.png", "x" * 300])
def test_a_staged_name_is_plain(served: ServedFarm, lease: Lease, name: str) -> None:
    response = put(served, lease, name)

    assert response.status_code in (404, 422)
    assert not [path for path in served.store.folders.staging.rglob("*") if path.is_file()]


def test_the_secret_is_needed(served: ServedFarm, lease: Lease) -> None:
    path = f"/attempts/{lease.task}.{lease.attempt}/files/0007.png"

    assert served.call("PUT", path, "worker", content=PIXELS).status_code == 422
    assert served.call("PUT", path, "worker", content=PIXELS, headers={"X-Lease-Secret": "guess"}).status_code == 409
    assert served.call("PUT", "/attempts/x/files/a.png", "worker", headers={"X-Lease-Secret": "x"}).status_code == 404


# ---- Logs ------------------------------------------------------------------------------------------------------------


def say(farm: ServedFarm, lease: Lease, offset: int, data: bytes) -> Any:
    path = f"/attempts/{lease.task}.{lease.attempt}/log?offset={offset}"
    return farm.call("POST", path, "worker", content=data, headers={"X-Lease-Secret": lease.secret})


def test_a_log_is_followed_by_offset(served: ServedFarm, lease: Lease) -> None:
    assert served.call("GET", f"/tasks/{lease.task}/log").content == b""
    assert say(served, lease, 0, b"one\n").json()["data"] == {"length": 4}
    assert say(served, lease, 0, b"one\ntwo\n").json()["data"] == {"length": 8}

    first = served.call("GET", f"/tasks/{lease.task}/log")
    say(served, lease, 8, "dreißig\n".encode())
    rest = served.call("GET", f"/tasks/{lease.task}/log?attempt=1&offset={first.headers['x-log-next']}")

    assert (first.text, first.headers["x-log-length"]) == ("one\ntwo\n", "8")
    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    assert (rest.text, rest.headers["x-log-length"], rest.headers["x-log-next"]) == ("dreißig\n", "17", "17")
    assert served.call("GET", f"/tasks/{lease.task}/log?offset=99").headers["x-log-next"] == "17"


@pytest.mark.parametrize(("query", "status"), [("attempt=9", 404), ("offset=-1", 422), ("attempt=x", 422)])
def test_a_log_that_is_not_there(served: ServedFarm, lease: Lease, query: str, status: int) -> None:
    assert served.call("GET", f"/tasks/{lease.task}/log?{query}").status_code == status


def test_a_gap_in_a_log_is_refused(served: ServedFarm, lease: Lease) -> None:
    response = say(served, lease, 5, b"late")

    assert (response.status_code, response.json()["data"]["details"]) == (422, {"length": 0})


def test_progress_is_live(served: ServedFarm, lease: Lease) -> None:
    running = [{"task": lease.task, "attempt": 1, "progress": 0.25, "note": "sample 4/16"}]
    served.data("POST", f"/workers/{served.worker}/sync", "worker", json={"running": running})

    task = served.data("GET", f"/tasks/{lease.task}")
    (listed,) = [t for t in served.data("GET", "/jobs/1/tasks") if t["task"] == lease.task]
    (held,) = served.data("GET", f"/workers/{served.worker}")["running"]
    assert (task["progress"], task["note"]) == (listed["progress"], listed["note"]) == (0.25, "sample 4/16")
    assert (held["task"], held["progress"]) == (lease.task, 0.25)


def test_a_log_on_a_full_disk_is_refused_in_words(
    served: ServedFarm, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    path, headers = f"/attempts/{lease.task}.{lease.attempt}/log?offset=0", {"X-Lease-Secret": lease.secret}
    with monkeypatch.context() as patch:
        patch.setattr("scheduler.service.staging._append", full)
        refused = served.call("POST", path, "worker", content=b"line\n", headers=headers)
    taken = served.call("POST", path, "worker", content=b"line\n", headers=headers)

    assert (refused.status_code, refused.json()["data"]["code"]) == (507, "storage_full")
    assert taken.status_code == 200
