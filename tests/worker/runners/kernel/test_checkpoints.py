"""A task that is stopped half-way: what it has is kept, the next attempt does the rest, and the picture is the same."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_work import Tasks

from scheduler.protocol.work import SampleSlice, Tile
from worker.runners.base import Produced, RenderCancelled
from worker.runners.kernel import KernelRunner
from worker.runners.kernel.demo import demo_mesh
from worker.runners.kernel.partial_file import read_header, read_partial

SETTINGS: dict[str, Any] = {"width": 320, "height": 240, "samples": 32, "ao_samples": 8}


@pytest.fixture(scope="module")
def runner() -> Iterator[KernelRunner]:
    runner = KernelRunner("1.2.3")
    runner.warm_up()
    yield runner
    runner.close()


@pytest.fixture
def tasks(runner: KernelRunner, tmp_path: Path) -> Tasks:
    return Tasks(runner, tmp_path)


def stopped(
    tasks: Tasks, at: float, *, keep: bool = True, settings: dict[str, Any] = SETTINGS, **lease: Any
) -> Produced | None:
    """Run on one thread until the progress is `at`, then pre-empt; what the runner has saved."""
    cancelled, keeping = threading.Event(), threading.Event()

    def on_progress(fraction: float) -> None:
        if fraction >= at:
            if keep:
                keeping.set()
            cancelled.set()

    with pytest.raises(RenderCancelled) as ended:
        tasks.run(settings, on_progress=on_progress, cancelled=cancelled, keep=keeping, threads=1, **lease)
    return ended.value.saved


def begun_anew(tasks: Tasks) -> list[str]:
    return [line for line in tasks.lines if "begins anew" in line]


@pytest.mark.parametrize(
    "lease",
    [
        {"partial": True, "slice": SampleSlice(1, 2)},
        {"partial": True, "tile": Tile(1, 0, 2, 2)},
        {"partial": True, "tile": Tile(0, 1, 2, 2), "slice": SampleSlice(2, 3)},
    ],
    ids=["slice", "tile", "both"],
)
def test_two_halves_make_the_partial_of_one_go(tasks: Tasks, lease: dict[str, Any]) -> None:
    saved = stopped(tasks, 0.2, **lease)
    assert saved is not None and saved.kind == "checkpoint"
    assert 0.1 < saved.meta["done"] < 1.0

    (resumed,) = tasks.run(SETTINGS, resume=saved.path, **lease)
    (whole,) = tasks.run(SETTINGS, **lease)

    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert "earlier attempt has saved" in tasks.lines[-1]


def test_a_task_may_be_stopped_again_and_again(tasks: Tasks) -> None:
    lease: dict[str, Any] = {"partial": True, "slice": SampleSlice(0, 2)}
    first = stopped(tasks, 0.2, **lease)
    assert first is not None
    second = stopped(tasks, 0.3, resume=first.path, **lease)
    assert second is not None and second.meta["done"] > first.meta["done"]

    (resumed,) = tasks.run(SETTINGS, resume=second.path, **lease)
    (whole,) = tasks.run(SETTINGS, **lease)

    assert resumed.path.read_bytes() == whole.path.read_bytes()


def test_a_whole_frame_of_a_mesh_goes_on_too(tasks: Tasks, tmp_path: Path) -> None:
    mesh = tmp_path / "mesh.ply"
    demo_mesh(mesh)
    light = {"width": 40, "height": 30, "samples": 3, "ao_samples": 2}
    saved = stopped(tasks, 0.5, settings=light, mesh=mesh, format="png")
    assert saved is not None

    (resumed,) = tasks.run(light, mesh=mesh, format="png", resume=saved.path)
    (whole,) = tasks.run(light, mesh=mesh, format="png")

    assert resumed.path.read_bytes() == whole.path.read_bytes()


def test_the_rest_is_all_that_is_rendered(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pixel samples of both attempts add up to the task's: nothing is rendered twice."""
    from worker.runners.kernel.stage import Spheres

    rendered: list[int] = []
    true_render = Spheres.render

    def counting(self: Spheres, sums: Any, squares: Any, block: Any, view: Any) -> None:
        rendered.append((block.x1 - block.x0) * (block.y1 - block.y0) * (block.s1 - block.s0))
        true_render(self, sums, squares, block, view)

    monkeypatch.setattr(Spheres, "render", counting)
    saved = stopped(tasks, 0.5, partial=True, slice=SampleSlice(0, 2))
    assert saved is not None
    tasks.run(SETTINGS, partial=True, slice=SampleSlice(0, 2), resume=saved.path)

    assert sum(rendered) == 320 * 240 * 16


def test_two_threads_are_stopped_with_what_both_have_done(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.runners.kernel.stage import Spheres

    lease: dict[str, Any] = {"partial": True, "slice": SampleSlice(1, 2)}
    cancelled, keeping, calls = threading.Event(), threading.Event(), itertools.count(1)
    true_render = Spheres.render

    def stopping(self: Spheres, sums: Any, squares: Any, block: Any, view: Any) -> None:
        true_render(self, sums, squares, block, view)
        if next(calls) == 9:
            keeping.set()
            cancelled.set()

    with monkeypatch.context() as patch:
        patch.setattr(Spheres, "render", stopping)
        with pytest.raises(RenderCancelled) as ended:
            tasks.run(SETTINGS, cancelled=cancelled, keep=keeping, **lease)
    saved = ended.value.saved
    assert saved is not None

    (resumed,) = tasks.run(SETTINGS, resume=saved.path, **lease)
    (whole,) = tasks.run(SETTINGS, **lease)

    assert resumed.path.read_bytes() == whole.path.read_bytes()


def test_a_cancel_saves_nothing(tasks: Tasks) -> None:
    assert stopped(tasks, 0.4, keep=False, partial=True, slice=SampleSlice(0, 2)) is None


def test_a_chunk_of_frames_goes_back_whole(tasks: Tasks) -> None:
    assert stopped(tasks, 0.4, frames=[1, 2, 3]) is None


def test_a_checkpoint_says_truly_what_is_in_it(tasks: Tasks) -> None:
    saved = stopped(tasks, 0.4, partial=True, slice=SampleSlice(1, 2))
    assert saved is not None
    header, film = read_partial(saved.path)

    assert len(header.parts) < 8, "blocks are joined"
    assert int(film.counts.sum()) == sum((p[2] - p[0]) * (p[3] - p[1]) * (p[5] - p[4]) for p in header.parts)
    assert not film.sums[film.counts == 0].any()


@pytest.mark.parametrize("damage", ["cut", "gone", "other part", "other settings"])
def test_a_checkpoint_that_cannot_be_used_costs_nothing(tasks: Tasks, damage: str, tmp_path: Path) -> None:
    lease: dict[str, Any] = {"partial": True, "slice": SampleSlice(1, 2)}
    saved = stopped(tasks, 0.4, **lease)
    assert saved is not None
    path = tmp_path / "checkpoint.partial"
    if damage == "cut":
        path.write_bytes(saved.path.read_bytes()[:-7])
    elif damage != "gone":
        path.write_bytes(saved.path.read_bytes())
    if damage == "other part":
        lease["slice"] = SampleSlice(0, 2)
    settings = SETTINGS | ({"seed": 5} if damage == "other settings" else {})

    (again,) = tasks.run(settings, resume=path, **lease)
    (whole,) = tasks.run(settings, **lease)

    assert again.path.read_bytes() == whole.path.read_bytes()
    assert len(begun_anew(tasks)) == 1


def test_a_checkpoint_never_passes_for_a_partial(tasks: Tasks) -> None:
    """Handed to a merge by mistake, it is missed, not painted black."""
    saved = stopped(tasks, 0.4, partial=True, slice=SampleSlice(0, 2))
    assert saved is not None
    from worker.runners.base import InputFile, RenderFailed

    other = tasks.partial(SETTINGS, slice=SampleSlice(1, 2))
    with pytest.raises(RenderFailed, match="missing"):
        tasks.merge(InputFile(saved.path, {}), other, settings=SETTINGS)
    assert read_header(saved.path).samples == 32
