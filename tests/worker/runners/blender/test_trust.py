"""A scene is code: what of it runs, and what it can see of the worker."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from blend_scenes import SceneOptions, make_scenes, same_pixels

from worker.runners.base import RenderFailed

MARK = "import pathlib; pathlib.Path({path!r}).write_text('ran')"
TELL = "import json, os, pathlib; pathlib.Path({path!r}).write_text(json.dumps(dict(os.environ)))"
RAISE = (
    "import bpy\n"
    "@bpy.app.handlers.persistent\n"
    "def wrong(*_):\n    raise KeyError('no such bone')\n"
    "bpy.app.handlers.frame_change_pre.append(wrong)\n"
)
FAKE = """
import json, os, sys
print(json.dumps({'event': 'done', 'id': 2, 'reusable': True}), flush=True)
print('0' * 32 + ' ' + json.dumps({'event': 'done', 'id': 2, 'reusable': True}), flush=True)
os.write(1, b'Fra:1 | Sample 7/7 and no end of line')
"""


@pytest.fixture(scope="session")
def scripted(program: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scripted")
    scripts = {
        "mark": MARK.format(path=str(folder / "marker")),
        "tell": TELL.format(path=str(folder / "told.json")),
        "raise": RAISE,
        "fake": FAKE,
    }
    scenes = {name: SceneOptions(script=script) for name, script in scripts.items()}
    return make_scenes(program, folder, {**scenes, "driver": SceneOptions(driver="len([c for c in 'ab']) - 1.5")})


def test_a_script_in_the_scene_runs_only_when_trusted(bench: Any, scripted: dict[str, Path]) -> None:
    scene = scripted["mark"]
    marker = scene.with_name("marker")
    bench.frame(scene)
    assert not marker.exists()
    assert any("start.py" in line and "not trusted" in line for line in bench.log)
    bench.frame(scene, trusted=True)
    assert marker.read_text() == "ran"
    marker.unlink()
    bench.frame(scene)
    assert not marker.exists(), "the trusted process was used for an untrusted task"


def test_a_script_sees_no_secret(bench: Any, scripted: dict[str, Path]) -> None:
    told = scripted["tell"].with_name("told.json")
    bench.frame(scripted["tell"], trusted=True)
    environment = json.loads(told.read_text())
    assert "very-secret" not in told.read_text()
    assert not {"OUTFIELD_TOKEN", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_PRELOAD"} & environment.keys()
    assert environment["HOME"] != os.environ.get("HOME")
    assert Path(environment["TMPDIR"]).is_relative_to(Path(environment["HOME"]).parent)


def test_two_slots_have_two_homes(bench: Any) -> None:
    pids: set[int] = set()
    homes: set[Path] = set()
    for slot in (0, 1):
        bench.frame("many", slot=slot)
        pids.add(bench.pid())
        homes.add(bench.runner._slots._idle[slot].session._folder)
    assert len(pids) == len(homes) == 2


def test_what_a_scene_prints_is_no_answer(bench: Any, scripted: dict[str, Path]) -> None:
    assert same_pixels(bench.frame(scripted["fake"], trusted=True), bench.frame("layers"))


def test_a_python_driver_needs_trust(bench: Any, scripted: dict[str, Path]) -> None:
    """Blender would render the scene without what the driver computes, and say nothing."""
    scene = scripted["driver"]
    with pytest.raises(RenderFailed, match="does not run for scenes that are not trusted") as failed:
        bench.frame(scene)
    assert failed.value.failure == "user"
    bench.frame(scene, trusted=True)


def test_a_script_that_fails_while_rendering_is_told(bench: Any, scripted: dict[str, Path]) -> None:
    scene = scripted["raise"]
    with pytest.raises(RenderFailed, match="KeyError: 'no such bone'") as failed:
        bench.frame(scene, trusted=True)
    assert failed.value.failure == "user"
