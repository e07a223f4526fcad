"""Whole frames through the runner: the very pixels of `blender -b FILE -a`, whatever was rendered before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blend_scenes import is_bpy, pixels, same_pixels

from scheduler.protocol.work import SampleSlice, Tile
from worker.runners.base import RenderFailed

pytestmark = pytest.mark.processes
Reference = Callable[[str], list[Path]]


@pytest.mark.parametrize(("scene", "form"), [("png", "png"), ("exr", "exr")])
def test_an_animation_is_that_of_blender_itself(bench: Any, reference: Reference, scene: str, form: str) -> None:
    order = [7, 3, 12, 1, 2, 4, 5, 6, 8, 9, 10, 11]
    produced = bench.run(scene, frames=order[:5], format=form)
    produced += bench.run(scene, frames=order[5:], format=form)
    assert [item.frame for item in produced] == order
    expected = reference(scene)
    assert len(expected) == 12
    for item in produced:
        assert item.name == f"{item.frame:04d}.{form}"
        assert same_pixels(item.path, expected[item.frame - 1]), f"frame {item.frame} differs"


@pytest.mark.parametrize(("scene", "form"), [("jpg", "jpg"), ("deep", "png"), ("multilayer", "exr")])
def test_the_scenes_own_format_settings_are_kept(bench: Any, reference: Reference, scene: str, form: str) -> None:
    assert same_pixels(bench.frame(scene, 2, format=form), reference(scene)[1])


def test_another_format_than_the_scenes_gets_plain_settings(bench: Any) -> None:
    deep = pixels(bench.frame("layers", format="exr"))
    assert {name: plane.dtype for name, plane in deep.items()} == dict.fromkeys("RGBA", np.dtype("float16"))
    assert list(pixels(bench.frame("exr", format="png"))) == ["RGB"]
    assert list(pixels(bench.frame("layers", format="jpg"))) == ["RGB"]
    full = pixels(bench.frame("layers", format="exr", settings={"color_depth": "32", "exr_codec": "PIZ"}))
    assert full["R"].dtype == np.float32


def test_frames_before_zero(bench: Any) -> None:
    before, at, after = bench.run("png", frames=[-5, 0, 5])
    assert [before.name, at.name, after.name] == ["-0005.png", "0000.png", "0005.png"]
    assert not same_pixels(before.path, at.path)
    assert not same_pixels(before.path, after.path)


def test_overrides_change_what_they_name(bench: Any) -> None:
    plain = bench.frame("layers")
    assert not same_pixels(plain, bench.frame("layers", settings={"camera": "Right"}))
    assert not same_pixels(plain, bench.frame("layers", settings={"samples": 1}))
    assert not same_pixels(plain, bench.frame("layers", settings={"seed": 7}))
    assert not same_pixels(plain, bench.frame("layers", settings={"scene": "Other"}))
    assert same_pixels(plain, bench.frame("layers", settings={"view_layer": "ViewLayer", "denoise": False}))
    assert pixels(bench.frame("layers", settings={"width": 20, "height": 10}))["RGBA"].shape == (10, 20, 4)
    assert pixels(bench.frame("layers", settings={"percentage": 50}))["RGBA"].shape == (18, 32, 4)
    assert list(pixels(bench.frame("layers", settings={"color_mode": "BW"}))) == ["L"]


def test_a_named_camera_beats_the_timelines_markers(bench: Any, reference: Reference) -> None:
    right = bench.frame("png", 2, settings={"camera": "Right"})
    assert not same_pixels(right, reference("png")[1])
    left = bench.frame("png", 8, settings={"camera": "Left"})
    assert not same_pixels(left, reference("png")[7])


@pytest.mark.parametrize("scene", ["layers", "persistent"])
def test_no_task_sees_what_another_has_set(bench: Any, reference: Reference, scene: str) -> None:
    """One process renders them all; afterwards the first frame is the same again, to the bit."""
    first = bench.frame(scene, 3)
    pid = bench.pid()
    overrides = {"width": 31, "height": 17, "percentage": 200, "samples": 2, "seed": 5, "camera": "Right"}
    bench.frame(scene, 4, format="exr", settings={**overrides, "color_depth": "32", "exr_codec": "DWAA"})
    bench.frame(scene, 5, format="jpg", settings={"quality": 3, "color_mode": "BW", "engine": "WORKBENCH"})
    if scene == "layers":
        bench.frame(scene, 6, settings={"scene": "Other", "threads": 1, "device": "CPU"})
        bench.frame(scene, 6, settings={"view_layer": "Second"})
    with pytest.raises(RenderFailed, match="no camera named"):
        bench.frame(scene, 4, settings={"samples": 2, "camera": "Middle"})
    part = bench.run(scene, frames=[7], partial=True, tile=Tile(0, 0, 2, 1), slice=SampleSlice(0, 2))
    rest = [
        bench.run(scene, frames=[7], partial=True, tile=Tile(col, 0, 2, 1), slice=SampleSlice(index, 2))[0]
        for col, index in ((1, 0), (0, 1), (1, 1))
    ]
    bench.run(scene, frames=[7], kind="merge", inputs=[*part, *rest])
    assert same_pixels(bench.frame(scene, 3), first)
    assert bench.pid() == pid, "the process was not kept"
    assert same_pixels(first, reference(scene)[2])


def test_a_film_is_rendered_as_single_frames(bench: Any) -> None:
    """Formats that the farm does not know are replaced for the task and put back after it."""
    first, deep = bench.frame("movie"), bench.frame("movie", format="exr")
    pid = bench.pid()
    assert (list(pixels(first)), sorted(pixels(deep))) == (["RGB"], ["A", "B", "G", "R"])
    assert same_pixels(bench.frame("movie"), first)
    assert bench.pid() == pid


def test_a_file_that_has_changed_is_read_again(bench: Any, tmp_path: Path) -> None:
    scene = shutil.copy(bench.scenes["many"], tmp_path / "scene.blend")
    first = bench.frame(scene)
    shutil.copy(bench.scenes["layers"], scene)
    assert not same_pixels(bench.frame(scene), first)


def test_nodes_that_write_files_of_their_own_are_switched_off(bench: Any) -> None:
    bench.frame("file")
    assert not (bench.scenes["file"].parent / "elsewhere").exists()
    assert any("File Output" in line and "switched off" in line for line in bench.log)


def test_other_engines(bench: Any) -> None:
    # without a GPU the shaders of 4.5's EEVEE take half a minute to compile; there Workbench has to do
    for engine in ["WORKBENCH"] if is_bpy(bench.program) else ["WORKBENCH", "EEVEE"]:
        settings = {"engine": engine, "samples": 1, "width": 16, "height": 9}
        assert pixels(bench.frame("png", settings=settings))["RGBA"].shape == (9, 16, 4)


def test_progress_grows_to_one(bench: Any) -> None:
    bench.run("png", frames=[1, 2, 3, 4])
    fractions = [fraction for fraction, _ in bench.progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert "frame 4" in bench.progress[-1][1]


def test_what_this_machine_has(bench: Any) -> None:
    said = bench.runner.versions()
    assert len(said["versions"]) == 1
    assert said["blenders"][0]["kind"] == ("bpy" if is_bpy(bench.program) else "blender")
    assert "CYCLES" in said["blenders"][0]["engines"]


def test_the_open_scene_is_warm(bench: Any) -> None:
    bench.run("png", job="00077")
    assert "00077" in bench.runner.warm()
