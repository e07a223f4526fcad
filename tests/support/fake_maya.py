# ruff: noqa: N802, N803 - Maya's own names
"""A Maya without Maya: `maya.cmds` with the signatures of the published stubs, a scripted scene, a tree of widgets.

Every call is held against `maya_stubs`: a command, a flag or a value that Maya does not know fails the test. What it
answers is what Autodesk's command reference says; no real Maya was asked.
"""

from __future__ import annotations

import importlib
import re
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import maya_stubs
from fake_maya_scene import Scene
from fake_maya_widgets import WIDGETS, Widgets

WINDOW_VARIABLES = {"gMainWindow": "MayaWindow", "gShelfTopLevel": "ShelfLayout"}
FILE_ATTRIBUTES = {
    "file": ["fileTextureName", "computedFileTextureNamePattern"], "aiImage": ["filename"], "aiStandIn": ["dso"],
    "imagePlane": ["imageName"], "audio": ["filename"], "AlembicNode": ["abc_File"], "strange": ["paths"],
}  # fmt: skip


class Maya(Widgets):
    """The commands. `calls`: their names in order; `deferred`: turns due."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.scene = scene
        self.options: dict[str, Any] = {}
        self.deferred: list[Any] = []
        self.plugins: set[str] = set()
        self.launched: list[str] = []
        self.undo_depth = 0

    def call(self, command: str, args: tuple[Any, ...], flags: dict[str, Any]) -> Any:
        """Hold it against the stubs, then answer."""
        maya_stubs.check(command, flags)
        self.calls.append(command)
        own = getattr(self, f"do_{command}", None)
        if own is not None:
            return own(*args, **flags)
        if command in WIDGETS:
            return self.play(command, args, flags)
        raise maya_stubs.WrongCall(f"the fake does not play {command} yet")

    # ---- The scene ---------------------------------------------------------------------------------------------------

    def do_about(self, **flags: Any) -> Any:
        (flag,) = flags
        return {"batch": self.scene.batch, "version": self.scene.version, "uiLanguage": self.scene.language}[flag]

    def do_ls(self, **flags: Any) -> list[str]:
        kinds = flags.get("type")
        wanted = [kinds] if isinstance(kinds, str) else kinds
        names = [name for name, node in self.scene.nodes.items() if wanted is None or node["type"] in wanted]
        if flags.get("showType"):
            return [each for name in names for each in (name, self.scene.nodes[name]["type"])]
        return names

    def do_allNodeTypes(self) -> list[str]:
        return sorted({node["type"] for node in self.scene.nodes.values()})

    def do_objExists(self, node: str) -> bool:
        return node in self.scene.nodes

    def do_nodeType(self, node: str) -> str:
        return str(self._node(node)["type"])

    def do_listRelatives(self, node: str, **flags: Any) -> list[str] | None:
        if flags.get("parent"):
            parent = self._node(node).get("parent")
            return [parent] if parent else None
        full = node if node.startswith("|") else f"|{node}"
        found = [name for name, each in self.scene.nodes.items() if each.get("parent") == full]
        return [name for name in found if self.scene.nodes[name]["type"] == flags["type"]] or None

    def do_listAttr(self, node: str, *, usedAsFilename: bool) -> list[str] | None:
        return FILE_ATTRIBUTES.get(self._node(node)["type"])

    def do_listConnections(self, plug: str, **_: Any) -> list[str] | None:
        return self._attribute(plug)

    def do_getAttr(self, plug: str) -> Any:
        return self._attribute(plug)

    def do_setAttr(self, plug: str, *values: Any, **_: Any) -> None:
        node, _, name = plug.partition(".")
        self._node(node)[name] = values[0] if len(values) == 1 else [values]
        self.scene.modified = True

    def do_referenceQuery(self, node: str, **flags: Any) -> Any:
        if "isNodeReferenced" in flags:
            return node in self.scene.referenced
        if node not in self.scene.references:
            raise RuntimeError(f"reference node '{node}' is not associated with a reference file.")
        path, loaded, parent = self.scene.references[node]
        return path if "filename" in flags else loaded if "isLoaded" in flags else parent

    def do_file(self, *args: Any, **flags: Any) -> Any:
        scene = self.scene
        if flags.get("query"):
            (flag,) = set(flags) - {"query"}
            paths = [path for path, _, parent in scene.references.values() if parent is None]
            known = {"sceneName": scene.path, "modified": scene.modified, "type": [scene.kind], "reference": paths}
            return known[flag]
        if "loadReference" in flags:
            name = flags["loadReference"]
            path, _, parent = scene.references[name]
            scene.references[name] = (str(args[0]) if args else path, True, parent)
            return name
        assert flags["exportAll"] and flags["force"]
        if scene.export_fault:
            raise RuntimeError(scene.export_fault)
        if flags["type"] != "OBJexport":
            assert flags["preserveReferences"] is True
        elif "objExport" not in self.plugins:
            raise RuntimeError("Invalid file type specified: OBJexport")
        else:
            Path(args[0]).with_suffix(".mtl").write_text("newmtl a\n")
        Path(args[0]).write_text(f"//Maya ASCII {scene.version} scene\n" if flags["type"] != "OBJexport" else OBJ)
        scene.writes.append(str(args[0]))
        return args[0]

    def do_workspace(self, **flags: Any) -> str:
        if flags.get("query"):
            return self.scene.project + "/"
        return f"{self.scene.project}/{flags['expandName']}"

    def do_renderSettings(self, **flags: Any) -> list[str]:
        layer = "masterLayer" if flags["layer"] == "defaultRenderLayer" else flags["layer"].removeprefix("rs_")
        stem = Path(self.scene.path).stem or "untitled"
        several = sum(1 for node in self.scene.nodes.values() if node["type"] == "renderLayer") > 1
        folder = f"{self.scene.project}/{self.scene.image_rule}" + (f"/{layer}" if several else "")
        return [f"{folder}/{stem}.{flags['genericFrameImageName']}.{self.scene.ending}"]

    def do_unknownPlugin(self, **_: Any) -> list[str]:
        return self.scene.unknown_plugins

    def do_colorManagementPrefs(self, **flags: Any) -> Any:
        (flag,) = set(flags) - {"query"}
        return dict(zip(("cmEnabled", "cmConfigFileEnabled", "configFilePath"), self.scene.colour, strict=True))[flag]

    def do_currentUnit(self, **_: Any) -> str:
        return self.scene.unit

    def do_camera(self) -> list[str]:
        self.scene.camera("camera1")
        return ["camera1", "cameraShape1"]

    def _node(self, name: str) -> dict[str, Any]:
        node = self.scene.nodes.get(name) or self.scene.nodes.get(f"|{name}")
        if node is None:
            raise RuntimeError(f"No object matches name: {name}")
        return node

    def _attribute(self, plug: str) -> Any:
        node, _, name = plug.partition(".")
        found = self._node(node)
        if name not in found or found[name] is NotImplemented:  # Maya cannot tell a compound whole
            raise RuntimeError(f"No object matches name: {plug}")
        return found[name]

    # ---- The program -------------------------------------------------------------------------------------------------

    def do_optionVar(self, **flags: Any) -> Any:
        if "stringValue" in flags:
            name, value = flags["stringValue"]
            self.options[name] = value
            return None
        if "exists" in flags:
            return flags["exists"] in self.options
        if "remove" in flags:
            return self.options.pop(flags["remove"])
        return self.options.get(flags["query"], 0)

    def do_loadPlugin(self, name: str, *, quiet: bool) -> list[str]:
        self.plugins.add(name)
        return [name]

    def do_pluginInfo(self, name: str, **_: Any) -> bool:
        return name in self.plugins

    def do_undoInfo(self, **flags: Any) -> None:
        self.undo_depth += 1 if flags.get("openChunk") else -1

    def do_fileDialog2(self, **_: Any) -> list[str] | None:
        return self.scene.picked or None

    def do_launch(self, *, webPage: str) -> None:
        self.launched.append(webPage)

    def do_evalDeferred(self, what: Any, **_: Any) -> None:
        self.deferred.append(what)

    def turn(self) -> int:
        """Do what was deferred to the main thread; how much that was."""
        due, self.deferred = self.deferred, []
        for each in due:
            exec(each, {}) if isinstance(each, str) else each()
        return len(due)


OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


class Commands(types.ModuleType):
    """`maya.cmds`: names are looked up when they are called, as in Maya."""

    def __init__(self, maya: Maya) -> None:
        super().__init__("maya.cmds")
        self._maya = maya

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **flags: self._maya.call(name, args, flags)


@contextmanager
def running_maya(module: Path, project: Path, version: str = "2024") -> Iterator[Maya]:
    """A Maya with the module (the folder of the zip) on its path; afterwards neither is known any more."""
    fake = Maya(Scene(project, version))
    sys.modules.update(_modules(fake))
    scripts = str(module / "scripts")
    sys.path.insert(0, scripts)
    try:
        yield fake
    finally:
        session = sys.modules.get("outfield.session")
        if session is not None:
            session.stop()
        sys.path.remove(scripts)
        for name in [each for each in sys.modules if each.partition(".")[0] in ("maya", "outfield")]:
            del sys.modules[name]


def _modules(fake: Maya) -> dict[str, types.ModuleType]:
    names = ("maya", "maya.utils", "maya.mel", "maya.api", "maya.api.OpenMaya")
    made = {name: types.ModuleType(name) for name in names}
    made["maya.cmds"] = Commands(fake)
    utils: Any = made["maya.utils"]
    utils.executeDeferred = lambda call: fake.deferred.append(call)  # noqa: PLW0108 - the list is replaced
    mel: Any = made["maya.mel"]
    mel.eval = lambda text: WINDOW_VARIABLES[re.fullmatch(r"\$\w+ = \$(\w+)", text)[1]]  # type: ignore[index]
    api: Any = made["maya.api.OpenMaya"]
    api.MFnPlugin = lambda plugin, vendor, version: (plugin, vendor, version)
    for name, module in made.items():
        outer, _, inner = name.rpartition(".")
        if outer:
            setattr(made[outer], inner, module)
    return made


def part(name: str) -> Any:
    """A module of the add-on, inside a running Maya."""
    return importlib.import_module(f"outfield.{name}" if name else "outfield")


def until(maya: Maya, condition: Callable[[], Any], within_s: float = 60.0) -> None:
    """Give Maya its turns until something is so."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        maya.turn()
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(maya.shown())
