# ruff: noqa: N802 - Nuke's own names
"""A Nuke without Nuke: `nuke` with the names and signatures of the published stubs and a scripted script.

What it answers is what Foundry's reference says; no real Nuke was asked.
"""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any

from stub_classes import Held, Stubs, held_function

STUBS = Stubs(
    "types-nuke", "nuke-stubs/_nuke.pyi", "nuke-stubs/__init__.pyi", "nuke-stubs/callbacks.pyi"
)  # fmt: skip


class _Nuke(Held):
    stubs = STUBS


class Knob(_Nuke, stub="File_Knob"):
    """A knob of any class; expressions in brackets evaluate to what stands in the script's `expressions`."""

    def __init__(self, script: Script, kind: str, value: Any) -> None:
        self._script, self._kind, self.content = script, kind, value

    def Class(self) -> str:
        assert STUBS.has(self._kind)
        return self._kind

    def value(self) -> Any:
        return self.content

    def evaluate(self) -> str:
        return self._script.evaluated(str(self.content))


class Node(_Nuke, stub="Node"):
    """A node and its knobs."""

    def __init__(self, script: Script, kind: str, name: str, knobs: dict[str, Any]) -> None:
        self._script, self._kind, self._name = script, kind, name
        self.fake_inputs: list[Node] = []
        self._knobs = {each: _knob(script, value) for each, value in knobs.items()}

    def Class(self) -> str:
        return self._kind

    def fullName(self) -> str:
        return self._name

    def dependencies(self, mask: int) -> list[Node]:
        assert mask == 7, "inputs, hidden ones, expressions"
        return self.fake_inputs

    def knobs(self) -> dict[str, Knob]:
        return dict(self._knobs)

    def __getitem__(self, name: str) -> Knob:
        if name not in self._knobs:
            raise NameError(f"knob {name} does not exist")
        return self._knobs[name]


class Root(Node, stub="Root"):
    """The script itself."""

    def name(self) -> str:
        return self._script.path or "Root"

    def modified(self) -> bool:
        return self._script.modified

    def firstFrame(self) -> int:
        return self._script.range[0]

    def lastFrame(self) -> int:
        return self._script.range[1]


class Script:
    """What is open."""

    def __init__(self, project: Path) -> None:
        self.project, self.in_window, self.modified = str(project), True, False
        self.path, self.frame, self.range = "", 5, (1, 10)
        self.expressions: dict[str, str] = {}
        self.nodes: list[Node] = []
        self.writes: list[str] = []
        self.write_fault = ""
        self.commands: dict[str, str] = {}
        self.panes: list[tuple[str, str, str]] = []
        self.root = Root(self, "Root", "root", {"project_directory": ("File_Knob", str(project))})

    def add(self, kind: str, name: str, **knobs: Any) -> Node:
        """A node; a knob's value alone is that of a plain knob, a pair is its class and its value."""
        made = Node(self, kind, name, knobs)
        self.nodes.append(made)
        return made

    def write(self, name: str, file: str, **knobs: Any) -> Node:
        """A Write node."""
        return self.add("Write", name, file=("File_Knob", file), disable=False, use_limit=False, **knobs)

    def read(self, name: str, file: str, **knobs: Any) -> Node:
        """A Read node."""
        return self.add("Read", name, file=("File_Knob", file), **knobs)

    def evaluated(self, text: str) -> str:
        """With expressions filled in."""
        return re.sub(r"\[[^\]]*\]", lambda mark: self.expressions[mark[0]], text)


def _knob(script: Script, value: Any) -> Knob:
    kind, content = value if isinstance(value, tuple) else ("Boolean_Knob", value)
    return Knob(script, kind, content)


class Menu(_Nuke, stub="Menu"):
    """A menu."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def addCommand(self, name: str, command: str) -> None:
        self._script.commands[name] = command


class _Module(types.ModuleType):
    """Its `GUI` is as the script says at the moment."""

    script: Script

    @property
    def GUI(self) -> bool:
        return self.script.in_window


def modules(script: Script) -> dict[str, types.ModuleType]:
    """`nuke` and `nukescripts`."""
    made: Any = _Module("nuke")
    made.script = script
    made.INPUTS, made.HIDDEN_INPUTS, made.EXPRESSIONS = 1, 2, 4
    made.NUKE_VERSION_STRING, made.NUKE_VERSION_MAJOR, made.NUKE_VERSION_MINOR = "15.1v3", 15, 1

    def all_nodes(kind: str = "", *, recurseGroups: bool = False) -> list[Node]:  # noqa: N803 - its name there
        inside = recurseGroups or not any("." in node.fullName() for node in script.nodes)
        assert inside, "nodes inside of groups would be missed"
        return [node for node in script.nodes if kind in ("", node.Class())]

    def save(path: str) -> str:
        if script.write_fault:
            raise RuntimeError(script.write_fault)
        Path(path).write_text("a script of Nuke's\n")
        script.writes.append(path)
        return path

    functions = {
        "root": lambda: script.root,
        "allNodes": all_nodes,
        "filename": lambda node: script.evaluated(node["file"].content),
        "frame": lambda: script.frame,
        "scriptSaveToTemp": save,
        "menu": lambda name: Menu(script),
    }
    for name, function in functions.items():
        setattr(made, name, held_function(STUBS, name, function))
    for name in (
        "GUI",
        "INPUTS",
        "HIDDEN_INPUTS",
        "EXPRESSIONS",
        "NUKE_VERSION_STRING",
        "NUKE_VERSION_MAJOR",
        "NUKE_VERSION_MINOR",
    ):
        assert STUBS.has(name), name
    scripts: Any = types.ModuleType("nukescripts")
    scripts.panels = types.ModuleType("nukescripts.panels")
    scripts.panels.registerWidgetAsPanel = lambda widget, name, pane: script.panes.append((widget, name, pane))
    return {"nuke": made, "nukescripts": scripts, "nukescripts.panels": scripts.panels}
