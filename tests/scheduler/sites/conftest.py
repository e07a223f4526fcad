"""Home farms whose sites are in memory."""

from __future__ import annotations

import pytest
from site_farm import SiteFarm


@pytest.fixture
def home(tmp_path):
    farm = SiteFarm(tmp_path)
    yield farm
    farm.close()


@pytest.fixture
def make_home(tmp_path):
    """Makes home farms with sites of one's own."""
    made: list[SiteFarm] = []

    def make(**options) -> SiteFarm:
        made.append(SiteFarm(tmp_path, **options))
        return made[-1]

    yield make
    for farm in made:
        farm.close()
