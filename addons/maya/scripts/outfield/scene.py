# SPDX-License-Identifier: Apache-2.0
"""What the open scene says of itself, read through `maya.cmds` as plain data. Main thread; nothing is changed."""

from __future__ import annotations

import math
import os
from typing import Any, Dict, List, Tuple

from maya import cmds

from .outfield_core.facts import Facts
from .outfield_core.frames import format_frames
from .roads import ENDINGS, Odd

DEFAULT_LAYER = "defaultRenderLayer"
RENDER_SCRIPTS = ("preMel", "postMel", "preRenderLayerMel", "postRenderLayerMel", "preRenderMel", "postRenderMel")
MAYAS_OWN_SCRIPTS = ("uiConfigurationScriptNode", "sceneConfigurationScriptNode")
RUNS_AT_RENDER = frozenset({1, 5, 6, 7})
"""`scriptType` of script nodes that run where there is no window: at opening, and around renders."""

SIMULATED = ("nCloth", "nParticle", "hairSystem")
CM_PER_INCH = 2.54
FILL, HORIZONTAL, VERTICAL = 0, 1, 2


def path() -> str:
    """The scene's file; "" while it was never saved."""
    return str(cmds.file(query=True, sceneName=True) or "")


def is_modified() -> bool:
    """Are there changes that are not in the file?"""
    return bool(cmds.file(query=True, modified=True))


def file_type() -> str:
    """`mayaAscii` or `mayaBinary`."""
    kinds = cmds.file(query=True, type=True) or []
    kind = kinds if isinstance(kinds, str) else (kinds or [""])[0]
    return str(kind) if kind in ("mayaAscii", "mayaBinary") else "mayaAscii"


def project() -> str:
    """The folder of Maya's project (workspace), which relative paths start from."""
    return str(cmds.workspace(query=True, rootDirectory=True) or "").rstrip("/\\")


def origin() -> str:
    """The scene's path, or the one that it would have as a scene of Maya's: never saved, or opened from an FBX."""
    ending = ".mb" if file_type() == "mayaBinary" else ".ma"
    own = path() or os.path.join(project() or os.path.expanduser("~"), "scenes", "untitled")
    return own if is_mayas_own(own) else os.path.splitext(own)[0] + ending


def is_mayas_own(name: str) -> bool:
    """Is it a file in one of Maya's own formats?"""
    return os.path.splitext(name)[1].lower() in ENDINGS


def is_batch() -> bool:
    """Is there no window?"""
    return bool(cmds.about(batch=True))


def version() -> Tuple[int, ...]:
    """E.g. (2024,)."""
    return tuple(int(part) for part in str(cmds.about(version=True)).split()[0].split(".") if part.isdigit())


def engine() -> str:
    """The scene's renderer as Maya names it, e.g. `arnold`, `mayaSoftware`, `redshift`."""
    return str(cmds.getAttr("defaultRenderGlobals.currentRenderer") or "mayaSoftware")


def layers() -> Tuple[List[str], List[str]]:
    """Renderable layers, and all of this scene's; those of render setup are among them (`rs_NAME`)."""
    every = [each for each in cmds.ls(type="renderLayer") or [] if not _is_referenced(each)]
    return [each for each in every if cmds.getAttr(each + ".renderable")], every


def layer_label(layer: str) -> str:
    """A layer as the artist named it."""
    if layer == DEFAULT_LAYER:
        return "masterLayer"
    return layer[3:] if layer.startswith("rs_") else layer


def cameras() -> Tuple[List[str], List[str]]:
    """Transforms of the renderable cameras, and of all others, orthographic ones left out."""
    renderable, others = [], []
    for shape in cmds.ls(type="camera", long=True) or []:
        parents = cmds.listRelatives(shape, parent=True, fullPath=True) or []
        if not parents:
            continue
        name = str(parents[0]).lstrip("|")
        if cmds.getAttr(shape + ".renderable"):
            renderable.append(name)
        elif not cmds.getAttr(shape + ".orthographic"):
            others.append(name)
    return renderable, others


def scene_frames() -> str:
    """The frames of the render settings; a still is the current frame."""
    if not cmds.getAttr("defaultRenderGlobals.animation"):
        return str(current_frame())
    first, last, step = (
        cmds.getAttr("defaultRenderGlobals." + name) for name in ("startFrame", "endFrame", "byFrameStep")
    )
    return format_frames(range(int(first), int(last) + 1, max(1, int(step))))


def current_frame() -> int:
    """The frame that Maya shows."""
    return int(cmds.getAttr("time1.outTime"))


def image_name(layer: str, camera: str) -> str:
    """Where Maya would write: project, file rule, prefix and tokens resolved, with # for each digit of the frame."""
    digits = max(1, int(cmds.getAttr("defaultRenderGlobals.extensionPadding") or 4))
    names = cmds.renderSettings(genericFrameImageName="#" * digits, fullPath=True, layer=layer, camera=camera)
    name = names if isinstance(names, str) else (names or [""])[0]
    return str(name)


def read(facts: Facts, odd: Odd) -> None:
    """Fill what is known of the whole scene at once; nodes are walked in `dependencies`."""
    facts.program, facts.version, facts.engine = "Maya", version(), engine()
    facts.scene_path, facts.is_dirty = path(), is_modified()
    renderable, facts.other_cameras = cameras()
    facts.camera = bool(renderable)
    odd.layers, odd.all_layers = layers()
    odd.scripts = scripts()
    facts.unbaked = unbaked()
    facts.ocio = colour_configuration()
    odd.unknown_nodes = len(cmds.ls(type=["unknown", "unknownDag", "unknownTransform"]) or [])
    odd.unknown_plugins = [str(each) for each in cmds.unknownPlugin(query=True, list=True) or []]
    odd.meshes = len(cmds.ls(type="mesh", noIntermediate=True) or [])


def scripts() -> List[str]:
    """Script nodes and render settings that would run MEL or Python of the scene's own."""
    found = []
    for node in cmds.ls(type="script") or []:
        if str(node).rpartition(":")[2] not in MAYAS_OWN_SCRIPTS and (
            cmds.getAttr(node + ".scriptType") in RUNS_AT_RENDER
        ):
            found.append(str(node))
    return found + [name for name in RENDER_SCRIPTS if cmds.getAttr("defaultRenderGlobals." + name)]


def unbaked() -> List[str]:
    """Simulations that no cache feeds."""
    known = set(cmds.allNodeTypes() or [])
    kinds = [kind for kind in SIMULATED if kind in known]
    nodes = (cmds.ls(type=kinds) or []) if kinds else []
    return [str(node) for node in nodes if not cmds.listConnections(node + ".playFromCache", destination=False)]


def colour_configuration() -> str:
    """A colour configuration that is not Maya's own; "" for none."""
    if not cmds.colorManagementPrefs(query=True, cmEnabled=True):
        return ""
    if not cmds.colorManagementPrefs(query=True, cmConfigFileEnabled=True):
        return ""
    own = str(cmds.colorManagementPrefs(query=True, configFilePath=True) or "")
    return "" if own.startswith("<MAYA_RESOURCES>") else own


def resolution() -> Tuple[int, int]:
    """Width and height in pixels."""
    return int(cmds.getAttr("defaultResolution.width")), int(cmds.getAttr("defaultResolution.height"))


def pinhole(camera: str) -> Dict[str, Any]:
    """The camera as the farm's mesh renderer takes it; {} where an exported mesh may have another unit than Maya."""
    shapes = cmds.listRelatives(camera, shapes=True, fullPath=True, type="camera") or []
    if not shapes or cmds.currentUnit(query=True, linear=True) != "cm":
        return {}
    matrix = [float(each) for each in cmds.getAttr(shapes[0] + ".worldMatrix[0]")]
    position, up, back = matrix[12:15], matrix[4:7], matrix[8:11]
    return {
        "position": position,
        "target": [place - away for place, away in zip(position, back)],
        "up": up,
        "fov_deg": round(_vertical_view_deg(shapes[0]), 6),
    }


def _vertical_view_deg(shape: str) -> float:
    """The vertical angle of view as rendered: the film fitted into the picture."""
    names = ("horizontalFilmAperture", "verticalFilmAperture", "focalLength", "filmFit")
    wide, high, focal, fit = (float(cmds.getAttr(shape + "." + name)) for name in names)
    aspect = float(cmds.getAttr("defaultResolution.deviceAspectRatio"))
    by_width = fit == HORIZONTAL or (fit != VERTICAL and (wide / high < aspect) == (fit == FILL))
    gate = wide / aspect if by_width else high
    return math.degrees(2.0 * math.atan(gate * CM_PER_INCH * 10.0 / (2.0 * focal)))


def _is_referenced(node: str) -> bool:
    return bool(cmds.referenceQuery(node, isNodeReferenced=True))
