"""Progress pictures of running tasks: behind the fence, bounded, and never handed on as they came."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from api_client import ServedFarm

from scheduler.imaging.facts import Verdict
from scheduler.protocol.work import Lease

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels so far"


@pytest.fixture
def lease(served: ServedFarm) -> Lease:
    served.post_job(frames="7", max_attempts=1)
    (lease,) = served.lease()
    return lease


def show(farm: ServedFarm, lease: Lease, content: bytes = PNG, role: str = "worker", **headers: str) -> httpx.Response:
    sent = {"X-Lease-Secret": lease.secret} | headers
    return farm.call("PUT", f"/attempts/{lease.task}.{lease.attempt}/picture", role, content=content, headers=sent)


def task_of(farm: ServedFarm, lease: Lease) -> dict[str, Any]:
    return farm.data("GET", f"/tasks/{lease.task}")


def test_a_task_shows_what_it_looks_like_so_far(served: ServedFarm, lease: Lease) -> None:
    assert task_of(served, lease)["pictured_at"] is None

    assert show(served, lease).json()["data"] == {"taken": True}

    listed = served.data("GET", f"/jobs/{lease.job}/tasks")[0]["pictured_at"]
    assert listed == task_of(served, lease)["pictured_at"] is not None
    looked = served.call("GET", f"/tasks/{lease.task}/preview")
    assert (looked.status_code, looked.headers["content-type"]) == (200, "image/webp")
    assert looked.content == b"webp 640", "what the decoder's child process made of it"


def test_a_newer_picture_takes_its_place(served: ServedFarm, lease: Lease) -> None:
    show(served, lease)
    first = served.call("GET", f"/tasks/{lease.task}/preview")
    again = served.call("GET", f"/tasks/{lease.task}/preview", headers={"If-None-Match": first.headers["etag"]})
    served.clock.advance(10)
    show(served, lease, PNG + b"!")
    newer = served.call("GET", f"/tasks/{lease.task}/preview", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, newer.status_code) == (304, 200)
    asked = [path.read_bytes() for _what, path, *_rest in served.imaging.asked]
    assert asked[-1] == PNG + b"!"
    assert len(asked) == 2, "each picture is decoded once"
    folder = served.store.folders.previews / lease.job
    assert len(list(folder.iterdir())) == 2, "one as it came, one as it is shown"


def test_the_rate_is_bounded(served: ServedFarm, lease: Lease) -> None:
    taken = []
    for _time in range(6):
        taken.append(show(served, lease).json()["data"]["taken"])
        served.clock.advance(served.settings.limits.picture_interval_s / 2 + 0.01)

    assert taken == [True, False, True, False, True, False]


def test_the_size_is_bounded(served: ServedFarm, lease: Lease) -> None:
    most = served.settings.limits.picture_max_bytes

    assert show(served, lease, PNG + b"x" * most).status_code == 413
    assert show(served, lease, PNG.ljust(most, b"x")).status_code == 200


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"GIF89a", b"\x00" * 100])
def test_only_pictures_are_taken(served: ServedFarm, lease: Lease, content: bytes) -> None:
    response = show(served, lease, content)

    assert (response.status_code, response.json()["data"]["code"]) == (422, "invalid_picture")
    assert served.call("GET", f"/tasks/{lease.task}/preview").status_code == 404


def test_only_the_holder_of_the_lease_shows_any(served: ServedFarm, lease: Lease) -> None:
    assert show(served, lease, **{"X-Lease-Secret": "another"}).status_code == 409
    assert [show(served, lease, role=role).status_code for role in ("none", "user", "admin")] == [401, 403, 403]
    assert (
        served.call("PUT", "/attempts/99.1/picture", "worker", content=PNG, headers={"X-Lease-Secret": "x"}).status_code
        == 404
    )
    assert served.call("GET", f"/tasks/{lease.task}/preview", "worker").status_code == 403


def test_a_task_without_one_says_so(served: ServedFarm, lease: Lease) -> None:
    for task, code in ((str(lease.task), "picture_missing"), ("99", "task_unknown"), ("x", "task_unknown")):
        response = served.call("GET", f"/tasks/{task}/preview")
        assert (response.status_code, response.json()["data"]["code"]) == (404, code)


def test_what_cannot_be_decoded_is_not_shown(served: ServedFarm, lease: Lease) -> None:
    show(served, lease)
    for code, status in (("corrupt", 404), ("decoder_unavailable", 503), ("file_missing", 404)):
        served.imaging.verdict = Verdict(False, None, code, "It cannot be decoded.")
        assert served.call("GET", f"/tasks/{lease.task}/preview").status_code == status


def test_it_goes_when_the_frame_is_there_and_stays_when_the_task_failed(served: ServedFarm, lease: Lease) -> None:
    served.post_job(frames="7", max_attempts=1)
    (second,) = served.lease()
    for each in (lease, second):
        show(served, each)
        served.call("GET", f"/tasks/{each.task}/preview")

    async def end() -> None:
        await served.staging.stage_file(lease.task, lease.attempt, lease.secret, "0007.png", _body(), None)
        await served.leasing.report(served.worker, served.finished(lease))
        await served.publisher.settled()

    served.run(end())
    failed = {"task": second.task, "attempt": 1, "secret": second.secret, "outcome": "failed", "message": "no camera"}
    served.data("POST", f"/workers/{served.worker}/sync", "worker", json={"reports": [failed]})

    assert served.call("GET", f"/jobs/{lease.job}/frames/7").status_code == 200
    assert served.call("GET", f"/tasks/{lease.task}/preview").status_code == 404
    assert list((served.store.folders.previews / lease.job).iterdir()) == []
    assert served.call("GET", f"/tasks/{second.task}/preview").status_code == 200


async def _body() -> Any:
    yield b"pixels"
