"""What the packages may be made of: Python 3.7, what Houdini and Nuke ship, nothing else."""

from __future__ import annotations

import ast
import json
import re
import xml.etree.ElementTree as ET

import pytest
import shared_core
from fake_hou import HOU
from fake_nuke import STUBS
from stub_classes import WrongCall, check

ADDONS = shared_core.FOLDER.parent
FILES = sorted(path for name in ("houdini", "nuke", "shared/outfield_qt") for path in (ADDONS / name).rglob("*.py"))
SHIPPED = {
    "__future__", "collections", "functools", "hou", "nuke", "nukescripts", "os", "PySide2", "PySide6", "re", "typing",
    "webbrowser", "outfield",
}  # fmt: skip

PLAIN = """
import os, sys, types
sys.path.insert(0, sys.argv[1])
import outfield
assert not any(name.startswith("outfield.") for name in sys.modules), "importing it costs nothing"
class Any:
    def __init__(self, *args): pass
    def __getattr__(self, name): return Any()
    def __call__(self, *args, **named): return Any()
for name in ("hou", "nuke", "nukescripts", "PySide2", "PySide2.QtCore", "PySide2.QtGui", "PySide2.QtWidgets"):
    sys.modules[name] = types.ModuleType(name)
    if "." in name:
        setattr(sys.modules["PySide2"], name[8:], sys.modules[name])
sys.modules["hou"].Error = sys.modules["hou"].OperationFailed = RuntimeError
sys.modules["PySide2.QtWidgets"].QScrollArea = Any
for folder in ("", "outfield_qt"):
    for name in sorted(os.listdir(os.path.join(os.path.dirname(outfield.__file__), folder))):
        if name.endswith(".py") and name != "__init__.py":
            __import__(".".join(filter(None, ("outfield", folder, name[:-3]))))
print("fine")
"""


@pytest.mark.parametrize("version", shared_core.VERSIONS)
def test_every_module_loads_on_every_python_that_is_here(version, built):
    done = shared_core.run_plainly(version, PLAIN, built[1])

    assert done.stdout == "fine\n", done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_old_syntax_and_what_the_programs_ship(path):
    text = path.read_text()
    tree = ast.parse(text, feature_version=(3, 7))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] in SHIPPED, node.module
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= SHIPPED
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")


@pytest.mark.parametrize(("module", "stubs"), [("hou", HOU), ("nuke", STUBS)])
def test_every_name_of_the_program_is_one_that_it_has(module, stubs):
    named = {
        node.attr
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module
    }

    assert len(named) > 5
    assert {name for name in named if not stubs.has(name)} == set()


@pytest.mark.parametrize(
    ("kind", "method", "args", "named"),
    [
        ("OpNode", "parm", (), {}), ("OpNode", "parm", (3,), {}), ("OpNode", "parm", ("a", "b"), {}),
        ("OpNode", "allSubChildren", (), {"recurse": True}), ("Parm", "evalAsStringAtFrame", ("one",), {}),
    ],
)  # fmt: skip
def test_the_fake_refuses_what_houdini_would(kind, method, args, named):
    with pytest.raises(WrongCall):
        check(method, HOU.members(kind)[method], args, named, 1)


def test_houdinis_package_names_its_folder_and_its_files_call_what_there_is():
    folder = ADDONS / "houdini"
    package = json.loads((folder / "outfield.json").read_text())
    assert package["hpath"] == "$HOUDINI_PACKAGE_PATH/outfield"
    scripts = [
        element.text
        for name in ("toolbar/outfield.shelf", "python_panels/outfield.pypanel")
        for element in ET.parse(folder / name).iter("script")
    ]
    called = set(re.findall(r"outfield\.window\.(\w+)\(", "\n".join(filter(None, scripts))))
    assert called == {"show", "new_panel"}
    for script in scripts:
        ast.parse(script or "")
