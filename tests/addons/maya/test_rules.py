"""What the module may be made of: Python 3.7, what Maya ships, nothing else; and the plain parts on every Python."""

from __future__ import annotations

import ast
import runpy
import sys

import maya_stubs
import pytest
import shared_core
from fake_maya import part

SOURCES = shared_core.FOLDER.parent / "maya"
FILES = sorted(SOURCES.rglob("*.py"))
SHIPPED = {
    "__future__", "datetime", "functools", "json", "math", "maya", "os", "re", "shutil", "threading", "time",
    "collections", "outfield", "typing",
}  # fmt: skip

PLAIN = """
import os, sys, types
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import outfield
assert not any(name.startswith("outfield.") for name in sys.modules), "importing it costs nothing"
from outfield import roads
assert roads.output_of("/p/a.####.exr") == ("/p/a.####.exr", "exr", False)
assert roads.renderer_for(None, "arnold") == "maya"
assert [each.code for each in roads.odd_findings(roads.Odd(), preview=False, renderer=None, has=["kernel"])] == [
    "no_renderer", "no_layer"]
maya = types.ModuleType("maya"); maya.cmds = types.ModuleType("cmds"); maya.utils = maya.mel = maya.cmds
sys.modules["maya"] = maya
for name in sorted(os.listdir(os.path.dirname(outfield.__file__))):
    if name.endswith(".py") and name != "__init__.py":
        __import__("outfield." + name[:-3])
print("fine")
"""


@pytest.mark.parametrize("version", shared_core.VERSIONS)
def test_every_module_loads_on_every_python_that_is_here(version, maya_module):
    done = shared_core.run_plainly(version, PLAIN, maya_module / "scripts")

    assert done.stdout == "fine\n", done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_old_syntax_and_what_maya_ships(path):
    text = path.read_text()
    tree = ast.parse(text, feature_version=(3, 7))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] in SHIPPED, node.module
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= SHIPPED
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")


def test_every_command_that_is_named_is_one_of_mayas():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cmds":
                assert maya_stubs.overloads(node.attr), node.attr
    text = maya_stubs.stub("utils.pyi").read_text() + maya_stubs.stub("api/OpenMaya.pyi").read_text()
    text += maya_stubs.stub("mel.pyi").read_text()
    assert all(name in text for name in ("def executeDeferred(", "MFnPlugin", "def eval("))


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("fiel", {}), ("file", {"qurey": True}), ("file", {"query": True, "exportAll": 1}), ("text", {"label": 3}),
        ("rowLayout", {"columnWidth2": (1, 2, 3)}), ("progressBar", {"progress": 0.5}),
        ("optionVar", {"stringValue": ("a",)}), ("ls", {"type": 3}),
    ],
)  # fmt: skip
def test_the_fake_refuses_what_maya_would(command, flags):
    with pytest.raises(maya_stubs.WrongCall):
        maya_stubs.check(command, flags)


def test_user_setup_only_defers_and_leaves_no_name(maya, maya_module):
    left = runpy.run_path(str(maya_module / "scripts" / "userSetup.py"))

    assert {name for name in left if not name.startswith("__")} == set()
    assert maya.calls == ["evalDeferred"]
    assert not any(name.partition(".")[0] == "outfield" for name in sys.modules)
    maya.turn()
    assert maya.plugins == {"outfield_maya"}
    assert part("start_up").PLUGIN == "outfield_maya"


def test_one_line_for_each_maya(maya_module):
    lines = (maya_module.parent / "outfield.mod").read_text().splitlines()

    assert [line.split()[1] for line in lines] == [f"MAYAVERSION:{year}" for year in range(2022, 2027)]
    assert {line.split()[-1] for line in lines} == {"outfield"}
    assert {"plug-ins", "scripts"} <= {path.name for path in maya_module.iterdir()}
