"""The panel of Houdini and Nuke, pressed on a real Qt inside fake programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qt_programs import application, buttons, choose, delete_what_is_closed, field, part, press, said, type_into, until

from scheduler.api.farm import renderer_view


def test_offline_it_keeps_and_says_so(program, opened, folder):
    panel = opened()
    until(panel, lambda: "The farm is away" in said(panel))
    assert f"Output: {folder}/render/shot.####.exr" in said(panel)
    press(panel, "Render on farm")
    until(panel, lambda: "Kept here, sent when the farm is back: 1" in said(panel))

    assert len(panel.desk.here.spool.waiting()) == 1
    assert program.writes == []


def test_a_farm_without_such_a_renderer_says_so(program, opened, monkeypatch, built):
    from addon_farms import farm_with

    with farm_with(monkeypatch, renderer_view("kernel")) as farm:
        panel = opened()
        title = built[0].capitalize()
        until(panel, lambda: f"This farm has no renderer for {title} scenes; it has kernel." in said(panel))
        press(panel, "Render on farm")
        until(panel, lambda: panel.desk.here.messages and not panel.desk.here.moves)

        assert farm.jobs == []
        assert "no renderer" in panel.desk.here.messages[-1][1]


def test_it_arrives_and_is_listed(program, farm, opened):
    panel = opened()
    press(panel, "Render on farm")
    until(panel, lambda: farm.jobs and "waits, 0 of 2" in said(panel))

    assert "shot is job 00001." in said(panel)
    assert "Farm fake, workers: 0" in said(panel)
    assert len(panel.desk.here.spool.waiting()) == 0


def test_wishes_are_sent_and_remembered_and_those_of_one_scene_are_not(program, farm, opened):
    panel = opened()
    until(panel, lambda: panel.desk.here.follower.view.is_live)
    application().processEvents()
    for title, text in (("Name", "my shot"), ("Shot", "sh010"), ("Project", "Alpha"), ("Samples", "4")):
        until(panel, lambda title=title: panel.findChildren(object, title))
        type_into(panel, title, text)
    type_into(panel, "Denoise", "Yes")
    choose(panel, "Frames", "Range")
    until(panel, lambda: panel.findChildren(object, "Range"))
    type_into(panel, "Range", "1-4")
    field(panel, "Priority").setValue(900)
    choose(panel, "Split", "Tiles")
    until(panel, lambda: panel.findChildren(object, "Columns"))
    field(panel, "Columns").setValue(3)
    press(panel, "Render on farm")
    until(panel, lambda: farm.jobs)

    body = json.loads(next(text for text, _ in farm.answered.values()))
    assert (body["name"], body["frames"], body["priority"]) == ("my shot", "1-4", 100)
    assert body["split"] == {"tiles": [3, 2]}
    assert body["tracking"] == {"project": "Alpha", "shot": "sh010"}
    assert body["settings"] == {"samples": 4, "denoise": True}
    type_into(panel, "Samples", "none")
    assert "Samples cannot be 'none'" in panel.desk.here.messages[-1][1]
    again = part("outfield_core.remembered").Remembered(
        panel.desk.remembered._path,
        part("outfield_core.render_nodes").WISHES,
        part("outfield_core.render_nodes").OF_ONE_SCENE,
    )
    wishes = again.wishes()
    assert (wishes["project"], wishes["split_mode"], wishes["shot"], wishes["overrides"]) == ("Alpha", "TILES", "", {})


def test_a_cost_cap_is_a_sum_and_shown_where_the_farm_knows_it(program, farm, opened):
    panel = opened()
    until(panel, lambda: panel.desk.here.follower.view.is_live)
    until(panel, lambda: not panel.findChildren(object, "Cost cap (USD)"))
    farm.info["job"] = {"properties": {"cost_cap_usd": {}}}
    panel.desk.here.follower.kick()
    until(panel, lambda: panel.findChildren(object, "Cost cap (USD)"))
    type_into(panel, "Cost cap (USD)", "much")
    assert "The cost cap cannot be 'much'" in panel.desk.here.messages[-1][1]
    type_into(panel, "Cost cap (USD)", "$2,50")
    press(panel, "Render on farm")
    until(panel, lambda: farm.jobs)

    assert json.loads(next(text for text, _ in farm.answered.values()))["cost_cap_usd"] == 2.5


def test_the_way_of_splitting_is_one_that_the_renderer_takes(program, farm, opened):
    panel = opened()
    until(panel, lambda: panel.desk.here.follower.view.is_live)
    until(panel, lambda: field(panel, "Split").count() == 2)
    panel.desk.remembered.wish("split_mode", "SAMPLES")
    until(panel, lambda: "Whole frames" in buttons(panel))
    press(panel, "Whole frames")
    until(panel, lambda: "Whole frames" not in buttons(panel))

    assert panel.desk.remembered.wishes()["split_mode"] == "FRAMES"


def test_presets_are_kept_and_taken_over(program, opened, monkeypatch):
    panel = opened()
    asked = iter([("", False), ("  ", True), ("heavy", True)])
    dialog = part("outfield_qt.binding").QtWidgets.QInputDialog
    monkeypatch.setattr(dialog, "getText", lambda *_: next(asked))
    panel.desk.remembered.wish("priority", 80)
    for _ in range(3):
        until(panel, lambda: "Save preset" in buttons(panel))
        press(panel, "Save preset")
    until(panel, lambda: field(panel, "Presets").findText("heavy") == 1)
    panel.desk.remembered.wish("priority", 10)
    until(panel, lambda: field(panel, "Priority").value() == 10)
    choose(panel, "Presets", "heavy")
    until(panel, lambda: field(panel, "Priority").value() == 80)

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dialog, "getText", lambda *_: ("other", True))
    monkeypatch.setattr(part("outfield_core.presets"), "write_json", no_space)
    press(panel, "Save preset")
    assert panel.desk.here.messages[-1] == (False, "The preset cannot be saved: No space left on device.")


def test_the_connection_is_kept_for_nobody_but_the_user(program, farm, opened, monkeypatch):
    monkeypatch.setenv("OUTFIELD_SERVER", "")
    panel = opened()
    type_into(panel, "Farm", "ftp://farm")
    until(panel, lambda: "No connection" in said(panel))
    type_into(panel, "Token", "")
    type_into(panel, "Farm", farm.url)
    until(panel, lambda: panel.desk.here.follower.view.is_live)

    path = Path(panel.desk.remembered._path)
    assert json.loads(path.read_text())["connection"]["server"] == farm.url
    assert path.stat().st_mode & 0o077 == 0
    path.write_text('{"wishes": 3, "connection": {"server": 5}}')
    again = type(panel.desk.remembered)(str(path), {"overrides": {}}, ())
    assert again.connection()["server"] == "5" and again.wishes() == {"overrides": {}}


def test_jobs_with_their_pictures_can_be_ordered_about(program, farm, opened, monkeypatch, tmp_path):
    from PySide6 import QtGui, QtWidgets

    image = QtGui.QImage(16, 9, QtGui.QImage.Format_RGB32)
    image.fill(0)
    image.save(str(tmp_path / "p.png"))
    progress = {"total": 4, "done": 1, "running": 0, "failed": 1}
    farm.jobs += [
        {"jobID": "00007", "name": "one", "status": "RUNNING", "progress": progress, "priority": 95},
        {"jobID": "00008", "name": "two", "status": "PAUSED", "progress": progress, "priority": 5},
    ]
    frames = [{"frame": 3, "status": "DONE", "published_at": "2026-11-28T10:00:00Z", "hash": "ab" * 32}]
    farm.bad["GET /jobs/00007/frames"] = (200, frames)
    farm.bad["GET /jobs/00007/frames/3/preview"] = (200, (tmp_path / "p.png").read_bytes())
    farm.bad["GET /jobs/00007/frames/3"] = (200, b"picture")
    browsed = []
    monkeypatch.setattr(part("outfield_qt.desk").webbrowser, "open", browsed.append)
    panel = opened()
    until(panel, lambda: [each for each in panel.findChildren(QtWidgets.QLabel) if not each.pixmap().isNull()])
    ours = {"Render on farm", "Save preset", "Keep on the farm", "Missing only"}
    for label in set(buttons(panel)) - ours:
        press(panel, label)
    until(panel, lambda: "Open" in buttons(panel))
    press(panel, "Open")

    ordered = {"cancel", "retry", "pause", "resume", "priority"}
    until(panel, lambda: ordered == {each.rpartition("/")[2] for each in farm.asked if each.startswith("POST /jobs")})
    assert any(url.startswith(f"{farm.url}/#/jobs/") for url in browsed)
    assert Path(browsed[-1].removeprefix("file://")).read_bytes() == b"picture"


def test_a_refused_one_can_be_dismissed(program, farm, opened):
    farm.bad["POST /new_job"] = (422, {"code": "bad", "hint": "Never."})
    panel = opened()
    press(panel, "Render on farm")
    until(panel, lambda: "Dismiss" in buttons(panel))
    press(panel, "Dismiss")
    until(panel, lambda: "Dismiss" not in buttons(panel))

    assert panel.desk.here.spool.refused() == []


def test_every_fix_mends_what_it_is_offered_for(program, opened, folder):
    (folder / "render").mkdir()
    (folder / "render" / "shot.0001.exr").write_text("there")
    panel = opened()
    panel.desk.remembered.wish("frames_mode", "RANGE")
    panel.desk.remembered.wish("frames", "1-x")
    for label, wish in (("Scene's frames", ("frames_mode", "SCENE")), ("Missing only", ("frames_mode", "MISSING"))):
        until(panel, lambda label=label: label in buttons(panel))
        press(panel, label)
        assert panel.desk.remembered.wishes()[wish[0]] == wish[1]
    until(panel, lambda: "Nothing stands in the way." in said(panel))


def test_many_findings_are_counted(program, opened, folder):
    for number in range(15):
        if hasattr(program, "references"):
            program.file(f"/obj/tex{number}", f"$HIP/gone{number}.png")
        else:
            program.read(f"Read{number}", f"gone{number}.png")
    panel = opened()
    until(panel, lambda: "and 3 more" in said(panel))


def test_what_is_being_sent_is_shown_and_can_be_stopped(program, farm, opened):
    farm.hangs_on = "POST /new_job"
    panel = opened()
    press(panel, "Render on farm")
    until(panel, lambda: "Asking the farm" in said(panel) and "Cancel" in buttons(panel))
    press(panel, "Cancel")
    farm.hang.set()
    until(panel, lambda: not panel.desk.here.sender.busy)


def test_a_panel_that_the_program_has_deleted_is_forgotten_and_work_goes_on(program, farm, opened):
    panel = opened()
    here = panel.desk.here
    press(panel, "Render on farm")
    part("outfield_qt.window")._window.clear()
    panel.deleteLater()
    delete_what_is_closed()
    until(None, lambda: farm.jobs and here.draw is None)


def test_a_second_window_takes_the_place_of_the_first(program, opened):
    first = opened()
    second = part("window").show()

    delete_what_is_closed()
    assert second.isVisible()
    with pytest.raises(RuntimeError, match="deleted"):
        first.isVisible()
    assert second.desk.here.draw == second.draw
    pane = part("window").new_panel()
    assert pane.desk is second.desk
    pane.deleteLater()  # whose it is in life


def test_a_name_is_no_markup(program, opened, folder, built):
    program.path = str(folder / f"<b>x</b>{Path(program.path).suffix}")
    panel = opened()
    type_into(panel, "Name", "<i>job</i>")
    press(panel, "Render on farm")
    until(panel, lambda: panel.desk.here.sender.kept)

    assert panel.desk.here.sender.kept == ("<i>job</i>",)
