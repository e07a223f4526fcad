"""What stands in the way in a Maya scene, and what the fixes do about it."""

from __future__ import annotations

import pytest
from fake_maya import part, until


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


def test_more_findings_than_fit_are_counted_and_a_trial_that_fails_is_told(maya, maya_farm, opened):
    for number in range(15):
        maya.scene.file(f"f{number}", f"sourceimages/{number}.png")
    maya_farm.bad["POST /rules/test"] = (422, {"code": "odd", "hint": "So it is."})
    here = opened()
    until(maya, lambda: any("So it is." in text for text in maya.shown()))
    until(maya, lambda: "and 4 more" in maya.shown())

    assert [finding.code for finding in here.found] == ["missing_image"] * 15 + ["no_worker"]
