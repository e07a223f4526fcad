# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file that the open scene needs to render: found on the main thread in small steps, as plain data.

Reads `bpy` and no disk: whether a file is there, and which files belong to a sequence, is found out in a thread
(`outfield_core.files`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import bpy

from .outfield_core.files import Need
from .outfield_core.flow import Budget
from .steps import in_steps

OWNERS_OF_NODES = ("materials", "worlds", "lights", "scenes", "textures", "linestyles")


class Needs:
    """What was found so far; each thing once."""

    def __init__(self) -> None:
        self.found: list[Need] = []
        self._seen: set[tuple[str, str, str]] = set()

    def add(self, kind: str, raw: str, name: str, library: Any, *, linked: bool) -> None:
        """Take over a path as it is written in a .blend: `library`'s, or the open one's."""
        path = absolute(raw, library)
        mark = (kind, path, name)
        if path and mark not in self._seen:
            self._seen.add(mark)
            self.found.append(Need(kind, path, name, raw=raw, linked=linked))

    def of_block(self, kind: str, block: Any) -> None:
        """A data-block that is read from a file of its own, unless the .blend holds that or nobody uses it."""
        if _is_used(block) and not is_packed(block):
            self.add(kind, block.filepath, block.name, block.library, linked=block.library is not None)

    def add_rest(self) -> None:
        """Whatever else Blender itself lists."""
        known = {need.path for need in self.found}
        for each in bpy.utils.blend_paths(absolute=True, packed=False):
            path = os.path.normpath(each)
            if path not in known and "<UDIM>" not in path and "<UVTILE>" not in path and not is_brushes(path):
                self.add("other", path, os.path.basename(path), None, linked=False)


def needs_of(
    scene_name: str, needs: Needs, budget: Budget, also: Callable[[Any], None] = lambda thing: None
) -> Iterator[None]:
    """Fill `needs`, pausing whenever the budget is spent. `also` is called with every object: one walk serves two."""
    data = bpy.data

    def library(block: Any) -> None:
        if not is_brushes(block.filepath):
            needs.add("library", block.filepath, block.name, block.parent, linked=block.parent is not None)

    def thing(each: Any) -> None:
        _object(each, needs)
        also(each)

    walks: list[tuple[Callable[[], Any], Callable[[Any], None]]] = [
        (lambda: data.libraries, library),
        (lambda: data.images, lambda image: _image(image, needs)),
        (lambda: data.movieclips, lambda clip: needs.of_block(_clip_kind(clip), clip)),
        (lambda: data.volumes, lambda each: needs.of_block(_sequence_or("volume", each), each)),
        (lambda: data.cache_files, lambda each: needs.of_block(_sequence_or("cache", each), each)),
        (lambda: data.fonts, lambda font: needs.of_block("font", font)),
        (lambda: data.sounds, lambda sound: needs.of_block("sound", sound)),
        *((lambda name=name: getattr(data, name), lambda owner: _nodes(owner, needs)) for name in OWNERS_OF_NODES),
        (lambda: data.node_groups, lambda tree: _tree(tree, tree, needs)),
        (lambda: data.objects, thing),
    ]
    for collection, look in walks:
        yield from in_steps(collection, look, budget)
    _strips(scene_name, needs)
    budget.rest()
    yield
    needs.add_rest()  # Blender lists all paths at once
    budget.rest()
    yield


def is_brushes(path: str) -> bool:
    """Blender's own brushes, which it links into a scene since 4.3; no render needs them."""
    return "/datafiles/assets/brushes/" in path.replace("\\", "/")


def absolute(raw: str, library: Any = None) -> str:
    """A path as Blender resolves it, `//` from the .blend that it is written in; "" for none."""
    if not raw or raw == "<builtin>":
        return ""
    path = bpy.path.abspath(raw, library=library)
    return "" if path.startswith("//") else os.path.normpath(path)


def is_packed(block: Any) -> bool:
    """Does the .blend itself hold the file?"""
    return bool(getattr(block, "packed_file", None)) or len(getattr(block, "packed_files", ())) > 0


def _is_used(block: Any) -> bool:
    """Is it used by more than its own wish to be kept?"""
    return block.users > int(block.use_fake_user)


def _image(image: Any, needs: Needs) -> None:
    kinds = {"FILE": "image", "MOVIE": "movie", "SEQUENCE": "sequence", "TILED": "udim"}
    if image.source in kinds:
        needs.of_block(kinds[image.source], image)


def _clip_kind(clip: Any) -> str:
    return "sequence" if clip.source == "SEQUENCE" else "movie"


def _sequence_or(kind: str, block: Any) -> str:
    return "sequence" if block.is_sequence else kind


def _nodes(owner: Any, needs: Needs) -> None:
    tree = getattr(owner, "node_tree", None)
    if tree is not None:
        _tree(tree, owner, needs)


def _tree(tree: Any, owner: Any, needs: Needs) -> None:
    for node in tree.nodes:
        if node.type in ("TEX_IES", "SCRIPT") and node.mode == "EXTERNAL":
            kind = "ies" if node.type == "TEX_IES" else "script"
            name = f"{owner.name}, {node.name}"
            needs.add(kind, node.filepath, name, owner.library, linked=owner.library is not None)


def _object(thing: Any, needs: Needs) -> None:
    for modifier in thing.modifiers:
        _modifier(modifier, thing, needs)
    for system in thing.particle_systems:
        _point_cache(system.point_cache, thing, needs)


def _modifier(modifier: Any, thing: Any, needs: Needs) -> None:
    name, linked = f"{thing.name}, {modifier.name}", thing.library is not None
    if modifier.type == "MESH_CACHE" and modifier.filepath:
        needs.add("cache", modifier.filepath, name, thing.library, linked=linked)
    elif modifier.type == "OCEAN" and modifier.is_cached:
        needs.add("folder", modifier.filepath, name, thing.library, linked=linked)
    elif modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
        needs.add("folder", modifier.domain_settings.cache_directory, name, thing.library, linked=linked)
    elif modifier.type in ("CLOTH", "SOFT_BODY"):
        _point_cache(modifier.point_cache, thing, needs)


def _point_cache(cache: Any, thing: Any, needs: Needs) -> None:
    """A cache on the disk lies beside the .blend, in a folder that is named after it."""
    if cache.use_external:
        needs.add("folder", cache.filepath, thing.name, thing.library, linked=thing.library is not None)
    elif cache.use_disk_cache:
        owner = absolute(thing.library.filepath) if thing.library is not None else bpy.data.filepath
        if owner:
            stem = os.path.splitext(os.path.basename(owner))[0]
            folder = os.path.join(os.path.dirname(owner), "blendcache_" + stem)
            needs.add("folder", folder, thing.name, None, linked=thing.library is not None)


def _strips(scene_name: str, needs: Needs) -> None:
    scene = bpy.data.scenes.get(scene_name)
    editor = scene.sequence_editor if scene is not None and scene.render.use_sequencer else None
    strips = getattr(editor, "strips_all", None) or getattr(editor, "sequences_all", None) or ()  # renamed in 4.4
    for strip in strips:
        if strip.type == "IMAGE":
            for element in strip.elements:
                path = os.path.join(strip.directory, element.filename)
                needs.add("image", path, strip.name, scene.library, linked=False)
        elif strip.type == "MOVIE":
            needs.add("movie", strip.filepath, strip.name, scene.library, linked=False)
