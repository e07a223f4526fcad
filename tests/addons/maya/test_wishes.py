"""What the artist sets in the panel: remembered, kept as presets, sent; and where the farm is."""

from __future__ import annotations

import json

import pytest
from fake_maya import part, until


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
    opened()
    maya.widget("textFieldGrp", "Farm")["changeCommand"]("ftp://farm")
    until(maya, lambda: "No connection" in maya.shown())
    maya.widget("textFieldGrp", "Farm")["changeCommand"](maya_farm.url)
    until(maya, lambda: "Farm fake, workers: 0" in maya.shown())

    assert maya.options["outfieldServer"] == maya_farm.url


def chosen(maya, label: str, at: int) -> None:
    """Choose an entry of a menu."""
    menu = maya.widget("optionMenuGrp", label)
    menu["select"] = at
    menu["changeCommand"]("")


def entries(maya, label: str) -> list[str]:
    """What a menu offers."""
    path = next(path for path, each in maya.widgets.items() if each.get("label") == label)
    return [each["label"] for each in maya.widgets.values() if each["parent"] == path + "|OptionMenu"]


def test_a_preset_is_kept_by_name_and_taken_over_by_choosing_it(maya, opened, monkeypatch):
    here, settings = opened(), part("settings")
    settings.wish("project", "Alpha")
    settings.wish("split_mode", "TILES")
    settings.wish("priority", 80)
    for typed in (None, "  ", "heavy"):
        maya.prompt = typed
        maya.press("Save preset")
    until(maya, lambda: entries(maya, "Presets") == ["–", "heavy"])
    settings.wish("split_mode", "FRAMES")
    settings.wish("priority", 10)
    settings.wish("shot", "sh020")
    chosen(maya, "Presets", 1)
    assert settings.wishes()["priority"] == 10, "the dash is no preset"
    chosen(maya, "Presets", 2)

    wishes = settings.wishes()
    assert (wishes["split_mode"], wishes["priority"], wishes["shot"]) == ("TILES", 80, "sh020")
    settings.wish("project", "Beta")
    until(maya, lambda: entries(maya, "Presets") == ["–"])
    monkeypatch.setattr(part("outfield_core.presets"), "write_json", _no_space)
    maya.prompt = "other"
    maya.press("Save preset")
    assert here.messages[-1] == (False, "The preset cannot be saved: No space left on device.")


def _no_space(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("able", "offered"),
    [({}, ["Frames", "Tiles", "Samples"]), ({"tiles": True, "samples": False}, ["Frames", "Tiles"]),
     ({"tiles": False, "samples": False}, ["Frames"])],
)  # fmt: skip
def test_frames_are_split_as_the_farms_renderer_takes_it(maya, maya_farm, opened, able, offered):
    maya_farm.info["renderers"][0].update(able)
    here = opened()
    until(maya, lambda: here.follower.view.is_live and entries(maya, "Split") == offered)
    if len(offered) == 1:
        return
    chosen(maya, "Split", 2)
    until(maya, lambda: "Columns" in maya.shown("intFieldGrp"))
    assert "Frames per task" not in maya.shown("intFieldGrp")
    maya.widget("intFieldGrp", "Columns")["changeCommand"](3)
    maya.widget("intFieldGrp", "Rows")["changeCommand"](99)
    maya.press("Render on farm")
    until(maya, lambda: maya_farm.jobs)
    (text,) = (each for each, _ in maya_farm.answered.values())
    assert json.loads(text)["split"] == {"tiles": [3, 64]}
    if len(offered) == 3:
        chosen(maya, "Split", 3)
        until(maya, lambda: "Slices" in maya.shown("intFieldGrp"))


def test_a_split_that_the_renderer_does_not_take_is_told_and_mended(maya, maya_farm, opened):
    maya_farm.info["renderers"][0].update({"tiles": False, "samples": False})
    part("settings").wish("split_mode", "SAMPLES")
    here = opened()
    until(maya, lambda: "Whole frames" in maya.shown("button"))
    assert "The farm's renderer arnold does not split frames in this way." in maya.shown()
    maya.press("Render on farm")
    until(maya, lambda: not here.moves)
    assert maya_farm.jobs == []
    maya.press("Whole frames")
    until(maya, lambda: "Whole frames" not in maya.shown("button"))

    assert part("settings").wishes()["split_mode"] == "FRAMES"
