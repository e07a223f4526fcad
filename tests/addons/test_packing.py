"""The zips: the same bytes for the same sources, whole, and of the package's own version."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scheduler import __version__
from scheduler.addons import packing
from scheduler.errors import NotFound, OutfieldError


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The sources elsewhere, with other times."""
    folder = tmp_path / "sources"
    shutil.copytree(packing.sources(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    monkeypatch.setattr(packing, "SOURCES", (folder,))
    return folder


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("blender", {"outfield/__init__.py", "outfield/LICENSE", "outfield/outfield_core/spool.py"}),
        ("maya", {"outfield.mod", "outfield/LICENSE", "outfield/plug-ins/outfield_maya.py",
                  "outfield/scripts/userSetup.py", "outfield/scripts/outfield/outfield_core/spool.py"}),
        ("houdini", {"outfield.json", "outfield/LICENSE", "outfield/toolbar/outfield.shelf",
                     "outfield/python_panels/outfield.pypanel", "outfield/scripts/python/outfield/__init__.py",
                     "outfield/scripts/python/outfield/outfield_core/spool.py",
                     "outfield/scripts/python/outfield/outfield_qt/panel.py"}),
        ("nuke", {"outfield_nuke/menu.py", "outfield_nuke/LICENSE", "outfield_nuke/outfield/__init__.py",
                  "outfield_nuke/outfield/outfield_core/spool.py", "outfield_nuke/outfield/outfield_qt/panel.py"}),
    ],
)  # fmt: skip
def test_the_same_bytes_whenever_and_wherever(copied, name, members, monkeypatch):
    elsewhere = packing.build(name)
    (copied / name / "__pycache__").mkdir()
    (copied / name / "__pycache__" / "x.pyc").write_bytes(b"x")

    assert packing.build(name).content == elsewhere.content
    monkeypatch.undo()
    assert packing.build(name).content == elsewhere.content
    with zipfile.ZipFile(io.BytesIO(elsewhere.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names == sorted(names)
    assert members <= set(names)


def test_another_version_is_refused(copied):
    manifest = copied / "blender" / "blender_manifest.toml"
    manifest.write_text(manifest.read_text().replace(f'version = "{__version__}"', 'version = "9.9.9"'))

    with pytest.raises(OutfieldError, match="9\\.9\\.9"):
        packing.build("blender")


def test_one_line_of_another_version_is_refused(copied):
    module = copied / "maya" / "outfield.mod"
    module.write_text(module.read_text().replace(f"2024 outfield {__version__}", "2024 outfield 9.9.9"))

    with pytest.raises(OutfieldError, match="9\\.9\\.9"):
        packing.build("maya")


@pytest.mark.parametrize(("program", "file"), [("houdini", "outfield.json"), ("nuke", "menu.py")])
def test_a_file_of_another_version_is_refused(copied, program, file):
    versioned = copied / program / file
    versioned.write_text(versioned.read_text().replace(f'"{__version__}"', '"9.9.9"'))

    with pytest.raises(OutfieldError, match="9\\.9\\.9"):
        packing.build(program)


def test_what_is_not_there_is_told():
    with pytest.raises(NotFound, match="cinema4d"):
        packing.build("cinema4d")


def test_both_versions_of_the_blender_add_on_are_the_packages():
    text = (packing.sources() / "blender" / "__init__.py").read_text()

    assert f'"version": ({__version__.replace(".", ", ")})' in text


def test_the_command_writes_one_zip_here_and_prints_its_path(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "scheduler.cli.main", "addons", "build", "blender"],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    (path,) = done.stdout.splitlines()
    assert Path(path) == tmp_path / f"outfield-blender-{__version__}.zip"
    assert Path(path).read_bytes() == packing.build("blender").content
