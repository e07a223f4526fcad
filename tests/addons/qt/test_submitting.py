"""`outfield.submit` in Houdini and Nuke: what arrives, what is refused; and that the artist's file is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from addon_farms import farm_with, golden, kept, stamp
from qt_programs import part

from scheduler.api.farm import renderer_view

GOLDEN = Path(__file__).parents[2] / "golden"


def submit(**wishes):
    return part("").submit(**wishes)


def forget_the_file(program, folder) -> None:
    """As if it had never been saved."""
    program.path = str(folder / "untitled.hip") if hasattr(program, "mantra") else ""


def test_the_payload_is_the_golden_one(program, built, folder, tmp_path):
    before = stamp(program.path)
    (made,) = submit(
        frames="1-10x3", priority=70, shot="sh010", project="Alpha", chunk=2, pool="onprem", preview_first=True,
        deadline="2026-12-01T18:00:00Z", overrides={"samples": 5}, cost_cap_usd="2.50",
    )  # fmt: skip

    golden(GOLDEN / built[0] / "plain.json", kept(tmp_path / "spool", PROJECT=folder))
    assert made.spooled and made.error.code == "unreachable"
    assert stamp(program.path) == before
    assert program.writes == [], "what is as it was saved is copied"


def test_unsaved_changes_are_written_elsewhere(program, tmp_path):
    program.modified = True
    before, path = stamp(program.path), program.path
    submit()

    (written,) = program.writes
    assert Path(written).name == Path(path).name and str(tmp_path / "spool") in written
    assert stamp(path) == before
    assert (program.modified, program.path) == (True, path)


def test_what_was_never_saved_goes_as_it_is(program, folder, tmp_path):
    forget_the_file(program, folder)
    (made,) = submit()

    assert made.name == "untitled"
    (content,) = kept(tmp_path / "spool", PROJECT=folder)
    assert content["origin"].startswith("PROJECT/untitled.")
    assert content["body"]["metadata"]["file"] == ""


def test_a_copy_that_fails_leaves_nothing(program, built, tmp_path):
    program.modified, program.write_fault = True, "Cannot write\n the file"
    with pytest.raises(Exception, match=rf"{built[0].capitalize()} cannot save a copy into .*: Cannot write the file"):
        submit()

    assert [list((tmp_path / "spool" / room).iterdir()) for room in ("parts", "ready", "locks")] == [[], [], []]


def test_a_farm_without_such_a_renderer_says_so_before_anything_is_sent(program, built, monkeypatch):
    with farm_with(monkeypatch, renderer_view("kernel"), renderer_view("blender")) as farm:
        with pytest.raises(
            Exception, match=rf"no renderer for {built[0].capitalize()} scenes; it has kernel"
        ) as caught:
            submit()

        assert caught.value.code == "no_renderer"
        assert program.writes == []
        assert not any(each.startswith(("POST", "PUT")) for each in farm.asked)


def test_a_farm_that_renders_it_gets_the_scene(program, built, farm, tmp_path):
    (made,) = submit(overrides={"samples": 3})
    job = next(json.loads(body) for body, _ in farm.answered.values())

    assert made.job_id == "00001" and not made.spooled
    assert (job["renderer"], job["settings"]) == (built[0], {"samples": 3})
    manifest = json.loads(farm.blobs[job["scene"].removeprefix("bundle:")])
    assert list(manifest["files"]) == [Path(program.path).name]
    assert list((tmp_path / "spool" / "ready").iterdir()) == []


def test_a_node_and_a_wish_that_there_are_not(program):
    with pytest.raises(Exception, match=r"no node 'beuaty'.*Nodes: .*beauty"):
        submit(node="beuaty")
    with pytest.raises(TypeError, match="framse"):
        submit(framse="1")


def test_without_a_window_a_copy_is_written_always_and_the_panels_wishes_are_forgotten(program, tmp_path):
    part("desk").desk.remembered.wish("chunk", 7)
    program.in_window = False
    submit()

    assert len(program.writes) == 1
    assert "chunk" not in kept(tmp_path / "spool")[0]["body"]


def test_what_was_kept_is_sent_with_the_next_one(program, farm, capsys):
    farm.bad["POST /new_job"] = (503, {"code": "stopping"})
    (first,) = submit(job_name="first")
    del farm.bad["POST /new_job"]
    (second,) = submit(job_name="second")

    assert first.spooled
    assert [job["name"] for job in farm.jobs] == ["first", "second"]
    assert second.job_id == "00002"
    assert "outfield jobID 00001 (first)" in capsys.readouterr().out


def test_the_mark_of_a_check_changes_with_what_the_nodes_render(program, opened):
    panel = opened()
    before = panel.desk.here.found_for
    (node,) = panel.desk.nodes()
    assert (node.path, node.frames) in {(each[1], each[2]) for each in before[2]}
