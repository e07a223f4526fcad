# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scene says of itself, as plain data for the preflight; and the artist's wishes as a `Wish`.

Main thread, in small steps. Nothing is judged here: that is `outfield_core.preflight`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import bpy

from .dependencies import is_packed
from .outfield_core.costs import usd_of
from .outfield_core.fields import settings_of
from .outfield_core.frames import format_frames
from .outfield_core.payload import Wish
from .outfield_core.preflight import Facts
from .steps import Budget, in_steps

FORMATS = {"PNG": "png", "JPEG": "jpg", "OPEN_EXR": "exr", "OPEN_EXR_MULTILAYER": "exr"}
ENDINGS = {"png": (".png",), "jpg": (".jpg", ".jpeg"), "exr": (".exr",)}
MOVIES = frozenset({"FFMPEG", "AVI_JPEG", "AVI_RAW"})
ENGINES = {"BLENDER_EEVEE": "EEVEE", "BLENDER_EEVEE_NEXT": "EEVEE", "BLENDER_WORKBENCH": "WORKBENCH"}

_HASHES = re.compile("#+")


def read_scene(scene: Any, facts: Facts, budget: Budget) -> Iterator[None]:
    """Fill the facts about one scene, which is not touched any more after the first step. Objects: `look_at`."""
    render = scene.render
    facts.program, facts.renderer = "Blender", "blender"
    facts.version = tuple(bpy.app.version)
    facts.scene_path = bpy.data.filepath
    facts.is_dirty = bpy.data.is_dirty
    facts.camera = scene.camera is not None or any(marker.camera for marker in scene.timeline_markers)
    facts.view_layers = sum(1 for layer in scene.view_layers if layer.use)
    facts.engine = ENGINES.get(render.engine, render.engine)
    facts.denoises = render.engine == "CYCLES" and bool(scene.cycles.use_denoising)
    facts.ocio = os.environ.get("OCIO", "")
    facts.format = FORMATS.get(render.image_settings.file_format, "png")
    facts.output_is_movie = render.image_settings.file_format in MOVIES
    yield
    facts.scripts = [text.name for text in bpy.data.texts if text.use_module]

    def image(each: Any) -> None:
        if _is_painted(each):
            facts.unsaved_images.append(each.name)

    yield from in_steps(lambda: bpy.data.images, image, budget)


def _is_painted(image: Any) -> bool:
    """Changed in this session and held nowhere else: a saved copy of the .blend would not have it."""
    if image.library is not None or image.users <= int(image.use_fake_user):
        return False
    generated = image.source == "GENERATED" and image.is_dirty
    return generated or (image.source in ("FILE", "TILED") and image.is_dirty and not is_packed(image))


def look_at(thing: Any, facts: Facts) -> None:
    """Fill what the facts say of objects; called with each of them."""
    if thing.type == "CAMERA" and thing.library is None:
        facts.other_cameras.append(thing.name)
    animation = thing.animation_data
    if animation is not None:
        facts.drivers += sum(1 for curve in animation.drivers if _runs_python(curve.driver))
    for modifier in thing.modifiers:
        if modifier.type in ("CLOTH", "SOFT_BODY") and not _is_baked(modifier.point_cache):
            facts.unbaked.append(f"{thing.name}, {modifier.name}")


def _runs_python(driver: Any) -> bool:
    """Simple expressions are Blender's own arithmetic, which always runs."""
    return driver.type == "SCRIPTED" and not getattr(driver, "is_simple_expression", False)


def _is_baked(cache: Any) -> bool:
    return cache.is_baked or cache.use_disk_cache or cache.use_external


def wish_of(scene: Any, wishes: dict[str, Any], facts: Facts) -> Wish:
    """The artist's wishes; what the facts need to know of them goes there, too.

    Raises:
        Refused: a setting of the renderer that cannot be.
    """
    facts.frames = frames_of(scene, wishes)
    facts.output = "" if wishes["output_mode"] == "FARM" else output_pattern(scene, facts.format)
    facts.output_is_default = bool(facts.output) and scene.render.filepath in ("/tmp\\", "/tmp/", "/tmp")
    wish = Wish(str(wishes["job_name"]) or default_name(), renderer="blender", frames=facts.frames, format=facts.format)
    wish.output = facts.output or None
    split = wishes["split_mode"]
    if split == "FRAMES":
        wish.chunk = int(wishes["chunk"])
    elif split == "TILES":
        wish.tiles = (int(wishes["tiles_x"]), int(wishes["tiles_y"]))
    else:
        wish.samples_split = int(wishes["sample_slices"])
    for name in ("project", "sequence", "shot", "task"):
        setattr(wish, name, str(wishes[name]))
    wish.priority, wish.deadline = int(wishes["priority"]), str(wishes["deadline"])
    wish.cloud, wish.cost_cap_usd = str(wishes["cloud"]), usd_of(wishes["cost_cap_usd"])
    wish.pools = [str(wishes["pool"])] if wishes["pool"] else []
    wish.preview_first, wish.paused = bool(wishes["preview_first"]), bool(wishes["paused"])
    wish.settings = {"scene": scene.name, **settings_of(wishes["overrides"])}
    if wish.settings.get("denoise") is False:
        facts.denoises = False
    wish.metadata = {"submitted_from": f"Blender {bpy.app.version_string}", "file": bpy.data.filepath}
    return wish


def default_name() -> str:
    """The file's name without its ending."""
    return os.path.splitext(os.path.basename(bpy.data.filepath))[0] or "untitled"


def frames_of(scene: Any, wishes: dict[str, Any]) -> str:
    """The frames as the farm reads them."""
    mode = wishes["frames_mode"]
    if mode == "RANGE":
        return str(wishes["frames"]).strip()
    if mode == "CURRENT":
        return str(scene.frame_current)
    return format_frames(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))


def output_pattern(scene: Any, image_format: str) -> str:
    """Where Blender itself would write the frames: an absolute path with #### and the format's ending."""
    path = scene.render.filepath
    if path.startswith("//") and not bpy.data.filepath:
        return ""
    path = bpy.path.abspath(path)
    if os.name != "nt":
        path = path.replace("\\", "/")
    folder, name = os.path.split(path)
    if not _HASHES.search(name):
        name += "####"
    stem, ending = os.path.splitext(name)
    if ending.lower() not in ENDINGS[image_format]:
        known = ending.lower() in (".png", ".jpg", ".jpeg", ".exr")
        name = (stem if known else name) + ENDINGS[image_format][0]
    return os.path.normpath(os.path.join(folder, name)).replace(os.sep, "/")


def frame_path(pattern: str, frame: int) -> str:
    """The file of one frame."""
    folder, slash, name = pattern.rpartition("/")
    sign = 1 if frame < 0 else 0
    return folder + slash + _HASHES.sub(lambda run: "{:0{}d}".format(frame, len(run[0]) + sign), name)


def take_farm(facts: Facts, farm: Any) -> None:
    """What the farm says of itself: its output folders, its limits, its workers."""
    info = farm.info or {}
    if "output_roots" in info:
        facts.output_roots = [str(root) for root in info["output_roots"]]
    limits = info.get("limits") or {}
    facts.frames_max = int(limits.get("frames_per_job_max", facts.frames_max))
    facts.upload_bytes_max = int(limits.get("blob_max_bytes", 0))
    facts.workers = farm.workers
