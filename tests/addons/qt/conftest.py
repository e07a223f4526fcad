"""Houdini and Nuke, each with an open scene that renders, and the panel that they share."""

from __future__ import annotations

from contextlib import ExitStack

import fake_hou
import fake_nuke
import pytest
from addon_farms import artist, farm_with, unpacked
from qt_programs import application, part, running, until

ENDINGS = {"houdini": ".hip", "nuke": ".nk"}


@pytest.fixture(scope="session", params=["houdini", "nuke"])
def built(request, tmp_path_factory):
    """A program's name, and the folder that it finds the package in."""
    folder = unpacked(request.param, tmp_path_factory.mktemp(request.param))
    return request.param, folder / ("outfield/scripts/python" if request.param == "houdini" else "outfield_nuke")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "show"
    made.mkdir()
    return made


@pytest.fixture
def program(built, folder, tmp_path, monkeypatch):
    """What is open in it; one node renders."""
    name, code = built
    application()
    artist(monkeypatch, tmp_path / "spool")
    with ExitStack() as stack:
        if name == "houdini":
            scene = fake_hou.Scene(folder)
            scene.path = str(folder / "shot.hip")
            scene.mantra("/out/beauty", "$HIP/render/shot.$F4.exr")
            modules = {"hou": fake_hou.module(scene)}
        else:
            scene = fake_nuke.Script(folder)
            scene.path = str(folder / "shot.nk")
            scene.write("beauty", "render/shot.%04d.exr")
            modules = fake_nuke.modules(scene)
        (folder / f"shot{ENDINGS[name]}").write_text("the artist's\n")
        stack.enter_context(running(code, modules))
        monkeypatch.setattr(part("outfield_qt.turns"), "QUIET_S", 0.02)
        yield scene


@pytest.fixture
def farm(built, monkeypatch):
    """A farm that renders its scenes."""
    name, _ = built
    settings = {"properties": {"samples": {"type": "integer", "minimum": 1}, "denoise": {"type": "boolean"}}}
    renderer = {"name": name, "endings": [ENDINGS[name]], "settings": settings, "tiles": True, "samples": False}
    with farm_with(monkeypatch, renderer) as listening:
        yield listening


@pytest.fixture
def opened(program):
    """Opens the panel and waits for its first check."""

    def go():
        panel = part("window").show()
        here = panel.desk.here
        until(panel, lambda: here.found_s > 0 and not here.moves)
        return panel

    return go
