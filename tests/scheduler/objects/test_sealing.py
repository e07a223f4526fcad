"""Behind the seal: the port's promises hold, nothing in the store can be read, and what was changed is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from object_stores import FakeGcs, Weed
from store_bench import SINGLE_MAX, Bench

from scheduler.errors import Unavailable
from scheduler.objects.opening import open_storage
from scheduler.objects.sealing import KEY_FILE, SealedObjects, farm_key, scope_of
from scheduler.protocol.sealed import SEGMENT_BYTES
from scheduler.settings import StorageSettings

KEY = "frames/00042/abc/beauty.0001.exr"
MARKER = b"a marker in a frame " * 10


@pytest.fixture
def sealed(bench: Bench, tmp_path: Path) -> SealedObjects:
    return SealedObjects(bench.store, b"k" * 32, tmp_path / "sealing")


def write(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", [0, 1000, SINGLE_MAX + 1000, 3 * SEGMENT_BYTES])
def test_what_was_put_comes_back_from_anywhere_on(sealed: SealedObjects, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)

    assert sealed.put(KEY, write(tmp_path, content))
    assert not sealed.put(KEY, write(tmp_path, content))

    assert sealed.size(KEY) == size
    for offset, length in ((0, None), (size // 2, None), (size // 3, 10), (size, None)):
        with sealed.open(KEY, offset, length) as stream:
            assert stream.read() == content[offset : None if length is None else offset + length]
    assert list((tmp_path / "sealing").iterdir()) == []


def test_the_store_sees_nothing_of_it(sealed: SealedObjects, bench: Bench, tmp_path: Path) -> None:
    sealed.put(KEY, write(tmp_path, MARKER))
    with bench.store.open(KEY) as stream:
        assert MARKER[:20] not in stream.read()


def test_what_was_changed_in_the_store_is_noticed(bench: Bench, sealed: SealedObjects, tmp_path: Path) -> None:
    sealed.put("blobs/aa/one", write(tmp_path, MARKER))
    with bench.store.open("blobs/aa/one") as stream:
        raw = bytearray(stream.read())
    raw[-1] ^= 1
    bench.store.put("blobs/aa/two", write(tmp_path, bytes(raw)))
    bench.store.put("blobs/aa/three", write(tmp_path, b"never sealed, but long enough to be taken for it " * 9))

    for key in ("blobs/aa/two", "blobs/aa/three"):
        with pytest.raises(Unavailable) as error, sealed.open(key) as stream:
            stream.read()
        assert error.value.code == "storage_damaged"


def test_what_is_not_there(sealed: SealedObjects) -> None:
    assert sealed.size("no/such") is None
    with pytest.raises(FileNotFoundError):
        sealed.open("no/such")


@pytest.mark.parametrize(
    ("key", "scope"),
    [
        (KEY, "frames/00042"),
        ("staging/7/1/f.png", "staging/7/1"),
        ("blobs/ab/abcdef", "blobs/ab/abcdef"),
        ("seal/check", "seal/check"),
    ],
)
def test_a_key_opens_its_own_scope(key: str, scope: str, tmp_path: Path) -> None:
    objects = SealedObjects(None, b"k" * 32, tmp_path)  # type: ignore[arg-type]

    assert scope_of(key) == scope
    assert objects.key_of(key) == objects.key_of(f"{scope}/x/y" if scope.count("/") < 2 and key != scope else key)
    assert objects.key_of(key) != objects.key_of("frames/00043/abc/beauty.0001.exr")


def test_the_farms_key_is_made_once_and_private(tmp_path: Path) -> None:
    assert farm_key(tmp_path) == farm_key(tmp_path)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / KEY_FILE).write_text("abc")
    with pytest.raises(Unavailable, match="cannot be used"):
        farm_key(tmp_path)


@pytest.mark.parametrize("kind", ["weed", "fake_gcs"])
def test_a_store_that_was_sealed_by_another_farm_is_refused(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    store: Weed | FakeGcs = request.getfixturevalue(kind)
    url = store.url(f"other-{tmp_path.name}")
    for data in (tmp_path / "a", tmp_path / "b"):
        data.mkdir()
    assert open_storage(url, StorageSettings(), tmp_path / "a").sealed is not None
    assert open_storage(url, StorageSettings(), tmp_path / "a").sealed is not None

    with pytest.raises(Unavailable) as error:
        open_storage(url, StorageSettings(), tmp_path / "b")
    assert error.value.code == "storage_other_key"
