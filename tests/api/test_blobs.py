"""Blobs over HTTP: verified on the way in, in ranges on the way out."""

from __future__ import annotations

import hashlib

import pytest
from api_client import ServedFarm

from scheduler.store.tables import Blob

DATA = b"0123456789" * 1000
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def stored(shared_farm: ServedFarm) -> ServedFarm:
    """A farm that has the blob."""
    assert shared_farm.call("PUT", f"/blobs/{HASH}", content=DATA).status_code in (200, 201)
    return shared_farm


def test_new_then_known(served: ServedFarm) -> None:
    new = served.call("PUT", f"/blobs/{HASH}", content=DATA)
    known = served.call("PUT", f"/blobs/{HASH.upper()}", content=DATA)

    assert (new.status_code, known.status_code) == (201, 200)
    assert new.json()["data"] == known.json()["data"] == {"hash": HASH, "size": len(DATA)}
    with served.store.read() as session:
        row = session.get(Blob, HASH)
    assert row is not None
    assert row.size == len(DATA)


def test_another_hash_is_refused_and_nothing_stays(served: ServedFarm) -> None:
    response = served.call("PUT", f"/blobs/{HASH}", content=DATA + b"!")

    assert (response.status_code, response.json()["data"]["code"]) == (422, "hash_mismatch")
    assert served.call("HEAD", f"/blobs/{HASH}").status_code == 404
    assert [path for path in served.store.folders.blobs.rglob("*") if path.is_file()] == []


def test_too_large_by_length_and_by_count(tmp_path_factory: pytest.TempPathFactory) -> None:
    farm = ServedFarm(tmp_path_factory.mktemp("farm"), blob_max_bytes=1000)

    async def chunks() -> object:
        for _ in range(20):
            yield b"x" * 100

    for content in (DATA, chunks()):
        response = farm.call("PUT", f"/blobs/{HASH}", content=content)
        assert (response.status_code, response.json()["data"]["code"]) == (413, "body_too_large")
    assert [path for path in farm.store.folders.blobs.rglob("*") if path.is_file()] == []
    farm.close()


def test_a_full_disk_is_507(tmp_path_factory: pytest.TempPathFactory) -> None:
    farm = ServedFarm(tmp_path_factory.mktemp("farm"), free_min_bytes=2**60)

    for method, path in (("PUT", f"/blobs/{HASH}"), ("POST", "/new_job")):
        response = farm.call(method, path, content=b'{"name": "x"}')
        assert (response.status_code, response.json()["data"]["code"]) == (507, "storage_full")
        assert "retry-after" in response.headers
    farm.close()


@pytest.mark.parametrize("role", ["user", "worker", "admin"])
def test_everyone_with_a_token_may_fetch(stored: ServedFarm, role: str) -> None:
    response = stored.call("GET", f"/blobs/{HASH}", role)

    assert (response.status_code, response.content) == (200, DATA)
    assert response.headers["etag"] == f'"{HASH}"'
    assert "immutable" in response.headers["cache-control"]


def test_head(stored: ServedFarm) -> None:
    response = stored.call("HEAD", f"/blobs/{HASH}")

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(DATA))
    assert response.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("text", "status", "content"),
    [
        ("bytes=0-9", 206, DATA[:10]),
        ("bytes=9990-", 206, DATA[9990:]),
        ("bytes=-5", 206, DATA[-5:]),
        ("bytes=9995-99999", 206, DATA[9995:]),
        ("bytes=10000-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-2", 200, DATA),
        ("bytes=a-b", 200, DATA),
        ("bytes=-", 200, DATA),
        ("lines=1-2", 200, DATA),
        ("bytes=" + "9" * 30 + "-", 200, DATA),
    ],
)
def test_ranges(stored: ServedFarm, text: str, status: int, content: bytes | None) -> None:
    response = stored.call("GET", f"/blobs/{HASH}", headers={"Range": text})

    assert response.status_code == status
    if content is None:
        assert response.headers["content-range"] == f"bytes */{len(DATA)}"
        assert response.json()["data"]["code"] == "range_not_satisfiable"
    else:
        assert response.content == content
