"""Submission over HTTP: refusals change nothing, a key makes one job, a zip becomes one."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_client import ServedFarm

OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"

REFUSED: list[tuple[bytes | dict[str, Any], int, str]] = [
    (b"not json", 400, "not_json"),
    (b"[]", 422, "invalid_request"),
    (b'"hello"', 422, "invalid_request"),
    ({}, 422, "invalid_field"),
    ({"name": ""}, 422, "invalid_field"),
    ({"name": "x", "framse": "1-3"}, 422, "unknown_field"),
    ({"name": "x", "frames": "1-x"}, 422, "invalid_frames"),
    ({"name": "x", "frames": "1-999999"}, 422, "invalid_frames"),
    ({"name": "x", "renderer": "vray"}, 422, "unknown_renderer"),
    ({"name": "x", "scene": "/nowhere/a.blend"}, 422, "scene_missing"),
    ({"name": "x", "scene": "blob:" + "0" * 64}, 422, "scene_missing"),
    ({"name": "x", "depends_on": ["99999"]}, 422, "dependency_unknown"),
    ({"name": "x", "settings": {"width": 0}}, 422, "invalid_field"),
    ({"name": "x", "settings": {"widht": 10}}, 422, "unknown_field"),
    ({"name": "x", "priority": 101}, 422, "invalid_field"),
    ({"name": "x", "cost_cap_usd": -1}, 422, "invalid_field"),
    ({"name": "x", "cost_cap_usd": "much"}, 422, "invalid_field"),
    (b'{"name": "x", "cost_cap_usd": NaN}', 400, "not_json"),
    ({"name": "x", "cost_cap": 5}, 422, "unknown_field"),
    ({"name": "x", "pools": ["moon"]}, 422, "pool_unknown"),
    ({"name": "x", "metadata": {"a": 10**30}}, 422, "number_out_of_range"),
    ({"name": "a\0b"}, 422, "invalid_text"),
]


@pytest.mark.parametrize(("body", "status", "code"), REFUSED)
def test_a_refusal_changes_nothing(
    shared_farm: ServedFarm, body: bytes | dict[str, Any], status: int, code: str
) -> None:
    before = len(shared_farm.data("GET", "/jobs"))
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    response = shared_farm.call(
        "POST", "/new_job", **sent, headers={"Idempotency-Key": f"refused {code}".replace(" ", "-")}
    )

    assert (response.status_code, response.json()["data"]["code"]) == (status, code)
    assert response.json()["data"]["hint"]
    assert len(shared_farm.data("GET", "/jobs")) == before


def test_an_unknown_field_names_its_neighbour(shared_farm: ServedFarm) -> None:
    response = shared_farm.call("POST", "/new_job", json={"name": "x", "framse": "1"})

    assert response.json()["data"]["hint"] == "Did you mean 'frames'?"


@pytest.mark.parametrize(
    ("wish", "code", "words"),
    [
        ({"split": {"tiles": [2, 2]}}, "invalid_split", "regions laid side by side"),
        ({"split": {"samples": 4}}, "invalid_split", "Maya cannot be split like that"),
        ({"settings": {"camera": 'a"; system("x")'}}, "invalid_field", "camera"),
        ({"settings": {"samples": 4, "engine": "vray"}}, "invalid_field", "set them in the scene"),
        ({"settings": {"engine": "renderman", "width": 4}}, "invalid_field", "both or none"),
        ({"settings": {"engine": "mentalray"}}, "invalid_field", "arnold"),
        ({"renderer": "blender"}, "scene_wrong_renderer", "a scene for Maya"),
    ],
)
def test_what_a_maya_job_may_not_ask_for(
    shared_farm: ServedFarm, tmp_path: Path, wish: dict[str, Any], code: str, words: str
) -> None:
    scene = tmp_path / "shot.ma"
    scene.write_text('//Maya ASCII 2024 scene\nrequires maya "2024";\n')
    answer = shared_farm.call("POST", "/new_job", json={"name": "x", "scene": str(scene)} | wish).json()

    assert answer["data"]["code"] == code and words in answer["message"], answer


# ---- Idempotency-Key -------------------------------------------------------------------------------------------------


def test_one_key_makes_one_job_however_many_ask_at_once(served: ServedFarm) -> None:
    headers = {**served.headers("user"), "Idempotency-Key": "k-1"}

    async def crowd() -> list[httpx.Response]:
        post = served.client.post
        return await asyncio.gather(*(post("/new_job", json={"name": "one"}, headers=headers) for _ in range(200)))

    answers = served.run(crowd())

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(served.data("GET", "/jobs")) == 1


def test_a_key_survives_a_restart_and_the_jobs_changes(served: ServedFarm) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = served.call("POST", "/new_job", json={"name": "one"}, headers=headers)
    served.call("POST", "/jobs/1/cancel")
    served.restart()

    again = served.call("POST", "/new_job", content=b'{ "name" : "one" }', headers=headers)

    assert (again.status_code, again.content) == (201, first.content)
    assert len(served.data("GET", "/jobs")) == 1


def test_the_same_key_with_another_request_is_a_conflict(served: ServedFarm) -> None:
    headers = {"Idempotency-Key": "k-1"}
    served.call("POST", "/new_job", json={"name": "one"}, headers=headers)

    response = served.call("POST", "/new_job", json={"name": "two"}, headers=headers)

    assert (response.status_code, response.json()["data"]["code"]) == (422, "idempotency_conflict")
    assert len(served.data("GET", "/jobs")) == 1


def test_keys_belong_to_their_caller_and_end_after_their_time(served: ServedFarm) -> None:
    headers = {"Idempotency-Key": "k-1"}
    jobs = [served.call("POST", "/new_job", role, json={"name": "one"}, headers=headers) for role in ("user", "admin")]
    served.clock.advance(8 * 86_400)
    jobs.append(served.call("POST", "/new_job", json={"name": "other"}, headers=headers))

    assert [job.json()["data"]["jobID"] for job in jobs] == ["00001", "00002", "00003"]


def test_a_refused_request_does_not_use_up_its_key(served: ServedFarm) -> None:
    headers = {"Idempotency-Key": "k-1"}

    assert served.call("POST", "/new_job", json={"name": ""}, headers=headers).status_code == 422
    assert served.call("POST", "/new_job", json={"name": "x"}, headers=headers).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ü"])
def test_a_key_must_be_plain(shared_farm: ServedFarm, key: str) -> None:
    response = shared_farm.call(
        "POST", "/new_job", json={"name": "x"}, headers={"Idempotency-Key": key.encode("latin-1")}  # type: ignore[dict-item]
    )  # fmt: skip

    assert (response.status_code, response.json()["data"]["code"]) == (422, "invalid_idempotency_key")


def test_an_answer_with_a_secret_is_told_again_but_never_stored(served: ServedFarm) -> None:
    headers, body = {"Idempotency-Key": "k-1"}, {"name": "artist"}
    first = served.call("POST", "/tokens", "admin", json=body, headers=headers)
    again = served.call("POST", "/tokens", "admin", json=body, headers=headers)
    other = served.call("POST", "/tokens", "admin", json={"name": "b"}, headers=headers)
    tokens = len(served.data("GET", "/tokens", "admin"))
    served.restart()
    after = served.call("POST", "/tokens", "admin", json=body, headers=headers)

    assert first.content == again.content
    assert other.json()["data"]["code"] == "idempotency_conflict"
    assert (after.status_code, after.json()["data"]["code"]) == (409, "answer_not_kept")
    assert len(served.data("GET", "/tokens", "admin")) == tokens
    secret = first.json()["data"]["token"].split("_", 2)[2].encode()  # the secret itself may hold a "_"
    data = served.settings.server.data
    assert not [path for path in data.rglob("*") if path.is_file() and secret in path.read_bytes()]


# ---- POST /jobs/new --------------------------------------------------------------------------------------------------


def zipped(**files: bytes) -> bytes:
    """A zip of these files; `__` in a name is a folder, the last `_` its ending."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_obj", ".obj").replace("_txt", ".txt"), data)
    return buffer.getvalue()


def incoming(farm: ServedFarm) -> list[Path]:
    """What lies half received."""
    folder = farm.store.folders.blobs / ".incoming"
    return list(folder.iterdir()) if folder.exists() else []


def test_a_zip_becomes_a_job(served: ServedFarm) -> None:
    archive = zipped(demo_obj=OBJ, demo__notes_txt=b"hello")
    response = served.call(
        "POST",
        "/jobs/new",
        files={"file": ("demo.zip", archive, "application/zip")},
        data={"frames": "1-2", "priority": "70"},
    )
    job = response.json()["data"]
    served.run(served.tick.run())
    (lease,) = served.lease()

    assert response.status_code == 201
    assert (job["name"], job["renderer"], job["scene"], job["frames"], job["priority"]) == (
        "demo",
        "kernel",
        "demo.obj",
        "1-2",
        70,
    )
    assert lease.scene.name == "demo.obj"
    blob = served.call("GET", f"/blobs/{lease.scene.archive}", "worker")
    assert blob.content == archive
    assert incoming(served) == []


def test_two_scenes_need_a_name(served: ServedFarm) -> None:
    archive = zipped(a_obj=OBJ, b_obj=OBJ)
    unclear = served.call("POST", "/jobs/new", files={"file": ("x.zip", archive)})
    named = served.data("POST", "/jobs/new", files={"file": ("x.zip", archive)}, data={"scene": "b.obj", "name": "b"})

    assert (unclear.status_code, unclear.json()["data"]["code"]) == (422, "scene_ambiguous")
    assert (named["scene"], named["name"]) == ("b.obj", "b")


def test_a_key_on_a_zip(served: ServedFarm) -> None:
    archive, headers = zipped(a_obj=OBJ), {"Idempotency-Key": "zip-1"}
    answers = [served.call("POST", "/jobs/new", files={"file": ("x.zip", archive)}, headers=headers) for _ in range(2)]
    other = served.call("POST", "/jobs/new", files={"file": ("x.zip", zipped(b_obj=OBJ))}, headers=headers)

    assert answers[0].content == answers[1].content
    assert other.json()["data"]["code"] == "idempotency_conflict"
    assert len(served.data("GET", "/jobs")) == 1


def broken(content: bytes) -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Type": "multipart/form-data; boundary=B"}}


@pytest.mark.parametrize(
    ("request_", "codes"),
    [
        ({"json": {"name": "x"}}, {"invalid_form"}),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data"}}, {"invalid_form"}),
        (broken(b""), {"invalid_form"}),
        (broken(b"garbage"), {"invalid_form"}),
        (broken(b'--B\r\nContent-Disposition: form-data; name="file"\r\n\r\nPK'), {"invalid_form"}),
        (broken(b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--B--\r\n'), {"invalid_form"}),
        (broken(b"--B\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n\r\n--B--\r\n"), {"invalid_form"}),
        ({"files": {"file": ("x.zip", b"no zip")}}, {"archive_damaged", "archive_not_zip"}),
        ({"files": {"file": ("x.zip", zipped(readme_txt=b"x"))}}, {"scene_missing"}),
        ({"files": [("file", ("a.zip", b"1")), ("file", ("b.zip", b"2"))]}, {"invalid_form"}),
        ({"files": {"file": ("x.zip", zipped(a_obj=OBJ))}, "data": {"framse": "1"}}, {"unknown_field"}),
        ({"files": {"file": ("x.zip", zipped(a_obj=OBJ))}, "data": {"chunk": "many"}}, {"invalid_field"}),
        ({"files": {"file": ("x.zip", zipped(a_obj=OBJ))}, "data": {"frames": "1-x"}}, {"invalid_frames"}),
        ({"files": {"file": ("x.zip", zipped(a_obj=OBJ))}, "data": {"name": "a\0"}}, {"invalid_text"}),
        ({"files": {"file": ("x.zip", zipped(a_obj=OBJ))}, "data": {"scene": "../../etc/passwd"}}, {"scene_missing"}),
        ({"files": {"file": ("x.zip", zipped(a_obj=OBJ))}, "data": {"renderer": "vray"}}, {"scene_wrong_renderer"}),
    ],
)
def test_a_bad_form_leaves_nothing(shared_farm: ServedFarm, request_: dict[str, Any], codes: set[str]) -> None:
    before = len(shared_farm.data("GET", "/jobs"))
    response = shared_farm.call("POST", "/jobs/new", **request_)

    assert response.status_code == 422
    assert response.json()["data"]["code"] in codes, response.text
    assert incoming(shared_farm) == []
    assert len(shared_farm.data("GET", "/jobs")) == before
