"""The module as `outfield addons build maya` makes it, and Mayas that have it."""

from __future__ import annotations

import io
import zipfile
from contextlib import contextmanager

import pytest
from fake_farm import INFO, TOKEN, fake_farm
from fake_maya import part, running_maya, until

from scheduler.addons.packing import build
from scheduler.api.farm import renderer_view


@pytest.fixture(scope="session")
def maya_module(tmp_path_factory):
    """The zip, unpacked as an artist does it."""
    folder = tmp_path_factory.mktemp("modules")
    with zipfile.ZipFile(io.BytesIO(build("maya").content)) as archive:
        archive.extractall(folder)
    return folder / "outfield"


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
    monkeypatch.setenv("OUTFIELD_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("OUTFIELD_SERVER", "http://127.0.0.1:9")
    monkeypatch.setenv("OUTFIELD_TOKEN", TOKEN)
    monkeypatch.setenv("OUTFIELD_LANGUAGE", "en")
    with running_maya(maya_module, project) as running:
        path = project / "scenes" / "shot.ma"
        path.write_text("//Maya ASCII 2024 scene\n")
        running.scene.path = str(path)
        yield running


@pytest.fixture
def farm(monkeypatch):
    """A farm with the renderers of this very version, which know no Maya."""
    with _farm(monkeypatch, [renderer_view("kernel"), renderer_view("blender")]) as listening:
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
    with _farm(
        monkeypatch, [{"name": "arnold", "endings": [".ma", ".mb"], "settings": {"properties": settings}}]
    ) as listening:
        yield listening


@contextmanager
def _farm(monkeypatch, renderers):
    monkeypatch.setitem(INFO, "renderers", renderers)
    with fake_farm() as listening:
        monkeypatch.setenv("OUTFIELD_SERVER", listening.url)
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
