# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file that the open scene needs to render: found on the main thread in small steps, as plain data.

Reads `bpy` and no disk: whether a file is there, and which files belong to a sequence, is found out in a thread
(`outfield_core.files`). A step is one data-block, so that a timer can stop between any two.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import bpy

from .outfield_core.files import Need

STEP = 64
"""Data-blocks between two chances to pause."""


def needs_of(scene: Any, found: list[Need]) -> Iterator[None]:
    """Fill `found`; each `next` takes well under a millisecond."""
    seen: set[tuple[str, str, str]] = set()

    def add(kind: str, raw: str, owner: Any, library: Any, name: str = "") -> None:
        path = absolute(raw, library)
        mark = (kind, path, name or owner.name)
        if path and mark not in seen:
            seen.add(mark)
            found.append(Need(kind, path, name or owner.name, raw=raw, linked=library is not None))

    for library in bpy.data.libraries:
        add("library", library.filepath, library, library.parent)
        yield
    yield from _blocks(add)
    yield from _nodes(add)
    yield from _objects(add)
    yield from _strips(scene, add)
    known = {need.path for need in found}
    for each in bpy.utils.blend_paths(absolute=True, packed=False):
        path = os.path.normpath(each)
        if path not in known and "<UDIM>" not in path and "<UVTILE>" not in path:
            found.append(Need("other", path, os.path.basename(path), raw=path))
    yield


def absolute(raw: str, library: Any = None) -> str:
    """A path as Blender resolves it, `//` from the .blend that it is written in; "" for none."""
    if not raw or raw == "<builtin>":
        return ""
    path = bpy.path.abspath(raw, library=library)
    return "" if path.startswith("//") else os.path.normpath(path)


def is_packed(block: Any) -> bool:
    """Does the .blend itself hold the file?"""
    return bool(getattr(block, "packed_file", None)) or len(getattr(block, "packed_files", ())) > 0


def _blocks(add: Any) -> Iterator[None]:
    data = bpy.data
    for image in data.images:
        if image.source in ("FILE", "SEQUENCE", "MOVIE", "TILED") and _is_used(image) and not is_packed(image):
            kind = {"SEQUENCE": "sequence", "TILED": "udim"}.get(image.source, "image")
            add(kind, image.filepath, image, image.library)
        yield
    for clip in data.movieclips:
        if _is_used(clip):
            add("sequence" if clip.source == "SEQUENCE" else "movie", clip.filepath, clip, clip.library)
        yield
    for volume in data.volumes:
        if _is_used(volume) and not is_packed(volume):
            add("sequence" if volume.is_sequence else "volume", volume.filepath, volume, volume.library)
        yield
    for cache in data.cache_files:
        if _is_used(cache):
            add("sequence" if cache.is_sequence else "cache", cache.filepath, cache, cache.library)
        yield
    for kind, blocks in (("font", data.fonts), ("sound", data.sounds)):
        for block in blocks:
            if _is_used(block) and not is_packed(block):
                add(kind, block.filepath, block, block.library)
            yield


def _is_used(block: Any) -> bool:
    """Is it used by more than its own wish to be kept?"""
    return block.users > int(block.use_fake_user)


def _nodes(add: Any) -> Iterator[None]:
    data = bpy.data
    owners = (data.materials, data.worlds, data.lights, data.scenes, data.textures, data.linestyles)
    for blocks in owners:
        for owner in blocks:
            tree = getattr(owner, "node_tree", None)
            if tree is not None:
                _tree(tree, owner, add)
            yield
    for tree in data.node_groups:
        _tree(tree, tree, add)
        yield


def _tree(tree: Any, owner: Any, add: Any) -> None:
    for node in tree.nodes:
        if node.type in ("TEX_IES", "SCRIPT") and node.mode == "EXTERNAL":
            kind = "ies" if node.type == "TEX_IES" else "script"
            add(kind, node.filepath, node, owner.library, f"{node.name} in {owner.name}")


def _objects(add: Any) -> Iterator[None]:
    for count, thing in enumerate(bpy.data.objects):
        for modifier in thing.modifiers:
            _modifier(modifier, thing, add)
        for system in thing.particle_systems:
            _point_cache(system.point_cache, thing, add)
        if count % STEP == 0:
            yield


def _modifier(modifier: Any, thing: Any, add: Any) -> None:
    name = f"{modifier.name} of {thing.name}"
    if modifier.type == "MESH_CACHE" and modifier.filepath:
        add("cache", modifier.filepath, thing, thing.library, name)
    elif modifier.type == "OCEAN" and modifier.is_cached:
        add("folder", modifier.filepath, thing, thing.library, name)
    elif modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
        add("folder", modifier.domain_settings.cache_directory, thing, thing.library, name)
    elif modifier.type in ("CLOTH", "SOFT_BODY", "DYNAMIC_PAINT") and hasattr(modifier, "point_cache"):
        _point_cache(modifier.point_cache, thing, add)


def _point_cache(cache: Any, thing: Any, add: Any) -> None:
    """A cache on the disk lies beside the .blend, in a folder that is named after it."""
    if cache.use_external:
        add("folder", cache.filepath, thing, thing.library, f"the cache of {thing.name}")
    elif cache.use_disk_cache:
        owner = bpy.path.abspath(thing.library.filepath) if thing.library is not None else bpy.data.filepath
        if owner:
            stem = os.path.splitext(os.path.basename(owner))[0]
            folder = os.path.join(os.path.dirname(owner), "blendcache_" + stem)
            add("folder", folder, thing, None, f"the cache of {thing.name}")


def _strips(scene: Any, add: Any) -> Iterator[None]:
    editor = scene.sequence_editor if scene.render.use_sequencer else None
    strips = getattr(editor, "strips_all", None) or getattr(editor, "sequences_all", None) or ()
    for strip in strips:
        if strip.type == "IMAGE":
            for element in strip.elements:
                add("image", os.path.join(strip.directory, element.filename), strip, scene.library)
        elif strip.type == "MOVIE":
            add("movie", strip.filepath, strip, scene.library)
        yield
