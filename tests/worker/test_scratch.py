"""A folder per attempt: empty at first, gone at the end, and nobody else's."""

from __future__ import annotations

from pathlib import Path

from scheduler.protocol.work import TaskRef
from worker.scratch import Scratch

REF = TaskRef(12, 3)


def test_an_attempt_begins_with_an_empty_folder(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    (scratch.make(REF) / "left.png").write_text("x")
    assert list(scratch.make(REF).iterdir()) == []


def test_read_only_trees_are_removed_too(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    inner = scratch.make(REF) / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "f").write_text("x")
    (inner / "root").symlink_to("/")
    inner.chmod(0o500)
    inner.parent.chmod(0o500)
    scratch.clear(REF)
    scratch.clear(REF)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_only_folders_with_an_attempts_name_are_swept(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    scratch.make(REF)
    scratch.make(TaskRef(13, 1))
    for name in ("keep", "1.2.x", "x1.2"):
        (tmp_path / "scratch" / name).mkdir()
    assert Scratch(tmp_path).sweep() == 2
    assert sorted(path.name for path in (tmp_path / "scratch").iterdir()) == ["1.2.x", "keep", "x1.2"]


def test_it_knows_how_much_is_free(tmp_path: Path) -> None:
    assert 0 < Scratch(tmp_path).free_bytes() < 2**60
