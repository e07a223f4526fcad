"""A site, and a farm that follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_shotgrid import FakeShotGrid, fake_shotgrid
from tracked_farm import TrackedFarm

Link = dict[str, Any]


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


@pytest.fixture
def alpha(fake: FakeShotGrid) -> Link:
    """A project."""
    return fake.add("Project", name="Alpha")


@pytest.fixture
def shot(fake: FakeShotGrid, alpha: Link) -> Link:
    """A shot of it."""
    return fake.add("Shot", code="sh010", project=alpha)


@pytest.fixture
def task(fake: FakeShotGrid, alpha: Link, shot: Link) -> Link:
    """A task of the shot, of the third tier."""
    return fake.add("Task", content="light", project=alpha, entity=shot, sg_priority_1="3_Tier")
