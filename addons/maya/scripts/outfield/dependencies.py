# SPDX-License-Identifier: Apache-2.0
"""Every file that the open scene needs: references, textures with tiles and sequences, caches, and whatever else has an
attribute that Maya itself marks as a file name. Main thread, in small steps; reads no disk.
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, Iterator, List, Set, Tuple

from maya import cmds

from .outfield_core.files import TILE_MARK, Need
from .roads import Odd

KINDS = {
    "file": "image", "psdFileTex": "image", "aiImage": "image", "imagePlane": "image", "movie": "movie",
    "audio": "sound", "AlembicNode": "cache", "gpuCache": "cache", "aiStandIn": "cache", "mayaUsdProxyShape": "cache",
    "BifMeshImportNode": "cache", "aiVolume": "volume", "aiPhotometricLight": "ies", "RedshiftProxyMesh": "cache",
}  # fmt: skip
"""What a node's file is; every other node's is `other`, of which a missing one is a warning."""

LEFT_OUT = frozenset({"reference", "script", "renderGlobals", "cacheFile", "aiOptions"})
"""References and caches are read in their own way; the others name no file that a render reads."""

COMPUTED = frozenset({"computedFileTextureNamePattern"})
TILING_OFF, TILING_ZERO_BASED, TILING_ONE_BASED, TILING_UDIM = 0, 1, 2, 3
STEP_NODES = 128
FRAME_MARK = re.compile("<f>|<frame0?[0-9]*>|#+", re.IGNORECASE)
UV_TILE = re.compile(r"u\d+_v\d+", re.IGNORECASE)


class Needs:
    """What was found so far, each thing once."""

    def __init__(self) -> None:
        self.found: List[Need] = []
        self._seen: Set[Tuple[str, str]] = set()

    def add(self, kind: str, name: str, owner: str, *, raw: str = "", linked: bool = False) -> None:
        """Take over a name; `raw`: as it is written in the scene, where that differs."""
        path = absolute(name)
        if path and (kind, path) not in self._seen:
            self._seen.add((kind, path))
            self.found.append(Need(kind, path, owner, raw=raw or name, linked=linked))


def needs_of(needs: Needs, odd: Odd) -> Iterator[None]:
    """Fill `needs`, pausing after every few nodes."""
    _references(needs, odd)
    yield
    listed = cmds.ls(showType=True, long=True) or []
    pairs = list(zip(listed[0::2], listed[1::2]))
    file_attributes: Dict[str, List[str]] = {}
    for count, (node, kind) in enumerate(pairs, 1):
        if kind not in file_attributes:
            file_attributes[kind] = _file_attributes(node, kind)
        if file_attributes[kind] or kind == "cacheFile":
            _node(str(node), str(kind), file_attributes[kind], needs)
        if count % STEP_NODES == 0:
            yield
    yield


def names_now() -> List[str]:
    """What can change between a look and a submission without the scene being marked: the references and nodes."""
    return [str(len(cmds.ls() or [])), *sorted(str(each) for each in cmds.file(query=True, reference=True) or [])]


def absolute(raw: str) -> str:
    """A path as Maya resolves it: variables, then the project for relative ones; "" for none."""
    path = os.path.expanduser(os.path.expandvars(raw.strip()))
    if not path:
        return ""
    if not os.path.isabs(path):
        path = str(cmds.workspace(expandName=path) or "")
    return os.path.normpath(path) if path else ""


def _references(needs: Needs, odd: Odd) -> None:
    """Nested ones stand in the same list, where their parents are loaded."""
    for node in cmds.ls(type="reference") or []:
        try:
            path = cmds.referenceQuery(node, filename=True, withoutCopyNumber=True)
            parent = cmds.referenceQuery(node, referenceNode=True, parent=True)
            loaded = cmds.referenceQuery(node, isLoaded=True)
        except RuntimeError:  # Maya's own nodes of this type name no file
            continue
        if loaded:
            needs.add("library", str(path), str(node), linked=bool(parent))
        else:
            odd.unloaded.append(str(node))


def _file_attributes(node: str, kind: str) -> List[str]:
    """The attributes of this kind of node that Maya marks as file names."""
    if kind in LEFT_OUT:
        return []
    names = cmds.listAttr(node, usedAsFilename=True) or []
    return [str(name) for name in names if name not in COMPUTED and "." not in name]


def _node(node: str, kind: str, attributes: List[str], needs: Needs) -> None:
    linked = bool(cmds.referenceQuery(node, isNodeReferenced=True))
    if kind == "cacheFile":
        needs.add("folder", str(cmds.getAttr(node + ".cachePath") or ""), node, linked=linked)
        return
    for name in attributes:
        raw = _value(node, name)
        for each in raw if isinstance(raw, list) else [raw]:
            if isinstance(each, str) and each.strip():
                what, path = kind_of(each, KINDS.get(kind, "other"), _hint(node, kind))
                needs.add(what, path, node, raw=each, linked=linked)


def _value(node: str, name: str) -> Any:
    """An attribute's value; None for those that Maya lists as file names and cannot tell whole (compounds)."""
    try:
        return cmds.getAttr(node + "." + name)
    except RuntimeError:
        if not cmds.objExists(node):
            raise
        return None


def _hint(node: str, kind: str) -> Tuple[int, bool]:
    """How a texture's name is meant: its tiling, and whether it follows the frame."""
    tiling = int(cmds.getAttr(node + ".uvTilingMode")) if kind == "file" else TILING_OFF
    moves = kind in ("file", "imagePlane") and bool(cmds.getAttr(node + ".useFrameExtension"))
    return tiling, moves


def kind_of(raw: str, kind: str, hint: Tuple[int, bool]) -> Tuple[str, str]:
    """The kind of need that a name is, and the name as the disk is asked for it. PURE.

    Marks in the name say it (`<UDIM>`, `<UVTILE>`, `<f>`, `####`), else what the node says of itself.
    """
    tiling, moves = hint
    if TILE_MARK.search(raw):
        return "udim", raw
    if tiling == TILING_UDIM:
        return "udim", raw
    if tiling in (TILING_ZERO_BASED, TILING_ONE_BASED):
        return "udim", UV_TILE.sub("<UVTILE>", raw)
    folder, slash, name = raw.replace("\\", "/").rpartition("/")
    if FRAME_MARK.search(name):
        return "sequence", folder + slash + FRAME_MARK.sub("1", name)
    return ("sequence" if moves else kind), raw


def relink(found: Dict[str, str], needs: List[Any]) -> int:
    """Set the paths of nodes and references to files that were found elsewhere (by their old path); how many."""
    count = 0
    for need in needs:
        path = found.get(need.path)
        if path is None:
            continue
        if need.kind == "library":
            cmds.file(path, loadReference=need.owner)
            count += 1
            continue
        for name in _file_attributes(need.owner, str(cmds.nodeType(need.owner))):
            if cmds.getAttr(need.owner + "." + name) == need.raw:
                cmds.setAttr(need.owner + "." + name, path, type="string")
                count += 1
    return count
