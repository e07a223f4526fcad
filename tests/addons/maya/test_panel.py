"""The panel, the menu, the button, the fixes, pressed on the fake Maya, whose widgets know the flags of the real."""

from __future__ import annotations

import importlib.util
import time

from fake_maya import part, until


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


def test_a_refused_one_can_be_dismissed(maya, maya_farm, opened):
    maya_farm.bad["POST /new_job"] = (422, {"code": "bad", "hint": "Never."})
    here = opened()
    until(maya, lambda: here.follower.view.is_live)
    maya.press("Render on farm")
    until(maya, lambda: "Dismiss" in maya.shown("button"))
    maya.press("Dismiss")
    until(maya, lambda: "Dismiss" not in maya.shown("button"))

    assert here.spool.refused() == []


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
