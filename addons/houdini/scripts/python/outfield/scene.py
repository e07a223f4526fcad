# SPDX-License-Identifier: Apache-2.0
"""What the open scene says of itself, read through `hou` as plain data. Main thread; nothing is changed."""

from __future__ import annotations

import os
import re
from typing import Any, Iterator, List, Optional, Tuple

import hou

from .outfield_core.facts import ERROR, Finding
from .outfield_core.files import Need, of_set
from .outfield_core.frames import format_frames
from .outfield_core.render_nodes import RenderNode, pattern_of

OUTPUT_PARMS = (
    "vm_picture", "picture", "outputimage", "copoutput", "ar_picture", "RS_outputFileNamePrefix", "ri_display_0",
    "SettingsOutput_img_file_path",
)  # fmt: skip
"""Parameters that hold where images go: Mantra, Karma, USD Render, Image, Arnold, Redshift, RenderMan, V-Ray."""

NETWORKS = ("/out", "/stage")
"""Where render nodes are looked for."""

CURRENT_FRAME = 0
"""`trange` of a node that renders one frame only."""

KINDS = {
    "image": (".exr", ".hdr", ".jpeg", ".jpg", ".pic", ".png", ".rat", ".tex", ".tga", ".tif", ".tiff", ".tx"),
    "library": (".hda", ".hdalc", ".hdanc", ".otl", ".usd", ".usda", ".usdc", ".usdz"),
    "cache": (".abc", ".bgeo", ".fbx", ".geo", ".gz", ".obj", ".ply", ".sc", ".sim", ".simdata"),
    "volume": (".vdb",),
    "ies": (".ies",),
    "sound": (".aif", ".aiff", ".wav"),
}
"""What a file is, by its ending; every other is `other`, of which a missing one is a warning."""

INSIDE = re.compile("^(op|oplib|opdef|temp|anon|https?):", re.IGNORECASE)
"""Paths that lead into the scene or to no file."""

STEP_REFERENCES = 64


def path() -> str:
    """The scene's file; "" while it was never saved."""
    named = str(hou.hipFile.path())
    return named if os.path.isfile(named) else ""


def origin() -> str:
    """The scene's path, or the one that it would have."""
    return os.path.normpath(str(hou.hipFile.path()))


def in_window() -> bool:
    """Is there an artist, or only a script?"""
    return bool(hou.isUIAvailable())


def is_modified() -> bool:
    """Are there changes that are not in the file? Only a window's Houdini can tell."""
    return bool(hou.hipFile.hasUnsavedChanges())


def current_frame() -> int:
    """Where the play bar stands."""
    return int(hou.frame())


def render_nodes() -> List[RenderNode]:
    """Every node that would write images; those that are bypassed, or inside of locked assets, are left out."""
    found = []
    for network in NETWORKS:
        top = hou.node(network)
        for node in top.allSubChildren(recurse_in_locked_nodes=False) if top is not None else ():
            parm = next((each for each in (node.parm(name) for name in OUTPUT_PARMS) if each is not None), None)
            if parm is not None and not _is_bypassed(node):
                found.append(_render_node(node, parm))
    return found


def _render_node(node: Any, parm: Any) -> RenderNode:
    camera = node.parm("camera")
    seen_by = str(camera.evalAsString()) if camera is not None else ""
    kind = str(node.type().name())
    answers = {"node": str(node.path()), "camera": seen_by, "kind": kind}
    output = os.path.normpath(absolute(pattern_of(lambda frame: str(parm.evalAsStringAtFrame(frame)))))
    return RenderNode(str(node.path()), output.replace(os.sep, "/"), _frames(node), answers, type=kind, camera=seen_by)


def _frames(node: Any) -> str:
    """The node's own range; Houdini's frames may be fractions, the farm's are whole."""
    if node.parm("trange") is None or node.parm("f1") is None or node.parm("trange").evalAsInt() == CURRENT_FRAME:
        return str(current_frame())
    first, last, step = (round(node.parm(name).evalAsFloat()) for name in ("f1", "f2", "f3"))
    return format_frames(range(first, last + 1, max(1, step)))


def needs() -> Iterator[List[Need]]:
    """Every file that Houdini itself lists, some at a time; what render nodes write is not among them."""
    some: List[Need] = []
    for count, (parm, raw) in enumerate(hou.fileReferences(), 1):
        need = _need(parm, str(raw))
        if need is not None:
            some.append(need)
        if count % STEP_REFERENCES == 0:
            yield some
            some = []
    yield some


def _need(parm: Any, raw: str) -> Optional[Need]:
    if parm is not None and (_is_written(parm) or parm.isDisabled() or _is_bypassed(parm.node())):
        return None
    named = pattern_of(lambda frame: str(parm.evalAsStringAtFrame(frame))) if parm is not None else _expanded(raw)
    if not named or INSIDE.match(named):
        return None
    found = os.path.normpath(absolute(named))
    if found.startswith(os.path.normpath(str(hou.getenv("HFS") or "/nowhere")) + os.sep):
        return None  # every worker's Houdini has its own files
    owner = str(parm.node().path()) if parm is not None else os.path.basename(found)
    ending = os.path.splitext(found)[1].lower()
    kind = next((name for name, endings in KINDS.items() if ending in endings), "other")
    kind, where = of_set(found, kind)
    return Need(kind, where, owner, raw=raw)


def _is_bypassed(node: Any) -> bool:
    """Not every kind of node can be."""
    return bool(hasattr(node, "isBypassed") and node.isBypassed())


def _is_written(parm: Any) -> bool:
    """Is it a path that a node writes to?"""
    if parm.name() in OUTPUT_PARMS or parm.node().type().category() == hou.ropNodeTypeCategory():
        return True
    return parm.parmTemplate().tags().get("filechooser_mode") == "write"


def absolute(raw: str) -> str:
    """Houdini takes relative paths from the folder that it was started in."""
    return raw if os.path.isabs(raw) or not raw else os.path.join(os.getcwd(), raw)


def _expanded(raw: str) -> str:
    return str(hou.text.expandString(raw))


def version() -> Tuple[Tuple[int, ...], str]:
    """As numbers, and as text."""
    return tuple(int(part) for part in hou.applicationVersion()), str(hou.applicationVersionString())


def colour_configuration() -> str:
    """A colour configuration of the studio's; "" for Houdini's own."""
    own = os.environ.get("OCIO", "")
    return "" if own.startswith(str(hou.getenv("HFS") or "\0")) else own


def judge(nodes: List[RenderNode]) -> List[Finding]:
    """Cameras that are not there. In Solaris a camera is no node."""
    found = []
    for node in nodes:
        camera = str(node.answers["camera"])
        if camera.startswith("/obj/") and hou.node(camera) is None:
            values = {"camera": camera, "name": node.name}
            found.append(Finding("lost_camera", ERROR, "The camera {camera} of {name} is not there.", values))
    return found


def write_copy(target: str) -> None:
    """Write what is open into another file. HScript's `mwrite -n` keeps the session's name and `$HIP` as they are,
    which `hou.hipFile.save` does not.

    Raises:
        hou.OperationFailed: it cannot be written.
    """
    quoted = re.sub(r'([\\"$`])', r"\\\1", target.replace("\\", "/") if os.name == "nt" else target)
    _, fault = hou.hscript('mwrite -n "{}"'.format(quoted))
    if fault.strip():
        raise hou.OperationFailed(fault.strip())
