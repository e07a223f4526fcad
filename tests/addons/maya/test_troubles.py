"""What goes wrong on the artist's machine or between two turns: a plain sentence each time, and nothing half done."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_maya import part

ROOMS = ("parts", "ready", "locks")


def submit(**wishes):
    return part("").submit(**wishes)


def left(tmp_path) -> list[str]:
    spool = tmp_path / "spool"
    return [path.name for room in ROOMS if (spool / room).is_dir() for path in (spool / room).iterdir()]


def advanced(flow, until: str = "ended"):
    for _ in range(5_000):
        flow.advance(0.001)
        if flow.phase == until:
            return flow
        time.sleep(0.002)
    raise AssertionError(flow.phase)


def new_flow():
    assembly = part("submission").Assembly(part("session").current(), part("settings").wishes(), None)
    return part("outfield_core.flow").Flow(assembly, send=True)


@pytest.fixture
def flow(maya):
    """A submission of the panel's, not begun."""
    return new_flow()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "is full"), (errno.EROFS, "cannot be written"), (errno.EIO, "cannot be used")],
)
def test_a_disk_that_takes_nothing(maya, tmp_path, monkeypatch, number, words):
    def no_copy(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(part("outfield_core.copies").shutil, "copyfile", no_copy)
    with pytest.raises(Exception, match=words):
        submit()

    assert left(tmp_path) == []


def test_a_file_that_is_saved_while_it_is_copied(maya, tmp_path, monkeypatch):
    copies = part("outfield_core.copies")
    original = copies.shutil.copyfile

    def saved_meanwhile(source, target):
        original(source, target)
        Path(source).write_text("something longer than before")

    monkeypatch.setattr(copies.shutil, "copyfile", saved_meanwhile)
    with pytest.raises(Exception, match="was saved while it was copied"):
        submit()

    assert left(tmp_path) == []


def test_a_file_that_goes_while_it_is_copied(maya, tmp_path, monkeypatch):
    monkeypatch.setattr(part("copies"), "is_as_saved", lambda: True)
    Path(maya.scene.path).unlink()
    with pytest.raises(Exception, match="cannot be used"):
        submit()

    assert left(tmp_path) == []


def test_a_second_job_that_cannot_be_copied_takes_the_first_along(maya, tmp_path, monkeypatch):
    maya.scene.add("rs_beauty", "renderLayer", renderable=True)
    maya.scene.modified = True

    def no_copy(*_):
        raise OSError(errno.ENOSPC, "no")

    monkeypatch.setattr(part("outfield_core.copies").shutil, "copyfile", no_copy)
    with pytest.raises(Exception, match="is full"):
        submit()

    assert left(tmp_path) == []


def test_a_scene_that_is_changed_meanwhile_is_read_anew(maya, flow):
    advanced(flow, "looking")
    maya.scene.file("late", "sourceimages/late.png")
    advanced(flow)

    assert "late.png is missing" in str(flow.error)
    assert flow.kept == []


def test_a_scene_that_never_rests_is_sent_as_it_is(maya, flow, monkeypatch):
    monkeypatch.setattr(type(flow.assembly), "still_true", lambda self: False)

    assert len(advanced(flow).kept) == 1


def test_cancelled_it_leaves_nothing(maya, flow, tmp_path):
    maya.scene.modified = True
    advanced(flow, "keeping")
    flow.cancel()
    assert flow.phase == "keeping", "what is being written is finished"
    advanced(flow)
    other = new_flow()
    advanced(other, "saving")
    other.cancel()
    other.advance(0.001)

    assert other.ended and len(left(tmp_path)) == 1 + 1, "the first one and its lock"


def test_a_disk_that_fails_while_it_is_looked_through_is_told(maya, flow, monkeypatch):
    def no_list(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(part("outfield_core.assembly"), "find_files", no_list)

    assert str(advanced(flow).error) == "This machine's disk says: Input/output error."


def test_the_sessions_own_thread_may_have_taken_it_already(maya, monkeypatch):
    (kept,) = submit()
    session = part("session").current()
    outcome = SimpleNamespace(kept=SimpleNamespace(key=kept.key), job={"jobID": "00042"})
    monkeypatch.setattr(session, "sender", SimpleNamespace(busy=True, outcomes=[outcome], stop=bool))
    made = {kept.key: part("outfield_core.delivery").Submitted(SimpleNamespace(key=kept.key, name=kept.name))}
    part("outfield_core.delivery").wait_for_the_thread(session, made)

    assert repr(made[kept.key]) == "outfield jobID 00042"
    assert repr(kept) == f"outfield spooled {kept.key}"


def test_a_spool_that_cannot_be_swept_is_told_and_no_start_fails(maya, monkeypatch, capsys):
    def no_sweep(self):
        raise PermissionError(errno.EACCES, "Permission denied")

    session = part("session")
    monkeypatch.setattr(part("outfield_core.spool").Spool, "sweep", no_sweep)
    session.start(in_window=False)

    assert session.is_on() and "cannot be swept" in capsys.readouterr().out


def test_an_address_that_is_none(maya, monkeypatch):
    monkeypatch.setenv("OUTFIELD_SERVER", "ftp://farm")
    here = part("session").current()
    part("session").submit()

    assert here.trouble.code == "bad_server"
    assert "is not a farm's address" in here.messages[-1][1]
    with pytest.raises(Exception, match="is not a farm's address"):
        submit()


def test_bad_frames_stop_it_with_the_words_of_the_syntax(maya):
    with pytest.raises(Exception, match="is not a frame range"):
        submit(frames="1-x")


def test_a_preview_of_nothing_and_a_farm_that_draws_no_mesh(maya, maya_farm):
    del maya.scene.nodes["cubeShape"]
    with pytest.raises(Exception, match=r"no mesh to show.* does not render meshes"):
        submit(preview=True)


def test_variables_and_the_project_resolve_paths(maya, project, monkeypatch):
    monkeypatch.setenv("SHOW", "/mnt/show")
    absolute = part("dependencies").absolute

    assert absolute("$SHOW/a.png") == "/mnt/show/a.png"
    assert absolute("sourceimages/../b.png") == f"{project}/b.png"
    assert absolute("  ") == ""
