# SPDX-License-Identifier: Apache-2.0
"""What the open script says of itself, read through `nuke` as plain data. Main thread; nothing is changed."""

from __future__ import annotations

import os
import re
from typing import Any, Iterator, List, Set, Tuple

import nuke

from .outfield_core.facts import ERROR, Finding
from .outfield_core.files import Need, of_set
from .outfield_core.frames import format_frames
from .outfield_core.render_nodes import RenderNode

WRITERS = ("Write", "DeepWrite")
"""Classes of nodes that write images; WriteGeo writes none."""

KINDS = {
    "Read": "image", "DeepRead": "image", "AudioRead": "sound", "ReadGeo": "cache", "ReadGeo2": "cache",
    "Camera2": "cache", "Camera3": "cache", "Camera4": "cache", "Axis3": "cache", "Axis4": "cache", "Light4": "cache",
    "GeoImport": "cache", "Precomp": "library", "Vectorfield": "other", "OCIOFileTransform": "other",
}  # fmt: skip
"""What a node's file is; every other node's is `other`, of which a missing one is a warning."""

LEFT_OUT = frozenset({"proxy", "render_output", "cacheLocal", "bakePath"})
"""File knobs that a render on the farm does not read."""

MARK = re.compile(r"#+|%0?(\d*)d")
VIEW = re.compile("%[vV]")
UNSAVED = "untitled.nk"
STEP_NODES = 64


def path() -> str:
    """The script's file; "" while it was never saved."""
    name = str(nuke.root().name())
    return "" if name == "Root" else name


def origin() -> str:
    """The script's path, or the one that it would have."""
    return os.path.normpath(path() or os.path.join(project(), UNSAVED))


def project() -> str:
    """The folder which relative paths start from: the project's, else the one that Nuke was started in."""
    own = str(nuke.root()["project_directory"].evaluate() or "").strip()
    return own if own and os.path.isabs(own) else os.getcwd()


def in_window() -> bool:
    """Is there an artist, or only a script?"""
    return bool(nuke.GUI)


def is_modified() -> bool:
    """Are there changes that are not in the file? Only a window's Nuke keeps account of that."""
    return bool(nuke.root().modified())


def current_frame() -> int:
    """Where the viewer stands."""
    return int(nuke.frame())


def version() -> Tuple[Tuple[int, ...], str]:
    """As numbers, and as text."""
    return (int(nuke.NUKE_VERSION_MAJOR), int(nuke.NUKE_VERSION_MINOR)), str(nuke.NUKE_VERSION_STRING)


def writes() -> List[Any]:
    """Every node that would write images; those that are switched off are left out."""
    every = [node for kind in WRITERS for node in nuke.allNodes(kind, recurseGroups=True)]
    on = [node for node in every if not _is_off(node) and node["file"].value()]
    return sorted(on, key=lambda node: (_knob_number(node, "render_order", 1), str(node.fullName())))


def render_nodes() -> List[RenderNode]:
    """The same as plain data."""
    return [
        RenderNode(
            str(node.fullName()), output_of(node), _frames(node), {"node": str(node.fullName())}, type=str(node.Class())
        )
        for node in writes()
    ]


def judge(nodes: List[RenderNode]) -> List[Finding]:
    """Those that write a file for each view."""
    return [
        Finding("views", ERROR, "{name} writes a file for each view, which the farm does not do.", {"name": node.name})
        for node in nodes
        if VIEW.search(node.path)
    ]


def output_of(node: Any) -> str:
    """Where the node writes: an absolute path with ####."""
    named = hashes(str(nuke.filename(node) or ""))
    return os.path.normpath(absolute(named)).replace(os.sep, "/")


def hashes(named: str) -> str:
    """A name with #### for %04d, which Nuke takes for the same. PURE."""
    return MARK.sub(lambda mark: mark[0] if mark[0].startswith("#") else "#" * max(1, int(mark[1] or 1)), named)


def _frames(node: Any) -> str:
    """The node's own range where it has one, else the script's."""
    root = nuke.root()
    first, last = int(root.firstFrame()), int(root.lastFrame())
    if _knob_number(node, "use_limit", 0):
        first, last = _knob_number(node, "first", first), _knob_number(node, "last", last)
    return format_frames(range(first, last + 1))


def needs() -> Iterator[List[Need]]:
    """The files of every node that is on, some at a time."""
    some: List[Need] = []
    used = _used()
    for count, node in enumerate(nuke.allNodes(recurseGroups=True), 1):
        some.extend(_needs_of(node, used))
        if count % STEP_NODES == 0:
            yield some
            some = []
    yield some


def _used() -> Set[str]:
    """The full names of all that some Write node is fed by."""
    links = nuke.INPUTS | nuke.HIDDEN_INPUTS | nuke.EXPRESSIONS
    found, left = set(), writes()  # type: Set[str], List[Any]
    while left:
        node = left.pop()
        if node.fullName() not in found:
            found.add(str(node.fullName()))
            left.extend(node.dependencies(links))
    return found


def _needs_of(node: Any, used: Set[str]) -> Iterator[Need]:
    """A file that no Write node is fed by is spare. What feeds what inside of a group is not looked at."""
    kind, owner = str(node.Class()), str(node.fullName())
    if kind in WRITERS or _is_off(node) or not _knob_number(node, "read_from_file", 1):
        return
    is_spare = owner not in used and "." not in owner
    for name, knob in sorted(node.knobs().items()):
        if knob.Class() == "File_Knob" and name not in LEFT_OUT:
            raw = str(knob.value() or "").strip()
            named = str(nuke.filename(node) or raw) if name == "file" and kind == "Read" else _evaluated(knob, raw)
            if named:
                what, where = of_set(os.path.normpath(absolute(hashes(named))), KINDS.get(kind, "other"))
                yield Need(what, where, owner, raw=raw, spare=is_spare)


def _evaluated(knob: Any, raw: str) -> str:
    """With its expressions filled in; marks of the frame stay."""
    return str(knob.evaluate() or "") if "[" in raw else raw


def absolute(named: str) -> str:
    """As Nuke resolves it."""
    return named if os.path.isabs(named) or not named else os.path.join(project(), named)


def colour_configuration() -> str:
    """A colour configuration of the artist's own; "" for those that Nuke brings."""
    root = nuke.root()
    knobs = root.knobs()
    if "OCIO_config" in knobs and str(root["OCIO_config"].value()) == "custom":
        return str(root["customOCIOConfigPath"].value() or "")
    return os.environ.get("OCIO", "")


def write_copy(target: str) -> None:
    """Write what is open into another file: `scriptSaveToTemp` leaves the script's name and its mark of change alone.

    Raises:
        RuntimeError: it cannot be written.
    """
    nuke.scriptSaveToTemp(target)


def _is_off(node: Any) -> bool:
    return bool(_knob_number(node, "disable", 0))


def _knob_number(node: Any, name: str, otherwise: int) -> int:
    knob = node.knobs().get(name)
    return int(knob.value()) if knob is not None else otherwise
