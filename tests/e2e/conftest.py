"""Whole farms for the tests of the whole road."""

from __future__ import annotations

import pytest
from running_farm import RunningFarm


@pytest.fixture(scope="session")
def shared_farm(tmp_path_factory):
    """One farm with two workers for the tests that do it no harm."""
    folder = tmp_path_factory.mktemp("farm")
    farm = RunningFarm(folder / "data", workers=2, flags=("--output-root", str(folder)))
    farm.folder = folder
    yield farm
    assert farm.stop() == 0


@pytest.fixture
def new_farm(tmp_path):
    """Makes farms of one's own; all are ended afterwards."""
    made: list[RunningFarm] = []

    def make(**options) -> RunningFarm:
        made.append(RunningFarm(tmp_path / "data", **options))
        return made[-1]

    yield make
    for farm in made:
        if farm.process.poll() is None:
            farm.stop()
