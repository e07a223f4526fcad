"""One served farm per test, or per module where tests only look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_client import ServedFarm
from store_fixtures import bench, fake_gcs, weed  # noqa: F401


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedFarm]:
    """A farm of its own."""
    farm = ServedFarm(tmp_path)
    yield farm
    farm.close()


@pytest.fixture(scope="module")
def shared_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFarm]:
    """A farm for tests that do not mind what others have done."""
    farm = ServedFarm(tmp_path_factory.mktemp("farm"))
    yield farm
    farm.close()
