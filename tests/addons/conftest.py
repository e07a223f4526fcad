"""The built add-on, and Blenders that have it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from blender_inside import AddonHome
from components import require
from running_farm import RunningFarm

from scheduler.addons.packing import build


@pytest.fixture(scope="session")
def blender_zip(tmp_path_factory):
    """The zip, as `outfield addons build blender` makes it."""
    built = build("blender")
    path = tmp_path_factory.mktemp("zip") / built.addon.file_name
    path.write_bytes(built.content)
    return path


@pytest.fixture(scope="session")
def new_home(tmp_path_factory, blender_zip):
    """Makes artists' machines."""

    def make(component: str, **environment: str) -> AddonHome:
        folder = tmp_path_factory.mktemp("artist")
        return AddonHome(require(component), blender_zip, folder, environment)

    return make


@pytest.fixture(scope="session")
def blender_farm(tmp_path_factory):
    """A farm with both Blenders."""
    folder = tmp_path_factory.mktemp("addon-farm")
    programs = os.pathsep.join(str(require(name)) for name in ("blender", "bpy"))
    farm = RunningFarm(
        folder / "data",
        workers=1,
        flags=("--output-root", str(Path(tmp_path_factory.getbasetemp()))),
        environment={"OUTFIELD_BLENDER__EXECUTABLES": programs},
    )
    farm.folder = folder
    yield farm
    assert farm.stop() == 0
