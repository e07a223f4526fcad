"""The panel in a real Blender window in the five states that an artist meets, as pictures; `--basetemp` keeps them."""

from __future__ import annotations

import io

import pytest
from blender_window import run_window
from components import require
from fake_farm import TOKEN, fake_farm
from PIL import Image, ImageChops

NOBODY = "http://127.0.0.1:9"
TRIAL = {
    "route": {"chosen": ["onprem"]},
    "rank": {"position": 2, "of": 9, "priority_from": "submission"},
    "estimate": {"finish": "2030-01-02T10:00:00Z", "low": "2030-01-02T09:00:00Z", "high": "2030-01-03T09:00:00Z"},
    "cost": {
        "tasks": 3, "machine_hours": 2.0, "usd": {"low": 1.4, "likely": 2.1, "high": 3.2}, "pools": [], "note": "",
    },
}  # fmt: skip
WORKER = {
    "worker": "w1", "name": "node1", "status": "ACTIVE",
    "capabilities": {"renderers": {"blender": ["3.4.1"]}},
}  # fmt: skip
COLOURS_MIN = 40
"""A panel that draws nothing has a handful."""


@pytest.fixture(scope="module")
def home(new_home):
    require("xvfb")
    return new_home("blender")


@pytest.fixture(scope="module")
def pictures(home):
    """Each state: its picture, what it said, what it found."""
    (scene,) = home.run(["addon_scenes:make_rich", str(home.folder / "project")])
    taken = {}

    def take(state: str, server: str, **settings: object) -> None:
        path = home.folder / f"{state}.png"
        told = run_window(home, "addon_pictures:one_state", server, TOKEN, settings, state, str(path), scene=scene)
        taken[state] = (Image.open(path).convert("RGB"), told)

    with fake_farm() as farm:
        farm.bad["POST /rules/test"] = (200, TRIAL)
        farm.bad["GET /workers"] = (200, [WORKER])
        take("ready", farm.url, show_options=True, cost_cap_usd="5")
        take("errors", farm.url, frames_mode="RANGE", frames="1-x")
        farm.jobs.append(
            {
                "jobID": "00001", "name": "light", "status": "RUNNING", "priority": 50,
                "progress": {"total": 4, "done": 1, "running": 1, "failed": 0, "waiting": 2, "canceled": 0},
            }
        )  # fmt: skip
        farm.bad["GET /jobs/00001/frames"] = (200, [{"frame": 1, "status": "PUBLISHED", "published_at": "2030-01-01"}])
        farm.bad["GET /jobs/00001/frames/1/preview"] = (200, small_png())
        take("jobs", farm.url)
        farm.hangs_on = "PUT /blobs/"
        take("submitting", farm.url)
        farm.hang.set()
    home.run(["addon_acts:submit_file", scene, "//out/####", NOBODY, TOKEN, {}])
    take("offline", NOBODY)
    return taken


def small_png() -> bytes:
    """A picture of a frame."""
    file = io.BytesIO()
    Image.new("RGB", (64, 36), (200, 80, 20)).save(file, "PNG")
    return file.getvalue()


def test_every_state_is_drawn_and_each_looks_different(pictures):
    assert set(pictures) == {"ready", "errors", "jobs", "submitting", "offline"}
    for state, (picture, _told) in pictures.items():
        assert len(picture.getcolors(1 << 20)) > COLOURS_MIN, state
    states = list(pictures)
    for number, one in enumerate(states):
        for other in states[number + 1 :]:
            assert ImageChops.difference(pictures[one][0], pictures[other][0]).getbbox() is not None, (one, other)


def test_what_stands_in_the_way_is_red_and_only_there(pictures):
    def red(state: str) -> int:
        return sum(
            count for count, (r, g, b) in pictures[state][0].getcolors(1 << 20) if r > 200 and g < 140 and b < 140
        )

    assert red("errors") > 10 * max(red("ready"), 1)


def test_what_is_said_belongs_to_the_state(pictures):
    assert pictures["ready"][1] == {"messages": [], "found": []}
    assert pictures["errors"][1]["found"][0] == "'1-x' is not a frame range."
    assert pictures["offline"][1]["found"] == []
