"""The module as `outfield addons build maya` makes it, and Mayas that have it."""

from __future__ import annotations

import pytest
from addon_farms import artist, farm_with, unpacked
from fake_maya import part, running_maya, until

from scheduler.api.farm import renderer_view


@pytest.fixture(scope="session")
def maya_module(tmp_path_factory):
    """The zip, unpacked as an artist does it."""
    folder = tmp_path_factory.mktemp("modules")
    return unpacked("maya", folder) / "outfield"


@pytest.fixture
def project(tmp_path):
    """A project of Maya's."""
    folder = tmp_path / "project"
    (folder / "scenes").mkdir(parents=True)
    (folder / "workspace.mel").write_text('workspace -fr "images" "images";\n')
    return folder


@pytest.fixture
def maya(maya_module, project, tmp_path, monkeypatch):
    """A Maya with an open, saved scene, of an artist whose farm is away."""
    artist(monkeypatch, tmp_path / "spool")
    with running_maya(maya_module, project) as running:
        path = project / "scenes" / "shot.ma"
        path.write_text("//Maya ASCII 2024 scene\n")
        running.scene.path = str(path)
        yield running


@pytest.fixture
def farm(monkeypatch):
    """A farm with the renderers of this very version, which know no Maya."""
    with farm_with(monkeypatch, renderer_view("kernel"), renderer_view("blender")) as listening:
        yield listening


@pytest.fixture
def maya_farm(monkeypatch):
    """A farm that renders Maya scenes, with settings of its own."""
    words = {"type": "string"}
    settings = {
        "camera": words,
        "render_layer": words,
        "aa_samples": {"type": "integer", "minimum": 1},
        "denoise": {"type": "boolean"},
    }
    renderer = {"name": "arnold", "endings": [".ma", ".mb"], "settings": {"properties": settings}}
    with farm_with(monkeypatch, renderer) as listening:
        yield listening


@pytest.fixture
def quick(monkeypatch):
    """Turns come fast."""
    monkeypatch.setattr(part("outfield_core.host"), "QUIET_S", 0.01)
    return part("session")


@pytest.fixture
def opened(maya, quick):
    """Opens the panel and waits for its first check."""

    def go():
        part("panel").show()
        until(maya, lambda: quick.current().found_s > 0 and not quick.current().moves)
        maya.turn()
        return quick.current()

    return go
