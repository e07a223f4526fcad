# ruff: noqa: N802 - Houdini's own names
"""A Houdini without Houdini: `hou` with the signatures of the published stubs and a scripted scene.

What it answers is what SideFX's help says; no real Houdini was asked.
"""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any

from stub_classes import Held, Stubs, held_function

HOU = Stubs("types-houdini", "hou-stubs/__init__.pyi")
HFS = "/opt/hfs20.5"


class _Hou(Held):
    stubs = HOU


class Category(_Hou, stub="OpNodeTypeCategory"):
    """A kind of network."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name


ROP, LOP, SOP = Category("Driver"), Category("Lop"), Category("Sop")


class Type(_Hou, stub="OpNodeType"):
    """A node's type."""

    def __init__(self, name: str, category: Category) -> None:
        self._name, self._category = name, category

    def name(self) -> str:
        return self._name

    def category(self) -> Category:
        return self._category


class Template(_Hou, stub="StringParmTemplate"):
    """What a parameter is like."""

    def __init__(self, tags: dict[str, str]) -> None:
        self._tags = tags

    def tags(self) -> dict[str, str]:
        return self._tags


class Parm(_Hou, stub="Parm"):
    """A parameter; `$HIP`, `$JOB`, `$OS`, `$F` and `$F4` are filled in."""

    def __init__(self, node: Node, name: str, value: Any, tags: dict[str, str]) -> None:
        self._node, self._name, self.value, self._tags = node, name, value, tags
        self.disabled = False

    def node(self) -> Node:
        return self._node

    def name(self) -> str:
        return self._name

    def parmTemplate(self) -> Template:
        return Template(self._tags)

    def evalAsString(self) -> str:
        return self.evalAsStringAtFrame(self._node.scene.frame)

    def evalAsStringAtFrame(self, frame: float) -> str:
        text = self._node.scene.expanded(str(self.value)).replace("$OS", self._node.path().rpartition("/")[2])
        return re.sub(r"\$\{?F(\d*)\}?", lambda mark: str(int(frame)).zfill(int(mark[1] or 1)), text)

    def isDisabled(self) -> bool:
        return self.disabled

    def evalAsInt(self) -> int:
        return int(self.value)

    def evalAsFloat(self) -> float:
        return float(self.value)


class Node(_Hou, stub="OpNode"):
    """A node and its parameters."""

    def __init__(self, scene: Scene, path: str, kind: Type, parms: dict[str, Any]) -> None:
        self.scene, self._path, self._type = scene, path, kind
        self.parms_by_name = {
            name: Parm(self, name, *(value if isinstance(value, tuple) else (value, {})))
            for name, value in parms.items()
        }

    def path(self) -> str:
        return self._path

    def type(self) -> Type:
        return self._type

    def parm(self, parm_path: str) -> Parm | None:
        return self.parms_by_name.get(parm_path)

    def allSubChildren(
        self, top_down: bool = True, recurse_in_locked_nodes: bool = True, sync_delayed_definition: bool = False
    ) -> tuple[Any, ...]:
        inside = self._path.rstrip("/") + "/"
        return tuple(
            node
            for path, node in self.scene.nodes.items()
            if path.startswith(inside) and (recurse_in_locked_nodes or path not in self.scene.locked)
        )


class RenderNode(Node, stub="RopNode"):
    """A render node; it may be bypassed."""

    bypassed = False

    def isBypassed(self) -> bool:
        return self.bypassed


class SopNode(Node, stub="SopNode"):
    """A node of geometry; it may be bypassed."""

    bypassed = False

    def isBypassed(self) -> bool:
        return self.bypassed


class Scene:
    """What is open."""

    def __init__(self, project: Path) -> None:
        self.project, self.in_window, self.modified = str(project), True, False
        self.path, self.frame, self.version = f"{project}/untitled.hip", 5.0, (20, 5, 332)
        self.nodes: dict[str, Node] = {}
        self.locked: set[str] = set()
        self.libraries: list[str] = []
        self.writes: list[str] = []
        self.write_fault = ""
        for network in ("/out", "/obj", "/stage"):
            self.add(network, Type("network", SOP))
        self.add("/obj/cam1", Type("cam", SOP))

    def add(self, path: str, kind: Type, **parms: Any) -> Node:
        """A node."""
        made = {ROP: RenderNode, SOP: SopNode}.get(kind.category(), Node)(self, path, kind, parms)
        self.nodes[path] = made
        return made

    def mantra(self, path: str, picture: str, **parms: Any) -> Node:
        """A render node as Mantra's."""
        own = {"vm_picture": picture, "camera": "/obj/cam1", "trange": 1, "f1": 1.0, "f2": 10.0, "f3": 1.0, **parms}
        return self.add(path, Type("ifd", ROP), **own)

    def file(self, path: str, value: str, name: str = "file", **tags: str) -> Node:
        """A node that reads a file."""
        return self.add(path, Type("file", SOP), **{name: (value, tags)})

    def expanded(self, text: str) -> str:
        """With Houdini's variables filled in."""
        for name, value in (("$HIP", self.path.rpartition("/")[0]), ("$JOB", self.project), ("$HFS", HFS)):
            text = text.replace(name, value)
        return text

    def references(self) -> list[tuple[Parm | None, str]]:
        """What `hou.fileReferences` lists: every parameter with a path, and the assets' libraries."""
        parms = [parm for node in self.nodes.values() for parm in node.parms_by_name.values()]
        paths = [
            parm for parm in parms if isinstance(parm.value, str) and "/" in parm.value and parm.name() != "camera"
        ]
        return [*((parm, parm.value) for parm in paths), *((None, each) for each in self.libraries)]


class HipFile(_Hou, stub="hipFile"):
    """The scene's file."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def path(self) -> str:
        return self._scene.path

    def hasUnsavedChanges(self) -> bool:
        return self._scene.modified or not self._scene.in_window


class Text(_Hou, stub="text"):
    """Functions on text."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def expandString(self, str: str, expand_tilde: bool = True) -> str:  # noqa: A002 - its name there
        return self._scene.expanded(str)


class Qt(_Hou, stub="qt"):
    """What Houdini tells of its windows."""

    def mainWindow(self) -> None:
        return None


class Error(Exception):
    """Houdini's own."""


class OperationFailed(Error):
    """It says so of what cannot be done."""


def module(scene: Scene) -> types.ModuleType:
    """`hou`."""
    made: Any = types.ModuleType("hou")
    made.Error, made.OperationFailed = Error, OperationFailed
    made.hipFile, made.text, made.qt = HipFile(scene), Text(scene), Qt()

    def hscript(command: str) -> tuple[str, str]:
        match = re.fullmatch(r'mwrite -n "((?:[^"\\]|\\.)*)"', command)
        assert match is not None, command
        if not scene.write_fault:
            path = re.sub(r"\\(.)", r"\1", match[1])
            Path(path).write_text("a scene of Houdini's\n")
            scene.writes.append(path)
        return "", scene.write_fault

    functions = {
        "isUIAvailable": lambda: scene.in_window,
        "node": lambda path: scene.nodes.get(path),  # noqa: PLW0108 - a builtin has no name
        "frame": lambda: scene.frame,
        "fileReferences": lambda: tuple(scene.references()),
        "getenv": lambda name: HFS if name == "HFS" else None,
        "applicationVersion": lambda: scene.version,
        "applicationVersionString": lambda: ".".join(map(str, scene.version)),
        "ropNodeTypeCategory": lambda: ROP,
        "hscript": hscript,
    }
    for name, function in functions.items():
        setattr(made, name, held_function(HOU, name, function))
    for name in ("Error", "OperationFailed"):
        assert HOU.has(name)
    return made
