"""A frame from tiles is the frame in one piece, to the bit; a frame from sample slices is it within rounding."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from blend_scenes import is_bpy, pixels, same_pixels

from scheduler.protocol.work import SampleSlice, Tile
from worker.runners.base import Produced, RenderFailed

pytestmark = pytest.mark.processes


def tiles(bench: Any, scene: str, cols: int, rows: int, **lease: Any) -> list[Produced]:
    """All tiles of a frame, in an order that no merge may depend on."""
    places = [(col, row) for row in range(rows) for col in range(cols)]
    random.Random(5).shuffle(places)
    return [bench.run(scene, partial=True, tile=Tile(col, row, cols, rows), **lease)[0] for col, row in places]


def slices(bench: Any, scene: str, count: int, **lease: Any) -> list[Produced]:
    order = random.Random(5).sample(range(count), count)
    return [bench.run(scene, partial=True, slice=SampleSlice(index, count), **lease)[0] for index in order]


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        ("png", {}),
        ("png", {"color_mode": "BW"}),
        ("png", {"color_depth": "16"}),
        ("jpg", {}),
        ("exr", {}),
        ("exr", {"color_depth": "32", "color_mode": "RGB"}),
    ],
)
def test_tiles_make_the_very_frame(bench: Any, form: str, settings: dict[str, Any]) -> None:
    """Odd size, transparent film, Filmic, dithering: what Blender does when it saves is done once, to the whole."""
    lease = {"format": form, "settings": settings}
    parts = tiles(bench, "glass", 4, 4, **lease)
    (merged,) = bench.run("glass", kind="merge", inputs=parts, **lease)
    assert (merged.kind, merged.name) == ("frame", f"0001.{form}")
    assert same_pixels(merged.path, bench.frame("glass", **lease))
    assert bench.progress == sorted(bench.progress, key=lambda said: said[0])


@pytest.mark.parametrize(("scene", "cols", "rows"), [("odd", 4, 3), ("odder", 7, 2), ("wide", 26, 1)])
def test_odd_sizes_have_no_seams(bench: Any, scene: str, cols: int, rows: int) -> None:
    """Sizes at which Blender's single-precision border would be a pixel short."""
    (merged,) = bench.run(scene, kind="merge", inputs=tiles(bench, scene, cols, rows))
    assert same_pixels(merged.path, bench.frame(scene))


def test_slices_of_16_are_a_render_of_64(bench: Any) -> None:
    lease = {"format": "exr", "settings": {"color_depth": "32"}}
    parts = slices(bench, "many", 4, **lease)
    assert sorted(part.meta["parts"][0][4] for part in parts) == [[[0, 16]], [[16, 16]], [[32, 16]], [[48, 16]]]
    (merged,) = bench.run("many", kind="merge", inputs=parts, **lease)
    whole = pixels(bench.frame("many", **lease))
    found = pixels(merged.path)
    assert found.keys() == whole.keys() == set("RGBA")
    for name in "RGBA":
        assert np.abs(found[name] - whole[name]).max() < 1e-5
    one = pixels(parts[0].path)
    assert np.abs(one["ViewLayer.Combined.R"] - whole["R"]).max() > 1e-3, "a slice alone is not the frame"


def test_slices_of_tiles_merged_in_two_levels(bench: Any) -> None:
    lease = {"format": "exr", "settings": {"color_depth": "32", "samples": 6}}
    rows = []
    for row in range(2):
        parts = [
            bench.run("many", partial=True, tile=Tile(col, row, 2, 2), slice=SampleSlice(index, 3), **lease)[0]
            for col in range(2)
            for index in (2, 0, 1)
        ]
        (level,) = bench.run("many", kind="merge", final=False, inputs=parts, **lease)
        assert (level.kind, level.name) == ("partial", "0001.merge.exr")
        rows.append(level)
    (merged,) = bench.run("many", kind="merge", inputs=list(reversed(rows)), **lease)
    whole = pixels(bench.frame("many", **lease))
    for name, plane in pixels(merged.path).items():
        assert np.abs(plane - whole[name]).max() < 1e-5


def test_more_slices_than_samples(bench: Any) -> None:
    settings = {"samples": 2}
    parts = slices(bench, "many", 3, settings=settings)
    assert sorted(part.meta["samples"] for part in parts) == [0, 1, 1]
    (merged,) = bench.run("many", kind="merge", inputs=parts, settings=settings)
    assert same_pixels(merged.path, bench.frame("many", settings=settings))


@pytest.mark.parametrize(("scene", "form"), [("blur", "png"), ("normal", "png"), ("multilayer", "exr")])
def test_compositing_is_done_to_the_whole(bench: Any, scene: str, form: str) -> None:
    """A blur reaches across tiles, and other passes may go into the picture: the compositor runs on merged passes."""
    parts = tiles(bench, scene, 2, 2, format=form)
    (merged,) = bench.run(scene, kind="merge", inputs=parts, format=form)
    assert same_pixels(merged.path, bench.frame(scene, format=form))


def test_slices_before_a_compositor_that_needs_the_picture_alone(bench: Any) -> None:
    lease = {"format": "exr", "settings": {"color_depth": "32"}}
    (merged,) = bench.run("blur", kind="merge", inputs=slices(bench, "blur", 2, **lease), **lease)
    whole = pixels(bench.frame("blur", **lease))
    for name, plane in pixels(merged.path).items():
        assert np.abs(plane - whole[name]).max() < 1e-5


def test_a_missing_or_double_part_is_found(bench: Any) -> None:
    parts = tiles(bench, "glass", 2, 1)
    with pytest.raises(RenderFailed, match="Parts of the frame are missing"):
        bench.run("glass", kind="merge", inputs=parts[:1])
    with pytest.raises(RenderFailed, match="same samples"):
        bench.run("glass", kind="merge", inputs=[*parts, parts[0]])
    parts[0].path.write_bytes(parts[0].path.read_bytes()[:-500])
    with pytest.raises(RenderFailed, match="damaged") as failed:
        bench.run("glass", kind="merge", inputs=parts)
    assert failed.value.failure == "infra"


def test_what_cannot_be_cut_exactly_is_refused(bench: Any) -> None:
    for scene, settings, slice_, words in (
        ("region", {}, None, "only a region"),
        ("many", {"engine": "WORKBENCH"}, None, "only Cycles"),
        ("normal", {}, SampleSlice(0, 2), "cannot be averaged"),
        ("glass", {}, None, "do not fit into a frame of 61×37"),
    ):
        tile = Tile(0, 0, 100, 100) if scene == "glass" else Tile(0, 0, 2, 2)
        with pytest.raises(RenderFailed, match=words) as failed:
            bench.run(scene, partial=True, tile=tile, slice=slice_, settings=settings)
        assert failed.value.failure == "user"


def test_denoising_and_adaptive_sampling_are_off_in_parts(bench: Any) -> None:
    """Tiles of an adaptive, denoised scene make the plain frame; even a Blender that cannot denoise renders them."""
    (merged,) = bench.run("noisy", kind="merge", inputs=tiles(bench, "noisy", 2, 1))
    if not is_bpy(bench.program):
        with pytest.raises(RenderFailed, match="built without a denoiser"):
            bench.frame("noisy")
    assert same_pixels(merged.path, bench.frame("layers"))
