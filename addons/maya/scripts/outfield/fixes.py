# SPDX-License-Identifier: Apache-2.0
"""What a *Fix* button does. Each changes the open scene as the artist would, as one undo step, or only the wishes; none
saves anything.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List

from maya import cmds

from . import dependencies, scene, session, settings
from .outfield_core.files import Need, find_files
from .outfield_core.texts import tr

LABELS = {
    "use_camera": "Use a camera",
    "add_camera": "Add a camera",
    "use_layer": "Switch on",
    "scene_frames": "Scene's frames",
    "farm_output": "Keep on the farm",
    "missing_only": "Missing only",
    "find_files": "Find",
    "load_reference": "Load it",
    "use_preview": "Preview of the mesh",
    "no_preview": "The whole scene",
    "whole_frames": "Whole frames",
}
"""What the button says, by the name of the fix."""

FOLDERS_MAX = 20_000
"""Folders that are looked through for missing files."""

PICK_FOLDER = 3  # fileDialog2's mode


def _use_camera(target: str) -> None:
    for shape in cmds.listRelatives(target, shapes=True, fullPath=True, type="camera") or []:
        cmds.setAttr(shape + ".renderable", True)


def _add_camera(target: str) -> None:
    """Where Maya's own perspective view starts; the artist places it."""
    transform = cmds.camera()[0]
    cmds.setAttr(transform + ".translate", 28.0, 21.0, 28.0, type="double3")
    cmds.setAttr(transform + ".rotate", -28.0, 45.0, 0.0, type="double3")
    _use_camera(transform)


def _use_layer(target: str) -> None:
    cmds.setAttr(target + ".renderable", True)


def _load_reference(target: str) -> None:
    cmds.file(loadReference=target)


def _scene_frames(target: str) -> None:
    settings.wish("frames_mode", "SCENE")
    first = cmds.getAttr("defaultRenderGlobals.startFrame")
    if cmds.getAttr("defaultRenderGlobals.endFrame") < first:
        cmds.setAttr("defaultRenderGlobals.endFrame", first)


def _find_files(target: str) -> None:
    picked = cmds.fileDialog2(fileMode=PICK_FOLDER, startingDirectory=scene.project() or os.path.expanduser("~"))
    if picked:
        missing = session.current().missing
        dependencies.relink(found_below(str(picked[0]), missing), missing)


def found_below(folder: str, missing: List[Any]) -> Dict[str, str]:
    """Where the missing files of these names are below a folder, by their old paths. Sets of files count as one."""
    found: Dict[str, str] = {}
    for count, (place, _, names) in enumerate(os.walk(folder)):
        wanted = [need for need in missing if need.path not in found]
        if not wanted or count > FOLDERS_MAX:
            break
        for need in wanted if names else []:
            path = os.path.join(place, os.path.basename(need.path))
            if find_files([Need(need.kind, path, need.owner)]).files:
                found[need.path] = path
    return found


def _set(name: str, value: Any) -> Callable[[str], None]:
    return lambda target: settings.wish(name, value)


FIXES: Dict[str, Callable[[str], None]] = {
    "use_camera": _use_camera,
    "add_camera": _add_camera,
    "use_layer": _use_layer,
    "scene_frames": _scene_frames,
    "farm_output": _set("output_mode", "FARM"),
    "missing_only": _set("frames_mode", "MISSING"),
    "find_files": _find_files,
    "load_reference": _load_reference,
    "use_preview": _set("preview", True),
    "no_preview": _set("preview", False),
    "whole_frames": _set("split_mode", "FRAMES"),
}


def fix(name: str, target: str) -> None:
    """Do it, as one step of Maya's undo."""
    cmds.undoInfo(openChunk=True, chunkName="outfield " + name)
    try:
        FIXES[name](target)
    except RuntimeError as error:
        session.current().say(False, tr("{program} says: {text}", program="Maya", text=" ".join(str(error).split())))
    finally:
        cmds.undoInfo(closeChunk=True)
    session.current().found_for = None
