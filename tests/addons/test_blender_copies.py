"""How a copy of a changed scene is written in a real Blender window, whatever becomes of the child that writes it."""

from __future__ import annotations

import pytest
from blender_window import run_window
from components import require

KEPT = (
    "by a child", "no memory for a child", "the child is killed", "somebody else waits for the child",
    "the child hangs",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(new_home):
    require("xvfb")
    return new_home("blender")


@pytest.fixture(scope="module")
def scene(home):
    (path,) = home.run(["addon_scenes:make_rich", str(home.folder / "project")])
    return path


@pytest.fixture(scope="module")
def told(home, scene):
    return run_window(home, "addon_copies:copies", scene=scene)


@pytest.mark.parametrize("way", KEPT)
def test_what_is_open_is_kept_whatever_becomes_of_the_child(home, told, way):
    (cameras,) = home.run(["addon_copies:cameras", *told[way]["copies"]])

    assert cameras == [told[way]["at"]], told[way]


def test_a_full_disk_is_said_and_nothing_is_left(told):
    full = told["the disk is full"]

    assert full["copies"] == [] and full["left"] == []
    assert ["No space left on device" in text for text in full["messages"]] == [True], full


def test_the_session_stays_as_it_is_and_no_child_is_left(told):
    assert {name: (each["same_session"], each["children"]) for name, each in told.items()} == dict.fromkeys(
        told, (True, "")
    )


def test_cancel_while_a_child_writes_leaves_nothing(home, scene):
    told = run_window(home, "addon_copies:stop_meanwhile", scene=scene)

    assert [name for name in told["half"] if name.endswith("light.blend")]
    assert (told["left"], told["children"]) == ([], "")
