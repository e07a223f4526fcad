"""What every store does alike: whole objects, written once, read as streams, swept by age."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from object_stores import BUCKET
from store_bench import KIB, SINGLE_MAX, Bench

from scheduler.errors import Unavailable
from scheduler.objects import gcs, parts, s3
from scheduler.objects.port import ObjectStore, checked

KEY = "blobs/ab/abcdef"
SMALL, LARGE = 1000, SINGLE_MAX + 1000
"""Bytes of a file that goes in one piece, and of one that goes in parts."""


def write(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def content_of(bench: Bench, key: str, offset: int = 0, length: int | None = None) -> bytes:
    with bench.store.open(key, offset, length) as stream:
        return stream.read()


@pytest.mark.parametrize(("whole_parts", "rest"), [(0, 0), (0, 1), (0, SINGLE_MAX), (0, LARGE), (2, 0), (2, 17)])
def test_what_was_put_comes_back(bench: Bench, tmp_path: Path, whole_parts: int, rest: int) -> None:
    size = whole_parts * bench.part + rest
    content = os.urandom(size)

    assert bench.store.put(KEY, write(tmp_path, content))

    assert bench.store.size(KEY) == size
    assert content_of(bench, KEY) == content
    assert bench.uploads() == []


def test_what_is_not_there(bench: Bench) -> None:
    assert bench.store.size("no/such") is None
    with pytest.raises(FileNotFoundError):
        bench.store.open("no/such")
    bench.store.remove("no/such")


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_nothing_is_overwritten(bench: Bench, tmp_path: Path, size: int) -> None:
    bench.store.put(KEY, write(tmp_path, b"1" * size))

    assert not bench.store.put(KEY, write(tmp_path, b"2" * size))

    assert content_of(bench, KEY) == b"1" * size
    assert bench.uploads() == []


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_of_many_at_once_one_wins(bench: Bench, tmp_path: Path, size: int) -> None:
    """Even if they bring different bytes, as no two do whose key is a hash: never a mixture."""
    contents = [bytes([number]) * size for number in range(8)]

    won = _race([bench.store] * 8, [write(tmp_path, each, f"f{number}") for number, each in enumerate(contents)])

    assert len(won) == 1
    assert content_of(bench, KEY) == contents[won[0]]
    assert bench.uploads() == []


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_two_schedulers_with_the_same_file_make_one_object(bench: Bench, tmp_path: Path, size: int) -> None:
    """They may find each other's upload, and then each may be told that it was the one that ended it."""
    content = os.urandom(size)
    stores = [bench.another(), bench.another()]

    won = _race(stores * 2, [write(tmp_path, content, f"f{number}") for number in range(4)])

    assert won
    assert content_of(bench, KEY) == content
    assert bench.uploads() == []


def test_parts_of_an_object(bench: Bench, tmp_path: Path) -> None:
    content = os.urandom(100 * KIB)
    bench.store.put(KEY, write(tmp_path, content))

    assert content_of(bench, KEY, 5) == content[5:]
    assert content_of(bench, KEY, 5, 1000) == content[5:1005]
    assert content_of(bench, KEY, len(content) - 1, 1) == content[-1:]
    with bench.store.open(KEY, 10) as stream:
        assert [stream.read(3), stream.read(4)] == [content[10:13], content[13:17]]


def test_what_was_removed_may_be_put_again(bench: Bench, tmp_path: Path) -> None:
    bench.store.put(KEY, write(tmp_path, b"one"))
    bench.store.remove(KEY)

    assert bench.store.size(KEY) is None
    assert bench.store.put(KEY, write(tmp_path, b"two"))


@pytest.mark.parametrize("bench", ["s3", "gcs"], indirect=True)  # a local file is renamed, not sent in parts
def test_an_upload_that_broke_off_goes_on(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered on this side: what has arrived is found by its key."""
    content = os.urandom(4 * bench.part)
    file = write(tmp_path, content)

    def breaks(path: Path, part: parts.Part) -> parts.Piece:
        if part.number == 3:
            raise OSError("the disk has gone")
        return read_piece(path, part)

    read_piece = parts.read_piece
    with monkeypatch.context() as patch:
        patch.setattr(s3, "read_piece", breaks)
        patch.setattr(gcs, "read_piece", breaks)
        with pytest.raises(OSError, match="the disk has gone"):
            bench.store.put(KEY, file)
    first = len(bench.sent)
    assert bench.store.size(KEY) is None, "no torn object"
    assert bench.uploads(), "what has arrived is kept"

    assert bench.store.put(KEY, file)

    assert content_of(bench, KEY) == content
    assert first >= 2
    assert len(bench.sent) == 4, "no part was sent twice"
    assert bench.uploads() == []


@pytest.mark.parametrize("bench", ["s3", "gcs"], indirect=True)  # a local file is renamed, not sent in parts
def test_parts_of_another_file_are_not_used(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that encrypts makes other bytes of the same file each time."""
    _break_off(bench, tmp_path, monkeypatch)
    content = os.urandom(4 * bench.part)

    assert bench.store.put(KEY, write(tmp_path, content))

    assert content_of(bench, KEY) == content


def test_stale_uploads_are_swept(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if bench.kind == "local":
        part = tmp_path / "objects" / "blobs" / "ab" / ".x.0123.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"half")
    else:
        _break_off(bench, tmp_path, monkeypatch)
    bench.store.put("blobs/cd/whole", write(tmp_path, b"whole"))
    now_s = time.time()

    assert bench.store.sweep("", before_s=now_s - 3600, objects=False) == 0
    assert bench.uploads()
    assert bench.store.sweep("frames/", before_s=now_s + 3600, objects=False) == 0
    assert bench.uploads(), "of another part of the store"
    assert bench.store.sweep("", before_s=now_s + 3600, objects=False) >= 1

    assert bench.uploads() == []
    assert content_of(bench, "blobs/cd/whole") == b"whole"


def test_objects_below_a_prefix_are_swept_by_age(bench: Bench, tmp_path: Path) -> None:
    for key in ("frames/00001/aa/f.png", "frames/00001/bb/f.png", "frames/00002/aa/f.png"):
        bench.store.put(key, write(tmp_path, b"pixels"))
    now_s = time.time()

    assert bench.store.sweep("frames/00001/", before_s=now_s - 3600, objects=True) == 0
    assert bench.store.sweep("frames/00001/", before_s=now_s + 3600, objects=True) == 2

    assert bench.store.size("frames/00001/aa/f.png") is None
    assert bench.store.size("frames/00002/aa/f.png") == 6


def test_a_store_names_itself_without_credentials(bench: Bench) -> None:
    beginnings = {"local": "file:///", "s3": f"s3://{BUCKET}/studio/", "gcs": f"gs://{BUCKET}/studio/"}

    assert bench.store.url.startswith(beginnings[bench.kind])
    assert "?" not in bench.store.url


@pytest.mark.parametrize("key", ["", "/", "a//b", "../a", "a/../b", "a/.", "a b", "a\n", "é"])
def test_keys_that_lead_elsewhere_are_bugs(bench: Bench, tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        checked(key)
    with pytest.raises(ValueError, match="no key"):
        bench.store.put(key, write(tmp_path, b""))


def _break_off(bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave an upload of `KEY` half done."""

    def breaks(path: Path, part: parts.Part) -> parts.Piece:
        if part.number == 3:
            raise Unavailable("gone", code="storage_unreachable")
        return read_piece(path, part)

    read_piece = parts.read_piece
    with monkeypatch.context() as patch:
        patch.setattr(s3, "read_piece", breaks)
        patch.setattr(gcs, "read_piece", breaks)
        with pytest.raises(Unavailable):
            bench.store.put(KEY, write(folder, os.urandom(4 * bench.part), "broken"))


def _race(stores: list[ObjectStore], files: list[Path]) -> list[int]:
    """Put all files under one key at once, each into its store; returns who was told that he made the object."""
    start, won, errors = threading.Barrier(len(files)), list[int](), list[Exception]()

    def put(number: int) -> None:
        start.wait()
        try:
            if stores[number].put(KEY, files[number]):
                won.append(number)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(len(files))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return won
