"""A scene with its files by hash: the farm says what it lacks, takes the job when it lacks nothing, keeps it all."""

from __future__ import annotations

import hashlib
import json

import pytest
from api_client import ServedFarm
from sqlmodel import select

from scheduler.service.keeping import DAY_S, keep_house
from scheduler.store.tables import Job

BLEND = b"BLENDER-v304" + bytes(64) + b"ENDB" + bytes(20)
TEXTURE = b"not looked at"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest(**changed: object) -> bytes:
    files = {"shot/a.blend": sha(BLEND), "tex/b.png": sha(TEXTURE)}
    return json.dumps({"format": 1, "scene": "shot/a.blend", "files": files, "origins": {}} | changed).encode()


def put(farm: ServedFarm, *contents: bytes) -> None:
    for content in contents:
        assert farm.call("PUT", f"/blobs/{sha(content)}", content=content).status_code == 201


def test_the_farm_asks_for_what_it_lacks_and_for_nothing_else(served: ServedFarm) -> None:
    body = {"name": "bundle", "scene": f"bundle:{sha(manifest())}", "frames": "1-2"}
    headers = {"Idempotency-Key": "the-same-throughout"}

    def post():
        return served.call("POST", "/new_job", json=body, headers=headers)

    first = post()
    put(served, manifest())
    second = post()
    put(served, TEXTURE)
    third = post()
    put(served, BLEND)
    job, again = post(), post()

    asked = [answer.json()["data"]["details"]["missing"] for answer in (first, second, third)]
    assert asked == [[sha(manifest())], sorted([sha(BLEND), sha(TEXTURE)]), [sha(BLEND)]]
    assert {answer.json()["data"]["code"] for answer in (first, second, third)} == {"bundle_incomplete"}
    assert job.status_code == 201, job.text
    assert again.json() == job.json(), "a key that was answered is answered the same"
    assert job.json()["data"]["renderer"] == "blender"
    assert job.json()["data"]["scene_version"] == "3.4"


def test_a_worker_is_told_the_manifest_and_the_scene_in_it(served: ServedFarm) -> None:
    put(served, manifest(), TEXTURE, BLEND)
    served.post_job(scene=f"bundle:{sha(manifest())}")
    with served.store.read() as session:
        (scene,) = session.exec(select(Job.scene)).all()
    assert scene == {
        "bundle": sha(manifest()),
        "name": "shot/a.blend",
        "blob_size": len(BLEND) + len(TEXTURE),
        "version": "3.4",
    }


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no manifest", "bundle_damaged"),
        (manifest(scene="x.blend"), "bundle_without_scene"),
        (manifest(files={"shot/a.blend": sha(TEXTURE)}), "scene_not_blend"),
        (manifest(files={"shot/a.blend": sha(BLEND), "../x": sha(TEXTURE)}), "bundle_unsafe_name"),
    ],
)
def test_a_bundle_that_cannot_be_is_refused(served: ServedFarm, content: bytes, code: str) -> None:
    put(served, content, TEXTURE, BLEND)
    answer = served.call("POST", "/new_job", json={"name": "x", "scene": f"bundle:{sha(content)}"})

    assert (answer.status_code, answer.json()["data"]["code"]) == (422, code)
    assert answer.json()["data"]["hint"]


def test_retention_spares_the_files_of_a_waiting_job_and_what_was_used_lately(served: ServedFarm) -> None:
    unused = b"nobody needs this"
    put(served, manifest(), TEXTURE, BLEND, unused)
    job = served.post_job(scene=f"bundle:{sha(manifest())}")
    farm = served.services.farm
    keep_days = farm.settings.farm.keep_blobs_days

    served.clock.advance((keep_days + 1) * DAY_S)
    served.run(keep_house(farm))
    here = [farm.store.blobs.has(sha(content)) for content in (manifest(), TEXTURE, BLEND, unused)]
    assert here == [True, True, True, False]

    served.post_job(scene=f"bundle:{sha(manifest())}", name="again")
    for each in served.data("GET", "/jobs"):
        served.call("POST", f"/jobs/{each['jobID']}/cancel")
    served.run(keep_house(farm))
    assert farm.store.blobs.has(sha(TEXTURE)), f"{job}'s files were used a moment ago"
    served.clock.advance((keep_days + 1) * DAY_S)
    served.run(keep_house(farm))
    assert not farm.store.blobs.has(sha(TEXTURE))
