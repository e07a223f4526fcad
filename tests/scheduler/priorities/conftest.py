"""A site, and a farm that follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_shotgrid import FakeShotGrid, fake_shotgrid
from tracked_farm import TrackedFarm


@pytest.fixture
def fake() -> Iterator[FakeShotGrid]:
    """A ShotGrid site of its own."""
    with fake_shotgrid() as site:
        yield site


@pytest.fixture
def tracked(tmp_path: Path, fake: FakeShotGrid) -> Iterator[TrackedFarm]:
    """A farm that follows it."""
    farm = TrackedFarm(tmp_path, fake)
    yield farm
    farm.close()
