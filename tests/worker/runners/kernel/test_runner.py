"""The kernel runner from outside: leases in, files out, every failure in plain words."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_work import SMALL, Tasks
from PIL import Image

from scheduler.protocol.work import SampleSlice, Scene, Tile
from worker.runners.base import InputFile, RenderCancelled, RenderFailed
from worker.runners.kernel import KernelRunner
from worker.runners.kernel.demo import demo_mesh
from worker.runners.kernel.runner import frame_name


@pytest.fixture(scope="module")
def runner() -> Iterator[KernelRunner]:
    runner = KernelRunner("1.2.3")
    runner.warm_up()
    yield runner
    runner.close()


@pytest.fixture
def tasks(runner: KernelRunner, tmp_path: Path) -> Tasks:
    return Tasks(runner, tmp_path)


def exr(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    with OpenEXR.File(str(path)) as file:
        (channel,) = file.channels().values()
        return np.array(channel.pixels), dict(file.header())


def test_versions_say_what_is_here(runner: KernelRunner) -> None:
    assert runner.versions()["versions"] == ["1.2.3"]
    assert "numba" in runner.versions()


@pytest.mark.parametrize(
    ("frame", "name"), [(1, "0001.png"), (-5, "-0005.png"), (0, "0000.png"), (123456, "123456.png")]
)
def test_frames_are_named_by_number(frame: int, name: str) -> None:
    assert frame_name(frame, "png") == name


def test_one_file_per_frame_with_progress(tasks: Tasks) -> None:
    produced = tasks.run(format="png", frames=[-1, 7])
    assert [(p.name, p.kind, p.frame) for p in produced] == [("-0001.png", "frame", -1), ("0007.png", "frame", 7)]
    assert produced[0].meta["width"] == 32
    assert 0.3 < produced[0].meta["mean"] < 0.6
    fractions = [fraction for fraction, _ in tasks.progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert len(fractions) >= 3


def test_formats_show_the_same_picture(tasks: Tasks) -> None:
    linear, header = exr(tasks.run({"depth": "float"})[0].path)
    half, _ = exr(tasks.run()[0].path)
    png = np.asarray(Image.open(tasks.run(format="png")[0].path))
    jpg = np.asarray(Image.open(tasks.run(format="jpg")[0].path))
    assert linear.dtype == np.float32
    assert half.dtype == np.float16
    assert np.allclose(half, linear, atol=5e-4)
    assert png.shape == jpg.shape == (24, 32, 3)
    assert (
        np.abs(
            np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear.clip(1e-9) ** (1 / 2.4) - 0.055) * 255 - png
        ).max()
        < 1
    )
    assert np.abs(png.astype(int) - jpg).mean() < 3
    said = {key.split(":")[1]: header[key] for key in header if key.startswith("outfield:")}
    assert said == {"software": "Outfield 1.2.3", "job": "test", "frame": 1, "samples": 3, "seed": 0}


@pytest.mark.parametrize("form", ["png", "jpg", "exr"])
def test_the_same_task_makes_the_same_bytes(tasks: Tasks, form: str) -> None:
    first, second = (tasks.run(format=form)[0].path.read_bytes() for _ in range(2))
    assert first == second


def test_png_says_what_it_is(tasks: Tasks) -> None:
    image = Image.open(tasks.run(format="png", name="schöne Szene")[0].path)
    assert image.info["outfield:job"] == "schöne Szene"
    assert "srgb" in image.info


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.randoms(use_true_random=False))
def test_a_split_frame_has_the_same_bytes(tasks: Tasks, cols: int, rows: int, slices: int, rng: random.Random) -> None:
    """Tiles × slices, merged in a random tree; more slices than samples leave empty partials."""
    parts = [
        tasks.partial(tile=Tile(col, row, cols, rows), slice=SampleSlice(index, slices))
        for col in range(cols)
        for row in range(rows)
        for index in range(slices)
    ]
    while len(parts) > 4:
        rng.shuffle(parts)
        merged = tasks.merge(*parts[:3], final=False)
        parts = [*parts[3:], InputFile(merged.path, merged.meta)]
    whole = tasks.run()[0]
    final = tasks.merge(*parts)
    assert final.path.read_bytes() == whole.path.read_bytes()
    assert final.meta == whole.meta
    assert final.name == "0001.exr"
    assert final.kind == "frame"


def test_partials_say_what_they_hold(tasks: Tasks) -> None:
    part = tasks.partial(tile=Tile(1, 0, 2, 1), slice=SampleSlice(0, 2))
    assert part.meta["rect"] == [16, 0, 32, 24]
    assert part.meta["pixel_samples"] == 16 * 24 * 1
    assert (part.meta["width"], part.meta["height"], part.meta["samples"]) == (32, 24, 3)
    empty = tasks.partial(slice=SampleSlice(0, 9))
    assert empty.meta["pixel_samples"] == 0


def left_and_right(tasks: Tasks, **changed: Any) -> tuple[InputFile, InputFile]:
    return tasks.partial(tile=Tile(0, 0, 2, 1)), tasks.partial(tile=Tile(1, 0, 2, 1), **changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"settings": {"seed": 5}}, "another frame or to other settings"),
        ({"frames": [2]}, "another frame or to other settings"),
        ({"scene": Scene(path="/elsewhere.obj")}, "another frame or to other settings"),
        ({"tile": Tile(0, 0, 2, 1)}, "hold the same samples"),
        ({"tile": Tile(1, 0, 2, 2)}, "of 2304 pixel samples are missing"),
    ],
)
def test_parts_that_make_no_whole_are_refused(tasks: Tasks, changed: dict[str, Any], message: str) -> None:
    left = tasks.partial(tile=Tile(0, 0, 2, 1))
    right = tasks.partial(**{"tile": Tile(1, 0, 2, 1), **changed})
    with pytest.raises(RenderFailed, match=message) as failed:
        tasks.merge(left, right)
    assert failed.value.failure == "infra"


def test_merging_nothing_or_the_wrong_frame_is_refused(tasks: Tasks) -> None:
    with pytest.raises(RenderFailed, match="no inputs"):
        tasks.merge()
    with pytest.raises(RenderFailed, match="another frame, size or sample count"):
        tasks.merge(tasks.partial(), frames=[3])


def test_a_damaged_partial_is_refused(tasks: Tasks) -> None:
    part = tasks.partial()
    part.path.write_bytes(part.path.read_bytes()[:-20])
    with pytest.raises(RenderFailed, match="cut short") as failed:
        tasks.merge(part)
    assert failed.value.failure == "infra"


def test_an_orbit_moves_the_camera_and_only_with_the_frame(tasks: Tasks) -> None:
    still = [p.path.read_bytes() for p in tasks.run(format="png", frames=[0, 0])]
    first, turned = (tasks.run({"orbit_deg_per_frame": 15}, format="png", frames=[f])[0] for f in (0, 1))
    assert still[0] == first.path.read_bytes()
    assert np.abs(np.asarray(Image.open(first.path), int) - np.asarray(Image.open(turned.path))).mean() > 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"settings": {"width": 0}}, "width"),
        ({"settings": {"colour": "red"}}, "colour"),
        ({"format": "tif"}, "png, jpg, exr"),
        ({"settings": {"width": 65_501, "height": 1}, "format": "jpg"}, "65500"),
        ({"settings": {"camera": {"position": [0, 0, 0], "target": [0, 0, 0]}}}, "stands in its target"),
    ],
)
def test_faults_of_the_user_are_told(tasks: Tasks, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderFailed, match=message) as failed:
        tasks.run(**changed)
    assert failed.value.failure == "user"


def test_leases_that_contradict_themselves_are_refused(tasks: Tasks) -> None:
    for lease in ({"tile": Tile(0, 0, 2, 2)}, {"partial": True, "frames": [1, 2]}):
        with pytest.raises(RenderFailed) as failed:
            tasks.run(**lease)
        assert failed.value.failure == "infra"


def test_a_full_disk_is_not_the_users_fault(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device", "/scratch/0001.png")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(RenderFailed, match="No space left") as failed:
        tasks.run(format="png")
    assert failed.value.failure == "infra"


HEAVY = {"width": 2048, "height": 2048, "samples": 4096, "ao_samples": 64}


@pytest.mark.parametrize("mesh", [False, True])
def test_cancelling_does_not_wait_for_a_pixel(tasks: Tasks, tmp_path: Path, mesh: bool) -> None:
    """The heaviest settings there are: on a mesh a pixel alone would take seconds; a quiet machine needs 0.1 s."""
    scene = tmp_path / "demo.ply" if mesh else None
    if scene is not None:
        demo_mesh(scene)
    cancelled = threading.Event()
    asked: list[float] = []

    def cancel(fraction: float) -> None:
        if not cancelled.is_set():
            asked.append(time.perf_counter())
            cancelled.set()

    with pytest.raises(RenderCancelled):
        tasks.run(HEAVY, mesh=scene, cancelled=cancelled, on_progress=cancel)
    assert time.perf_counter() - asked[0] < 1.0


def test_cancelling_stops_a_block_between_its_samples(tasks: Tasks) -> None:
    """Cancelled from another thread, before any block of the heaviest settings can be done."""
    cancelled = threading.Event()
    timer = threading.Timer(0.05, cancelled.set)
    timer.start()
    start = time.perf_counter()
    with pytest.raises(RenderCancelled):
        tasks.run(HEAVY, cancelled=cancelled)
    assert time.perf_counter() - start < 2.0


def test_cancelling_stops_a_merge(tasks: Tasks) -> None:
    parts = left_and_right(tasks)
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(RenderCancelled):
        tasks.run(kind="merge", inputs=parts, cancelled=cancelled)


def test_small_settings_stay_small() -> None:
    assert SMALL["width"] * SMALL["height"] < 1000
