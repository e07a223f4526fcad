"""Pictures of a film in the making: small, right where it is done, and without a trace in the frame."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from kernel_work import SMALL
from PIL import Image

from scheduler.protocol.work import Lease, Scene, Tile
from worker.runners.base import Reporter, Work
from worker.runners.kernel import KernelRunner

SETTINGS = SMALL | {"width": 200, "height": 90}


class Wall:
    """Wants a picture after every block."""

    side_px = 50

    def __init__(self) -> None:
        self.makers: list[Callable[[], bytes]] = []

    def due(self) -> bool:
        """Always."""
        return True

    def show(self, make: Callable[[], bytes]) -> None:
        """Keep what makes it, for later."""
        self.makers.append(make)

    def pictures(self) -> list[np.ndarray]:
        """All of them."""
        return [np.asarray(Image.open(io.BytesIO(make()))) for make in self.makers]


@pytest.fixture(scope="module")
def runner() -> Iterator[KernelRunner]:
    runner = KernelRunner("1.2.3")
    runner.warm_up()
    yield runner
    runner.close()


def render(runner: KernelRunner, folder: Path, wall: Wall | None, threads: int = 2, **lease: object) -> Path:
    folder.mkdir()
    reporter = Reporter(lambda *_said: None, lambda _line: None, threading.Event())
    if wall is not None:
        reporter.picture = wall
    fields = {"kind": "render", "frames": [1], "format": "png", "job": "00001", "settings": SETTINGS, "scene": Scene()}
    lease = Lease(task=1, attempt=1, secret="s", renderer="kernel", **(fields | lease))
    (produced,) = runner.run(Work(lease, folder, threads=threads), reporter)
    return produced.path


def test_the_last_pictures_are_the_frame_in_small(runner: KernelRunner, tmp_path: Path) -> None:
    wall = Wall()
    frame = np.asarray(Image.open(render(runner, tmp_path / "a", wall, threads=1)))

    pictures = wall.pictures()
    assert len(pictures) > 2
    assert {picture.shape for picture in pictures} == {(23, 50, 3)}, "every fourth pixel of 90 rows and 200 columns"
    wrong = [(picture != frame[::4, ::4]).any(axis=2).mean() for picture in pictures]
    assert wrong == sorted(wrong, reverse=True), "it grows"
    assert wrong[0] > 0 == wrong[-1], "with one thread no block is under way at the last look"


def test_a_tile_shows_itself(runner: KernelRunner, tmp_path: Path) -> None:
    wall = Wall()
    render(runner, tmp_path / "a", wall, threads=1, tile=Tile(1, 0, 2, 1), partial=True)

    assert {picture.shape for picture in wall.pictures()} == {(45, 50, 3)}


def test_a_frame_is_the_same_whether_somebody_looks_or_not(runner: KernelRunner, tmp_path: Path) -> None:
    watched, alone = render(runner, tmp_path / "a", Wall()), render(runner, tmp_path / "b", None)

    assert watched.read_bytes() == alone.read_bytes()
