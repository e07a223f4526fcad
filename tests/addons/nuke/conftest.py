"""The folder as `outfield addons build nuke` makes it, and a Nuke that has it."""

from __future__ import annotations

import fake_nuke
import pytest
from addon_farms import artist, farm_with, unpacked
from qt_programs import application, running


@pytest.fixture(scope="session")
def plugin(tmp_path_factory):
    return unpacked("nuke", tmp_path_factory.mktemp("dot-nuke")) / "outfield_nuke"


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "show"
    folder.mkdir()
    return folder


@pytest.fixture
def script(plugin, project, tmp_path, monkeypatch):
    """An open, saved script of an artist whose farm is away."""
    application()
    artist(monkeypatch, tmp_path / "spool")
    made = fake_nuke.Script(project)
    made.path = str(project / "comp.nk")
    (project / "comp.nk").write_text("the artist's\n")
    with running(plugin, fake_nuke.modules(made)):
        yield made


@pytest.fixture
def nuke_farm(monkeypatch):
    """A farm that renders Nuke's scripts, with settings of its own."""
    settings = {"properties": {"write": {"type": "string"}, "threads": {"type": "integer", "minimum": 1}}}
    with farm_with(monkeypatch, {"name": "nuke", "endings": [".nk"], "settings": settings}) as listening:
        yield listening
