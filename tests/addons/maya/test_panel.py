"""The panel, the menu, the button, the fixes, pressed on the fake Maya, whose widgets know the flags of the real."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest
from fake_maya import part


def until(maya, condition, within_s: float = 10.0) -> None:
    """Give Maya its turns until something is so."""
    for _ in range(int(within_s / 0.02)):
        maya.turn()
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(maya.shown())


@pytest.fixture
def quick(monkeypatch):
    """Turns come fast."""
    monkeypatch.setattr(part("outfield_core.host"), "QUIET_S", 0.01)
    return part("session")


@pytest.fixture
def opened(maya, quick):
    """Opens the panel and waits for its first check."""

    def go():
        part("panel").show()
        until(maya, lambda: quick.current().found_s > 0 and not quick.current().moves)
        maya.turn()
        return quick.current()

    return go


def plugin(maya_module):
    specification = importlib.util.spec_from_file_location("shim", maya_module / "plug-ins" / "outfield_maya.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_plug_in_comes_and_goes_without_a_trace(maya, maya_module):
    before = dict(maya.widgets)
    shim = plugin(maya_module)
    shim.initializePlugin(object())
    shim.maya_useNewAPI()
    made = set(maya.widgets) - set(before)
    assert {maya.widgets[each]["kind"] for each in made} == {"menu", "menuItem", "shelfButton"}
    part("start_up").add_button()
    part("start_up").add_menu()
    assert len(set(maya.widgets) - set(before)) == len(made), "no second one"
    exec(maya.widget("menuItem", "My jobs on the farm")["command"], {})
    assert part("panel").PANEL in maya.widgets
    part("panel").show()
    shim.uninitializePlugin(object())

    assert maya.widgets == before
    assert not part("session").is_on()


def test_in_batch_there_is_no_widget(maya, maya_module):
    maya.scene.batch = True
    before = dict(maya.widgets)
    shim = plugin(maya_module)
    shim.initializePlugin(object())
    part("start_up").load()
    shim.uninitializePlugin(object())

    assert maya.widgets == before and maya.plugins == set()


def test_a_button_that_the_artist_has_removed_stays_away(maya):
    start_up = part("start_up")
    start_up.add_button()
    (button,) = [path for path, each in maya.widgets.items() if each["kind"] == "shelfButton"]
    del maya.widgets[button]
    maya.widgets["ShelfLayout"]["selectTab"] = "Other"
    maya.widgets["ShelfLayout|Other"] = {"kind": "shelfLayout", "parent": "ShelfLayout"}
    start_up.add_button()
    assert not maya.shown("shelfButton")
    start_up.remove_button()
    start_up.remove_button()
    start_up.add_button()

    assert maya.options[start_up.SHELF] == "Other"


def test_hidden_shelves_get_no_button(maya):
    del maya.widgets["ShelfLayout|Custom"], maya.widgets["ShelfLayout"]
    part("start_up").switch_on()
    part("start_up").remove_button()

    assert not maya.shown("shelfButton")


def test_offline_it_keeps_and_says_so(maya, opened, quick):
    here = opened()
    until(maya, lambda: "The farm is away" in maya.shown())
    assert "Nothing stands in the way." in maya.shown()
    assert f"Output: {maya.scene.project}/images/shot.####.exr" in maya.shown()
    maya.press("Render on farm")
    until(maya, lambda: "Kept here, sent when the farm is back: 1" in maya.shown())

    assert len(here.spool.waiting()) == 1
    part("panel").submit()
    part("panel").submit()
    assert "One submission is being prepared already." in [text for _, text in here.messages]
    here.stop_sending()
    until(maya, lambda: not here.moves)
    assert len(here.spool.waiting()) == 1


def test_a_farm_without_maya_offers_the_mesh_and_it_arrives(maya, farm, opened):
    here = opened()
    until(maya, lambda: any("no renderer for Maya scenes" in text for text in maya.shown()))
    maya.press("Render on farm")
    until(maya, lambda: not here.moves)
    assert farm.jobs == []
    maya.press("Preview of the mesh")
    until(maya, lambda: any("Only the mesh" in text for text in maya.shown()))
    maya.press("Render on farm")
    until(maya, lambda: farm.jobs and any("00001 shot preview" in text for text in maya.shown("frameLayout")))

    assert "shot preview is job 00001." in maya.shown()
    assert "waits, 0 of 2" in maya.shown()


def test_jobs_can_be_ordered_about(maya, maya_farm, opened):
    progress = {"total": 4, "done": 1, "running": 0, "failed": 1}
    maya_farm.jobs += [
        {"jobID": "00007", "name": "one", "status": "RUNNING", "progress": progress, "priority": 95},
        {"jobID": "00008", "name": "two", "status": "PAUSED", "progress": progress, "priority": 5},
        {"jobID": "00009", "name": "three", "status": "CANCELED", "progress": progress, "priority": 5},
    ]
    frames = [{"frame": 3, "status": "DONE", "published_at": "2026-11-28T10:00:00Z", "hash": "ab" * 32}]
    maya_farm.bad["GET /jobs/00007/frames"] = (200, frames)
    maya_farm.bad["GET /jobs/00007/frames/3"] = (200, b"picture")
    opened()
    until(maya, lambda: any("00009 three" in text for text in maya.shown("frameLayout")))
    for label in set(maya.shown("button")) - {"Render on farm"}:
        maya.press(label)
    until(maya, lambda: part("jobs_panel")._fetched and any("00007_0003" in text for text in maya.shown()))

    asked = {each for each in maya_farm.asked if each.startswith("POST /jobs")}
    assert {each.rpartition("/")[2] for each in asked} == {"cancel", "retry", "pause", "resume", "priority"}
    assert Path(part("jobs_panel")._fetched[0]).read_bytes() == b"picture"
    assert maya.launched == [f"{maya_farm.url}/#/jobs/00007"]


def test_wishes_are_remembered_and_those_of_one_scene_are_not(maya, maya_farm, opened):
    here = opened()
    until(maya, lambda: here.follower.view.is_live and "Aa samples" in maya.shown("textFieldGrp"))
    for label, value in (
        ("Name", "my shot"),
        ("Shot", "sh010"),
        ("Project", "Alpha"),
        ("Aa samples", "4"),
        ("Denoise", "Yes"),
    ):
        maya.widget("textFieldGrp", label)["changeCommand"](value)
    maya.widget("intFieldGrp", "Priority")["changeCommand"](700)
    maya.widget("checkBoxGrp", "Hold")["changeCommand"](True)
    menu = maya.widget("optionMenuGrp", "Frames")
    menu["select"] = 2
    menu["changeCommand"]("Range")
    until(maya, lambda: "Range" in maya.shown("textFieldGrp"))
    maya.widget("textFieldGrp", "Range")["changeCommand"]("1-4")
    maya.press("Render on farm")
    until(maya, lambda: maya_farm.jobs)

    (text,) = (each for each, _ in maya_farm.answered.values())
    assert all(
        part in text
        for part in ('"my shot"', '"sh010"', '"Alpha"', '"1-4"', '"aa_samples": 4', '"denoise": true', '"paused": true')
    )
    assert '"priority": 100' in text
    maya.widget("textFieldGrp", "Aa samples")["changeCommand"]("none")
    assert "Aa samples cannot be 'none'" in here.messages[-1][1]
    settings = part("settings")
    settings.forget()
    wishes = settings.wishes()
    assert (wishes["project"], wishes["priority"], wishes["shot"], wishes["overrides"]) == ("Alpha", 100, "", {})
    maya.options[settings.WISHES] = "{]"
    settings.forget()
    assert settings.wishes() == settings.DEFAULTS
    settings.wish("overrides", {"aa_samples": 2})
    settings.wish("preview", True)
    assert settings.wishes()["overrides"] == {}, "they were another renderer's"


def test_the_connection_is_set_in_mayas_preferences(maya, maya_farm, opened, monkeypatch):
    monkeypatch.setenv("OUTFIELD_SERVER", "")
    here = opened()
    maya.widget("textFieldGrp", "Farm")["changeCommand"]("ftp://farm")
    until(maya, lambda: "No connection" in maya.shown())
    maya.widget("textFieldGrp", "Farm")["changeCommand"](maya_farm.url)
    until(maya, lambda: here.follower.view.is_live)

    assert maya.options["outfieldServer"] == maya_farm.url
    assert "Farm fake, workers: 0" in maya.shown()


def test_a_refused_one_can_be_dismissed(maya, maya_farm, opened):
    maya_farm.bad["POST /new_job"] = (422, {"code": "bad", "hint": "Never."})
    here = opened()
    until(maya, lambda: here.follower.view.is_live)
    maya.press("Render on farm")
    until(maya, lambda: "Dismiss" in maya.shown("button"))
    maya.press("Dismiss")
    until(maya, lambda: "Dismiss" not in maya.shown("button"))

    assert here.spool.refused() == []


def test_every_fix_mends_what_it_is_offered_for(maya, project, opened):
    scene = maya.scene
    elsewhere = project / "moved"
    elsewhere.mkdir()
    for name in ("wood.png", "skin.1001.exr", "char.ma"):
        (elsewhere / name).write_text(name)
    scene.file("wood", "sourceimages/wood.png")
    scene.file("skin", "sourceimages/skin.1001.exr", uvTilingMode=3)
    scene.reference("charRN", str(project / "char.ma"))
    scene.reference("propRN", str(elsewhere / "char.ma"), loaded=False)
    scene.nodes["defaultRenderLayer"]["renderable"] = False
    scene.nodes["|persp|perspShape"]["renderable"] = False
    part("settings").wish("frames_mode", "RANGE")
    part("settings").wish("frames", "1-x")
    (project / "images").mkdir()
    (project / "images" / "shot.0001.exr").write_text("there")
    scene.picked = [str(elsewhere)]
    here = opened()
    offered = {finding.fix for finding in here.found}
    assert {"find_files", "load_reference", "use_layer", "use_camera", "scene_frames"} <= offered
    pressed = set()
    while left := [finding for finding in here.found if finding.fix and finding.fix not in pressed]:
        maya.press(part("fixes").LABELS[left[0].fix])
        pressed.add(left[0].fix)
        until(maya, lambda: here.found_for is not None and not here.moves)

    assert [finding.code for finding in here.found] == ["unsaved_changes"]
    assert pressed == offered | {"missing_only"}
    assert scene.nodes["wood"]["fileTextureName"] == str(elsewhere / "wood.png")
    assert scene.references["charRN"][0] == str(elsewhere / "char.ma")
    assert maya.undo_depth == 0 and scene.writes == []


@pytest.mark.parametrize(
    "name", ["use_camera", "add_camera", "farm_output", "no_preview", "use_layer", "load_reference"]
)
def test_a_fix_that_maya_refuses_is_told(maya, name):
    scene = maya.scene
    scene.reference("propRN", "/p/a.ma", loaded=False)
    target = {"use_camera": "persp", "use_layer": "defaultRenderLayer", "load_reference": "propRN"}.get(name, "")
    part("fixes").fix(name, target)
    assert not part("session").current().messages
    if name == "add_camera":
        assert scene.nodes["|camera1|camera1Shape"]["renderable"] is True
    part("fixes").fix("use_layer", "gone")

    assert part("session").current().messages[-1] == (False, "Maya says: No object matches name: gone")
    assert maya.undo_depth == 0


def test_findings_that_only_maya_has(maya, opened):
    scene = maya.scene
    scene.unknown_plugins, scene.colour = ["vrayformaya"], (True, True, "/studio/config.ocio")
    scene.add("odd", "unknown")
    scene.add("cloth", "nCloth", playFromCache=None)
    scene.add("hair", "hairSystem", playFromCache=["cache1"])
    scene.add("evil", "script", scriptType=1)
    scene.add("uiConfigurationScriptNode", "script", scriptType=1)
    scene.nodes["defaultRenderGlobals"]["preMel"] = "delete"
    scene.ending = "iff"
    here = opened()
    said = {finding.code: finding.sentence for finding in here.found}

    assert set(said) == {"scripts_run", "ocio", "unknown_nodes", "unbaked", "format"}
    assert said["scripts_run"] == "Scripts in the file run on the farm, where its workers allow it: evil, preMel."
    assert said["unknown_nodes"] == "1 nodes are of plug-ins that are not loaded here: vrayformaya."
    assert "simulation cloth" in said["unbaked"]
    scene.colour = (False, True, "")
    assert part("scene").colour_configuration() == ""
    scene.colour = (True, True, "<MAYA_RESOURCES>/OCIO-configs/config.ocio")
    assert part("scene").colour_configuration() == ""


def test_a_node_that_goes_while_it_is_read_is_told_and_nothing_is_left(maya, opened, monkeypatch):
    here = opened()
    maya.scene.file("wood", "sourceimages/wood.png")
    del maya.scene.nodes["wood"]["uvTilingMode"]
    maya.press("Render on farm")
    until(maya, lambda: not here.moves and here.messages)

    assert here.messages[-1][1].startswith("Maya says: No object matches name: wood.uvTilingMode")
    assert here.spool.waiting() == []


def test_closed_it_asks_for_no_more_turns(maya, opened, quick):
    here = opened()
    part("panel").closed()
    until(maya, lambda: not here.moves)
    maya.turn()
    time.sleep(0.1)
    assert maya.turn() == 0
    here.draw = part("panel").draw
    del maya.widgets[next(path for path in maya.widgets if path.endswith("|Outfield_status"))]
    here.turn()

    assert here.draw is None


def test_where_and_when_it_would_be_done(maya):
    def outlook(trial):
        return [text for _, text in part("outfield_core.outlook").outlook(trial)]

    trial = {
        "route": {"chosen": ["onprem"]}, "rank": {"position": 2, "of": 9},
        "estimate": {"finish": "2020-01-02T10:00:00Z", "low": "2020-01-02T09:00:00Z", "high": "2020-01-03T09:00:00Z"},
    }  # fmt: skip
    lines = outlook(trial)

    assert lines[:2] == ["Runs on onprem", "Rank 2 of 9"]
    assert lines[2].startswith("Done about 02.01. ") and " to 03.01." in lines[2]
    cost = {"tasks": 3, "machine_hours": None, "usd": {"low": 0, "likely": 0, "high": 0}, "pools": [], "note": ""}
    assert outlook({"cost": cost}) == ["Tasks: 3", "Costs nothing"]
    nowhere = outlook({"placeable": False, "route": {"pools": [{"reason": "no worker"}]}})
    assert nowhere == ["No place can take it: no worker"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/p/a.####.exr", ("/p/a.####.exr", "exr", False)),
        ("/p/a_##.JPG", ("/p/a_##.JPG", "jpg", False)),
        ("/p/a.exr", ("/p/a.####.exr", "exr", False)),
        ("/p/a.####", ("/p/a.####.png", "png", False)),
        ("/p/a.exr.####", ("/p/a.####.exr", "exr", False)),
        ("/p/a.####.iff", ("/p/a.####.png", "png", False)),
        ("/p/a.mov", ("/p/a.####.png", "png", True)),
        ("C:\\p\\<RenderPass>\\a<Odd>.####.png", ("C:/p/beauty/a.####.png", "png", False)),
    ],
)
def test_output_names(maya, name, expected):
    assert part("roads").output_of(name) == expected


@pytest.mark.parametrize(
    ("raw", "hint", "expected"),
    [
        ("t.png", (0, False), ("image", "t.png")),
        ("t.<UDIM>.png", (0, False), ("udim", "t.<UDIM>.png")),
        ("t.1001.png", (3, False), ("udim", "t.1001.png")),
        ("t_u1_v1.png", (2, False), ("udim", "t_<UVTILE>.png")),
        ("t.<f>.png", (0, False), ("sequence", "t.1.png")),
        ("d/t.####.png", (0, False), ("sequence", "d/t.1.png")),
        ("t.0001.png", (0, True), ("sequence", "t.0001.png")),
    ],
)
def test_names_of_textures(maya, raw, hint, expected):
    assert part("dependencies").kind_of(raw, "image", hint) == expected


@pytest.mark.parametrize(
    ("fit", "aspect", "expected"),
    [(0, 16 / 9, 32.27), (1, 16 / 9, 32.27), (2, 16 / 9, 37.85), (3, 16 / 9, 37.85), (0, 1.0, 37.85), (3, 1.0, 54.43)],
)
def test_the_angle_of_view_as_rendered(maya, fit, aspect, expected):
    maya.scene.nodes["|persp|perspShape"]["filmFit"] = fit
    maya.scene.nodes["defaultResolution"]["deviceAspectRatio"] = aspect

    assert part("scene").pinhole("persp")["fov_deg"] == pytest.approx(expected, abs=0.01)
    assert part("scene").pinhole("cubeShape") == {}


def test_more_findings_than_fit_are_counted_and_a_trial_that_fails_is_told(maya, maya_farm, opened):
    for number in range(15):
        maya.scene.file(f"f{number}", f"sourceimages/{number}.png")
    maya_farm.bad["POST /rules/test"] = (422, {"code": "odd", "hint": "So it is."})
    here = opened()
    until(maya, lambda: any("So it is." in text for text in maya.shown()))
    until(maya, lambda: "and 4 more" in maya.shown())

    assert [finding.code for finding in here.found] == ["missing_image"] * 15 + ["no_worker"]


def test_a_still_is_its_current_frame(maya, opened):
    maya.scene.nodes["defaultRenderGlobals"]["animation"] = False

    assert part("scene").scene_frames() == "5"
