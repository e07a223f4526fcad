"""Files that a scene names by a path of the artist's machine, found again in the bundle that it came in.

Paths relative to a .blend hold by themselves, because a bundle mirrors the artist's folders. This sets the others:
absolute paths, and names that had to be changed. Libraries come first, for what they hold is only there once they are
loaded.
Nothing is saved; the bundle's files stay as they were sent.
"""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import bpy

ROUNDS_MAX = 32
"""Libraries that link to libraries that link to libraries: so many levels are followed."""

WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class Bundle:
    """Where the artist's folders and files lie on this machine."""

    def __init__(self, root: str, origins: dict[str, str]) -> None:
        self._root, self._origins = root, origins
        self._folders = {place: origin for origin, place in origins.items()}

    def place(self, raw: str, blend: str) -> str | None:
        """The path here of what the .blend at `blend` (a path here) calls `raw`; None: it can stay as it is."""
        if raw.startswith("//"):
            here = os.path.normpath(os.path.join(os.path.dirname(blend), raw[2:].replace("\\", "/")))
            origin = self._origin_of(os.path.dirname(blend), raw[2:])
            found = self._find(origin) if origin is not None else None
            return found if found != here else None
        return self._find(raw)

    def _origin_of(self, folder: str, relative: str) -> str | None:
        """The artist's path of what lies at `relative` from a folder of the bundle."""
        inner = os.path.relpath(folder, self._root).replace(os.sep, "/")
        start = self._folders.get("" if inner == "." else inner)
        return None if start is None else _normal(start + "/" + relative.replace("\\", "/"))

    def _find(self, origin: str) -> str | None:
        key = _normal(origin.replace("\\", "/").lower() if WINDOWS.match(origin) else origin)
        whole = self._origins.get(key)
        if whole is not None:
            return os.path.join(self._root, whole)
        folder, _, name = key.rpartition("/")
        where = self._origins.get(folder or "/")
        if where is None:
            return None
        return os.path.normpath(os.path.join(self._root, where, origin.replace("\\", "/")[-len(name) :]))


def relink(path: str, manifest: str) -> None:
    """Set what the open scene names otherwise than it is found in its bundle."""
    with open(manifest, encoding="utf-8") as file:
        origins = json.load(file)["origins"]
    bundle = Bundle(os.path.join(os.path.dirname(manifest), "tree"), origins)
    _relink_libraries(bundle, path)
    for block, attribute, owner in _path_holders():
        raw = getattr(block, attribute)
        found = bundle.place(raw, _blend_of(owner, path)) if raw else None
        if found is not None and found != raw:
            setattr(block, attribute, found)


def _relink_libraries(bundle: Bundle, path: str) -> None:
    tried: set[str] = set()
    for _ in range(ROUNDS_MAX):
        changed = False
        for library in list(bpy.data.libraries):
            found = bundle.place(library.filepath, _blend_of(library.parent, path))
            if found is None or found in tried or not os.path.exists(found):
                continue
            tried.add(found)
            library.filepath = found
            library.reload()
            changed = True
            break  # the list of libraries is another one now
        if not changed:
            return


def _blend_of(library: Any, path: str) -> str:
    """The .blend, on this machine, in which something with this library is written."""
    if library is None:
        return path
    return os.path.normpath(bpy.path.abspath(library.filepath, library=library.parent))


def _path_holders() -> Iterator[tuple[Any, str, Any]]:
    """Everything with a path that a render reads: what holds it, the attribute, and the library it lies in."""
    yield from _blocks(bpy.data)
    for tree in (*bpy.data.node_groups, *_trees_of_owners()):
        yield from _paths_of_nodes(tree)
    for thing in bpy.data.objects:
        for modifier in thing.modifiers:
            yield from _paths_of_modifier(modifier, thing)
    for scene in bpy.data.scenes:
        yield from _paths_of_strips(scene)


def _blocks(data: Any) -> Iterator[tuple[Any, str, Any]]:
    for blocks in (data.images, data.fonts, data.movieclips, data.cache_files, data.volumes, data.sounds, data.texts):
        for block in blocks:
            packed = getattr(block, "packed_file", None) or len(getattr(block, "packed_files", ())) > 0
            if not packed and getattr(block, "filepath", "") not in ("", "<builtin>"):
                yield block, "filepath", block.library


def _paths_of_nodes(tree: Any) -> Iterator[tuple[Any, str, Any]]:
    for node in tree.nodes:
        if node.type in ("TEX_IES", "SCRIPT") and getattr(node, "mode", "") == "EXTERNAL":
            yield node, "filepath", tree.library


def _paths_of_strips(scene: Any) -> Iterator[tuple[Any, str, Any]]:
    for strip in _strips(scene.sequence_editor):
        for name in ("filepath", "directory"):
            if hasattr(strip, name):
                yield strip, name, scene.library


def _strips(editor: Any) -> Any:
    return getattr(editor, "strips_all", None) or getattr(editor, "sequences_all", None) or ()  # renamed in 4.4


def _trees_of_owners() -> Iterator[Any]:
    """Node trees that are part of something else; since Blender 5 a scene's is a group like others."""
    for owner in _owners_of_nodes():
        tree = getattr(owner, "node_tree", None)
        if tree is not None:
            yield tree


def _owners_of_nodes() -> Iterator[Any]:
    for blocks in (bpy.data.materials, bpy.data.worlds, bpy.data.lights, bpy.data.scenes, bpy.data.textures):
        yield from blocks


def _paths_of_modifier(modifier: Any, thing: Any) -> Iterator[tuple[Any, str, Any]]:
    if modifier.type in ("MESH_CACHE", "OCEAN"):
        yield modifier, "filepath", thing.library
    if modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
        yield modifier.domain_settings, "cache_directory", thing.library


def _normal(path: str) -> str:
    """Without `.` and `..`, by name alone, as Blender does it too."""
    return os.path.normpath(path).replace(os.sep, "/") if path else path
