"""A .blend on the farm is what Blender itself would have made: PNG and OpenEXR, whole, in tiles and in slices."""

from __future__ import annotations

from pathlib import Path

import pytest
from blend_scenes import SceneOptions, make_scenes, pixels, render_animation, same_pixels
from components import require

SCENES = {
    "png": SceneOptions(end=12),
    "exr": SceneOptions(end=12, file_format="OPEN_EXR", color_depth="16"),
    "odd": SceneOptions(width=211, height=97, samples=2, end=1),
    "nocamera": SceneOptions(camera=False, end=2),
}


@pytest.fixture(scope="module")
def blender():
    return require("blender")


@pytest.fixture(scope="module")
def scenes(blender, shared_farm):
    folder = shared_farm.folder / "blends"
    folder.mkdir()
    return make_scenes(blender, folder, SCENES)


@pytest.mark.parametrize("name", ["png", "exr"])
def test_twelve_frames_by_two_workers_are_pixel_identical(shared_farm, scenes, blender, name):
    folder = shared_farm.folder / name
    expected = render_animation(blender, scenes[name], folder / "expected")
    job = shared_farm.submit(
        scene=str(scenes[name]), frames="1-12", output=str(folder / "farm" / f"####.{name}"), format=name
    )
    shared_farm.succeed(job)
    made = sorted((folder / "farm").iterdir())
    assert [path.name for path in made] == [path.name for path in expected]
    assert len(made) == 12
    for ours, theirs in zip(made, expected, strict=True):
        assert same_pixels(ours, theirs), ours.name
    workers = {task["worker"] for task in shared_farm.tasks(job)}
    assert len(workers) == 2


def test_tiles_of_an_odd_frame_are_the_untiled_frame(shared_farm, scenes):
    whole = shared_farm.submit(scene=str(scenes["odd"]), frames="1")
    tiled = shared_farm.submit(scene=str(scenes["odd"]), frames="1", split={"tiles": [4, 4]})
    files = [fetched(shared_farm, job) for job in (whole, tiled)]
    assert same_pixels(*files)


def test_slices_are_one_render(shared_farm, scenes):
    settings = {"samples": 16}
    whole = shared_farm.submit(scene=str(scenes["exr"]), frames="1", settings=settings, format="exr")
    sliced = shared_farm.submit(
        scene=str(scenes["exr"]), frames="1", settings=settings, format="exr", split={"samples": 4}
    )
    one, other = (pixels(fetched(shared_farm, job)) for job in (whole, sliced))
    for channel, values in one.items():
        # Half floats: what is left is their own rounding.
        assert abs(values.astype(float) - other[channel].astype(float)).max() <= 1e-3 * max(1.0, abs(values).max())


def test_a_missing_camera_is_told_in_plain_words(shared_farm, scenes):
    job = shared_farm.submit(scene=str(scenes["nocamera"]), frames="1", max_attempts=1)
    assert shared_farm.wait(job)["status"] == "FAILED"
    why = shared_farm.client.get(f"/jobs/{job}/why").json()["data"]
    assert "camera" in why["failures"][0]["message"]


def test_a_scene_that_is_no_blend_is_refused_at_the_door(shared_farm, tmp_path):
    path = tmp_path / "notes.blend"
    path.write_text("not a scene")
    answer = shared_farm.client.post("/new_job", json={"name": "x", "scene": str(path)})
    assert answer.status_code == 422
    assert answer.json()["data"]["code"] == "scene_not_blend"


def fetched(farm, job: str) -> Path:
    farm.succeed(job)
    answer = farm.client.get(f"/jobs/{job}/frames/1")
    ending = answer.headers["content-type"].rsplit("/", 1)[1].replace("x-exr", "exr")
    path = farm.folder / f"{job}.{'png' if ending == 'png' else 'exr'}"
    path.write_bytes(answer.content)
    return path
