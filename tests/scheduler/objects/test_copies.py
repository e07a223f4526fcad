"""Copies for decoders: fetched once, verified, bounded, and never taken from under somebody's hands."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from scheduler.errors import Unavailable
from scheduler.objects.copies import KEEP_S, FetchedCopies
from scheduler.objects.local import LocalObjects


class Counting(LocalObjects):
    """Notes what is fetched."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []

    def open(self, key: str, offset: int = 0, length: int | None = None):
        """As ever."""
        self.opened.append(key)
        return super().open(key, offset, length)


@pytest.fixture
def objects(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "objects")


def stored(objects: LocalObjects, folder: Path, name: str, size: int = 1000) -> tuple[str, str]:
    content = name.encode().ljust(size, b".")
    file = folder / "file"
    file.write_bytes(content)
    objects.put(f"blobs/{name}", file)
    return f"blobs/{name}", hashlib.sha256(content).hexdigest()


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_an_object_is_fetched_once(objects: Counting, tmp_path: Path) -> None:
    copies = FetchedCopies(objects, tmp_path / "copies", 10_000)
    key, digest = stored(objects, tmp_path, "a")

    paths = {copies.path(key, digest) for _time in range(3)}

    assert [path.read_bytes()[:2] for path in paths] == [b"a."]
    assert objects.opened == [key]


def test_what_is_not_there_and_what_is_damaged(objects: Counting, tmp_path: Path) -> None:
    copies = FetchedCopies(objects, tmp_path / "copies", 10_000)
    key, _digest = stored(objects, tmp_path, "a")

    with pytest.raises(FileNotFoundError):
        copies.path("blobs/none", "0" * 64)
    with pytest.raises(Unavailable, match="is damaged") as caught:
        copies.path(key, "0" * 64)

    assert caught.value.code == "storage_damaged"
    assert [path for path in (tmp_path / "copies").rglob("*") if path.is_file()] == []


def test_a_file_that_is_here_anyway_is_not_fetched(objects: Counting, tmp_path: Path) -> None:
    copies, file = FetchedCopies(objects, tmp_path / "copies", 10_000), tmp_path / "mine"
    file.write_bytes(b"mine")
    copies.keep("blobs/mine", file)
    copies.keep("blobs/mine", file)
    file.unlink()

    assert copies.path("blobs/mine", "unasked").read_bytes() == b"mine"
    assert objects.opened == []


def test_the_least_recently_used_go_first(objects: Counting, tmp_path: Path) -> None:
    copies = FetchedCopies(objects, tmp_path / "copies", 3500)
    known = [stored(objects, tmp_path, name) for name in "abcd"]
    paths = [copies.path(*each) for each in known[:3]]
    for path, minutes in zip(paths, (30, 40, 20), strict=True):
        age(path, 60 * minutes)
    copies.path(*known[0])

    paths.append(copies.path(*known[3]))

    assert [path.exists() for path in paths] == [True, False, True, True]


def test_what_was_just_handed_out_stays_even_over_the_limit(objects: Counting, tmp_path: Path) -> None:
    copies = FetchedCopies(objects, tmp_path / "copies", 1500)
    paths = [copies.path(*stored(objects, tmp_path, name)) for name in "abc"]

    assert all(path.exists() for path in paths)
    for path in paths:
        age(path, KEEP_S + 60)
    paths.append(copies.path(*stored(objects, tmp_path, "d")))
    assert [path.exists() for path in paths] == [False, False, False, True]


def test_copies_are_counted_again_after_a_restart(objects: Counting, tmp_path: Path) -> None:
    first = FetchedCopies(objects, tmp_path / "copies", 10_000)
    old = [first.path(*stored(objects, tmp_path, name)) for name in "ab"]
    for path in old:
        age(path, KEEP_S + 60)

    FetchedCopies(objects, tmp_path / "copies", 2500).path(*stored(objects, tmp_path, "c"))

    assert sum(path.exists() for path in old) == 1


def test_copies_of_a_folder_or_of_one_object_are_dropped(objects: Counting, tmp_path: Path) -> None:
    copies, file = FetchedCopies(objects, tmp_path / "copies", 10_000), tmp_path / "f"
    file.write_bytes(b"x")
    for key in ("frames/00001/a/f.png", "frames/00001/b/f.png", "frames/00002/a/f.png", "blobs/ab/abc"):
        copies.keep(key, file)

    copies.drop("frames/00001/")
    copies.drop("blobs/ab/abc")
    copies.drop("blobs/none")

    left = sorted(str(path.relative_to(tmp_path / "copies")) for path in (tmp_path / "copies").rglob("f.png"))
    assert left == ["frames/00002/a/f.png"]
    assert not (tmp_path / "copies" / "blobs" / "ab" / "abc").exists()
