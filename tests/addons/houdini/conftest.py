"""The package as `outfield addons build houdini` makes it, and a Houdini that has it."""

from __future__ import annotations

import fake_hou
import pytest
from addon_farms import artist, farm_with, unpacked
from qt_programs import application, running


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    return unpacked("houdini", tmp_path_factory.mktemp("packages")) / "outfield"


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "show"
    folder.mkdir()
    return folder


@pytest.fixture
def scene(package, project, tmp_path, monkeypatch):
    """An open, saved scene of an artist whose farm is away."""
    application()
    artist(monkeypatch, tmp_path / "spool")
    made = fake_hou.Scene(project)
    made.path = str(project / "shot.hip")
    (project / "shot.hip").write_text("the artist's\n")
    with running(package / "scripts" / "python", {"hou": fake_hou.module(made)}):
        yield made


@pytest.fixture
def houdini_farm(monkeypatch):
    """A farm that renders Houdini's scenes, with settings of its own."""
    words, whole = {"type": "string"}, {"type": "integer", "minimum": 1}
    settings = {"properties": {"rop": words, "camera": words, "pixel_samples": whole}}
    with farm_with(monkeypatch, {"name": "houdini", "endings": [".hip", ".hiplc"], "settings": settings}) as listening:
        yield listening
