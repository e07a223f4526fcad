"""The add-on in a real Blender window: work goes on, the undo history is kept, the main thread is never held."""

from __future__ import annotations

import pytest
from blender_window import run_window
from components import require
from fake_farm import TOKEN, fake_farm

pytestmark = pytest.mark.processes

OBJECTS = 10_000
"""`benchmarks/addon.py` measures 50,000, which take Blender half a minute to make."""
HELD_S_MAX = 0.05
CHECK_S_MAX = 3.0


@pytest.fixture(scope="module")
def home(new_home):
    require("xvfb")
    return new_home("blender")


def test_a_submission_touches_neither_file_nor_session_nor_history(home):
    (scene,) = home.run(["addon_scenes:make_rich", str(home.folder / "project")])
    with fake_farm() as farm:
        answer = run_window(home, "addon_session:work_and_submit", farm.url, TOKEN, scene=scene)
        jobs = [job["name"] for job in farm.jobs]

    assert jobs == ["light"]
    assert answer["messages"] == ["light is job 00001."]
    assert answer["session"][0] == answer["session"][1]
    assert answer["same_file"] and answer["same_file_at_the_end"]
    assert answer["history"] == [[True, False], [False, False], [True, False], [True, True]]
    for off, on in zip(answer["off"], answer["on"], strict=True):
        nothing = {"classes": [], "operators": [], "property": False, "timer": False, "threads": [], "handlers": 0}
        assert off == nothing
        assert on["threads"] == ["outfield-follower", "outfield-sender"]
        assert on["timer"] and on["property"] and "OUTFIELD_PT_render" in on["classes"]


@pytest.fixture(scope="module")
def many_objects(home):
    path = home.folder / "many.blend"
    home.run(["addon_load:many_objects", str(path), OBJECTS])
    return str(path)


def test_a_scene_of_10_000_objects_does_not_hold_the_main_thread(home, many_objects):
    with fake_farm() as farm:
        told = run_window(home, "addon_load:hold", farm.url, TOKEN, scene=many_objects)

    assert told["messages"] == ["many is job 00001."], told
    assert told["held_s"] < HELD_S_MAX, told
    assert told["check_s"] < CHECK_S_MAX, told


def test_nor_does_writing_a_copy_of_it_when_it_was_changed(home, many_objects):
    told = run_window(home, "addon_load:save_of_changes", scene=many_objects)

    assert told["turns"] > 1 and told["is_dirty"], told
    assert told["held_s"] < HELD_S_MAX, told
