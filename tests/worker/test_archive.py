"""Unpacking: what is harmless comes out byte for byte, and nothing else ever leaves a trace."""

from __future__ import annotations

import io
import os
import stat
import time
import zipfile
from pathlib import Path

import hostile_archives
import pytest
from hostile_archives import Entry, zipped
from hypothesis import given
from hypothesis import strategies as st

from scheduler.protocol.archives import UnsafeArchive
from scheduler.protocol.names import safe_member, same_name
from worker.archive import extract

CORPUS = hostile_archives.corpus()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "deeper" / "into"
    folder.mkdir(parents=True)
    return folder


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 90


@pytest.mark.parametrize("kind", CORPUS)
def test_a_hostile_archive_is_refused_and_leaves_nothing(kind: str, tmp_path: Path, into: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(CORPUS[kind])
    before = everything(tmp_path)
    start = time.perf_counter()

    with pytest.raises(UnsafeArchive) as caught:
        extract(archive, into)

    assert time.perf_counter() - start < 1.0
    assert everything(tmp_path) == before
    assert caught.value.message.endswith(".")
    assert not caught.value.message.endswith("..")
    assert "\n" not in caught.value.message


def test_a_harmless_archive_comes_out_byte_for_byte(tmp_path: Path, into: Path) -> None:
    inner = zipped([Entry("../evil")])
    content = {
        "scene.blend": os.urandom(3_000_000),
        "textures/wood.png": b"png",
        "textures/ünïcode ✓.png": b"",
        "a/b/c/d/deep.bin": bytes(1_000_000),
        "nested.zip": inner,
        "console.txt": b"starts like a device",
        ".hidden": b"x",
    }
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("empty")
        for name, data in content.items():
            archive.writestr(name, data)

    members = extract(tmp_path / "a.zip", into)

    assert [member.path for member in members] == ["empty", *content]
    assert {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()} == content
    assert (into / "empty").is_dir()
    assert {stat.S_IMODE(path.stat().st_mode) for path in into.rglob("*") if path.is_file()} == {0o600}


def test_a_zip64_archive_and_one_with_a_comment_and_a_prefix_come_out(tmp_path: Path, into: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.comment = b"PK\5\6 is only a comment"[4:]
        with archive.open("a.obj", "w", force_zip64=True) as member:
            member.write(b"v 0 0 0\n")
    (tmp_path / "a.zip").write_bytes(b"#!/bin/sh\n" + held.getvalue())

    extract(tmp_path / "a.zip", into)

    assert (into / "a.obj").read_bytes() == b"v 0 0 0\n"


def test_no_more_comes_out_of_a_member_than_it_says(tmp_path: Path, into: Path) -> None:
    (whole,) = zipfile.ZipFile(io.BytesIO(zipped([Entry("a", b"x" * 200)]))).infolist()
    packed = zipped([Entry("a", b"x" * 200)])[31 : 31 + whole.compress_size]
    lying = Entry("a", b"x" * 100, packed=packed)
    (tmp_path / "a.zip").write_bytes(zipped([lying]))

    extract(tmp_path / "a.zip", into)

    assert (into / "a").read_bytes() == b"x" * 100


def test_only_an_empty_folder_is_unpacked_into(tmp_path: Path, into: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped([hostile_archives.GOOD]))
    (into / "mine").write_text("keep")
    (tmp_path / "link").symlink_to(into)

    with pytest.raises(FileExistsError):
        extract(tmp_path / "a.zip", into)
    with pytest.raises(OSError, match=r"directory|symbolic"):
        extract(tmp_path / "a.zip", tmp_path / "link")

    assert everything(into) == {"mine"}


def test_a_link_that_appears_while_unpacking_is_not_followed(tmp_path: Path, into: Path) -> None:
    """Someone with the same user swaps a folder for a link between two members."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "a.zip").write_bytes(zipped([Entry("a/first"), Entry("b", b"x"), Entry("a/second")]))

    def swap() -> bool:
        if (into / "b").exists() and not (into / "a").is_symlink():
            (into / "a").rename(into / "gone")
            (into / "a").symlink_to(outside)
        return False

    with pytest.raises(OSError, match=r"directory|symbolic"):
        extract(tmp_path / "a.zip", into, swap)

    assert everything(outside) == set()
    assert everything(into) == set()


def test_unpacking_can_be_stopped(tmp_path: Path, into: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped([hostile_archives.GOOD]))

    with pytest.raises(UnsafeArchive) as caught:
        extract(tmp_path / "a.zip", into, lambda: True)

    assert caught.value.code == "cancelled"
    assert everything(into) == set()


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_names_come_out_where_the_rule_says_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    root = tmp_path_factory.mktemp("names")
    into = root / "a" / "into"
    into.mkdir(parents=True)
    (root / "a.zip").write_bytes(zipped([Entry(name, name.encode("utf-8", "replace")) for name in names]))

    try:
        extract(root / "a.zip", into)
    except UnsafeArchive:
        assert everything(root) == {"a.zip", "a", "a/into"}
    else:
        paths = [safe_member(name) for name in names]
        assert {str(path.relative_to(into)) for path in into.rglob("*") if path.is_file()} == set(paths)
        assert len({same_name(path or "") for path in paths}) == len(names)


@given(st.data())
def test_damage_to_a_good_archive_never_escapes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = zipped([Entry("a/mesh.obj", b"v 0 0 0\n" * 20), Entry("b/", b"", mode=stat.S_IFDIR, method=0)])
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    root = tmp_path_factory.mktemp("damage")
    into = root / "into"
    into.mkdir()
    (root / "a.zip").write_bytes(damaged)

    try:
        extract(root / "a.zip", into)
    except UnsafeArchive:
        assert everything(root) == {"a.zip", "into"}
    else:
        assert everything(root) - {"a.zip", "into"} == {f"into/{name}" for name in everything(into)}
