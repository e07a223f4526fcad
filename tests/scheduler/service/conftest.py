"""A farm that rents, for the tests of what it launches and ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rented_farm import POOL, RentedFarm

ALLOW = {"rules": [{"name": "burst", "when": "true", "allow": [POOL]}]}

Make = Callable[..., RentedFarm]


@pytest.fixture
def rent(tmp_path: Path) -> Iterator[Make]:
    """Makes the test's farm."""
    made: list[RentedFarm] = []

    def make(**options: Any) -> RentedFarm:
        farm = RentedFarm(tmp_path, **{"sections": ALLOW, **options})
        made.append(farm)
        farm.start()
        return farm

    yield make
    for farm in made:
        farm.close()
