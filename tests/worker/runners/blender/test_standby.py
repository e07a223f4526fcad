"""While a worker is idle, an empty Blender stands by for the next scene; it changes no pixel and outlives nobody."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blend_scenes import gone
from PIL import Image, ImageChops

from worker.clock import ManualClock
from worker.runners.blender import BlenderRunner

pytestmark = pytest.mark.processes


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fresh(program: Path, bench: Any, clock: ManualClock, tmp_path: Path) -> Iterator[BlenderRunner]:
    """A runner of this test's own, in the bench."""
    bench.runner = BlenderRunner([program], folder=tmp_path / "private", clock=clock)
    yield bench.runner
    bench.runner.close()


def standby(runner: BlenderRunner) -> int | None:
    """The process that stands by."""
    spare = runner._slots._spare
    return None if spare is None else spare[1].pid


def test_none_stands_by_before_one_was_needed(fresh: BlenderRunner) -> None:
    fresh.get_ready()
    assert standby(fresh) is None


def test_the_next_scene_opens_in_it_with_the_same_pixels(
    fresh: BlenderRunner, bench: Any, reference: Callable[[str], list[Path]]
) -> None:
    bench.frame("many", slot=0)
    fresh.get_ready()
    ready = standby(fresh)
    made = bench.frame("png", slot=1)
    assert bench.pid() == ready
    assert standby(fresh) is None
    difference = ImageChops.difference(
        Image.open(made).convert("RGBA"), Image.open(reference("png")[0]).convert("RGBA")
    )
    assert difference.getbbox() is None


def test_asking_again_starts_no_second(fresh: BlenderRunner, bench: Any) -> None:
    bench.frame("many")
    fresh.get_ready()
    ready = standby(fresh)
    fresh.get_ready()
    assert standby(fresh) == ready


def test_one_that_died_is_replaced(fresh: BlenderRunner, bench: Any) -> None:
    bench.frame("many", slot=0)
    fresh.get_ready()
    dead = standby(fresh)
    assert dead is not None
    os.kill(dead, signal.SIGKILL)
    assert gone(dead, 5)
    assert bench.frame("glass", slot=1).exists(), "a task does not need it"
    fresh.get_ready()
    assert standby(fresh) not in (None, dead)


def test_it_is_ended_when_nobody_has_rendered_for_long(fresh: BlenderRunner, bench: Any, clock: ManualClock) -> None:
    bench.frame("many")
    fresh.get_ready()
    ready = standby(fresh)
    assert ready is not None
    clock.advance(1000)
    fresh.warm()
    assert gone(ready, 0.5)
    fresh.get_ready()
    assert standby(fresh) is None


def test_closing_ends_it(fresh: BlenderRunner, bench: Any) -> None:
    bench.frame("many")
    fresh.get_ready()
    ready = standby(fresh)
    assert ready is not None
    fresh.close()
    assert gone(ready, 0.5)
    assert standby(fresh) is None


def test_it_can_be_switched_off(program: Path, bench: Any, tmp_path: Path) -> None:
    environment = {**os.environ, "OUTFIELD_BLENDER__SPARE": "0"}
    bench.runner = BlenderRunner([program], folder=tmp_path / "private", environment=environment)
    bench.frame("many")
    bench.runner.get_ready()
    assert standby(bench.runner) is None
    bench.runner.close()
