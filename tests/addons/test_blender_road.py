"""From the operator in a real Blender to frames at the scene's own output, and nothing else changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from blend_scenes import render_animation, same_pixels
from components import require

pytestmark = pytest.mark.processes


@pytest.mark.parametrize(("component", "window"), [("blender", False), ("blender", True), ("bpy", True)])
def test_frames_come_back_pixel_identical_and_the_file_is_untouched(
    component, window, new_home, blender_farm, tmp_path
):
    home = new_home(component)
    output = tmp_path / "render"
    (scene,) = home.run(["addon_scenes:make_rich", str(tmp_path / "project")])
    expected = render_animation(home.program, Path(scene), tmp_path / "expected")
    name = f"{component} {window}"
    settings = {"job_name": name, "paused": True}
    (answer,) = home.run(
        [
            "addon_acts:submit_file",
            scene,
            f"{output}/beauty_####",
            blender_farm.url,
            blender_farm.token,
            settings,
            window,
        ]
    )

    assert answer == {"result": ["FINISHED"], "same_file": True, "same_session": True, "spool": []}
    (job,) = [each for each in blender_farm.client.get("/jobs").json()["data"] if each["name"] == name]
    (tmp_path / "project").rename(tmp_path / "away")  # the workers have nothing but what was sent
    blender_farm.client.post(f"/jobs/{job['jobID']}/resume")
    blender_farm.succeed(job["jobID"])
    made = sorted(output.iterdir())
    assert [path.name for path in made] == ["beauty_0001.png", "beauty_0002.png", "beauty_0003.png"]
    for ours, theirs in zip(made, expected, strict=True):
        assert same_pixels(ours, theirs), ours


def test_blenders_own_client_installs_it_from_the_farm(blender_farm, tmp_path):
    python = require("bpy")
    (tool,) = python.parents[1].glob("lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    where = ["--local-dir", str(tmp_path), "--remote-url", f"{blender_farm.url}/addons/index.json"]
    manners = ["--online-user-agent", "test", "--access-token", "", "--timeout", "10"]
    for verb in (["sync"], ["install", "outfield", "--blender-version", "4.5.0"]):
        done = subprocess.run(
            [python, tool, *verb, *where, *manners], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    assert (tmp_path / "outfield" / "outfield_core" / "spool.py").is_file()
