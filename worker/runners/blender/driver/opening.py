"""Opening a file and looking at it before anything is rendered: what it lacks, and what this Blender cannot do.

Blender renders happily without a texture (pink), without a linked library (nothing there), without the engine (another
one) and without its denoiser in the compositor (unfiltered), and says so nowhere. Each is found here.
"""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import os
import re
from typing import Any

import bpy

from worker.runners.blender.driver.engines import Engines
from worker.runners.blender.driver.refusals import Refused
from worker.runners.blender.driver.relinking import relink

MISSING_MAX = 200
DIGITS = re.compile(r"\d+")
BRUSHES = re.compile(r"[/\\]datafiles[/\\]assets[/\\]brushes[/\\]")
TILE_MARKS = re.compile(r"<UDIM>|<UVTILE>")


def open_file(path: str, trusted: bool, manifest: str = "") -> None:
    """Load a .blend; scripts and Python drivers in it run only when it is trusted. `manifest`: of its bundle, if any.

    Raises:
        Refused: it cannot be read.
    """
    try:
        bpy.ops.wm.open_mainfile(filepath=path, use_scripts=trusted)
    except RuntimeError as error:
        raise Refused("unreadable", text=str(error)) from error
    if manifest:
        relink(path, manifest)
    missing = missing_files()
    if missing:
        raise Refused("missing_files", files=missing[:MISSING_MAX], count=len(missing))


def capabilities() -> dict[str, Any]:
    """What this Blender is and can do, for the farm's list of workers."""
    cycles = _cycles()
    return {
        "version": ".".join(str(part) for part in bpy.app.version),
        "engines": Engines().names,
        "denoiser": bool(getattr(cycles, "with_openimagedenoise", False)),
        "osl": bool(getattr(cycles, "with_osl", False)),
        "gpus": [f"{name} ({kind})" for name, kind in gpu_devices()],
    }


def gpu_devices() -> list[tuple[str, str]]:
    """The GPUs that Cycles finds here: name and type (OPTIX, CUDA, HIP, METAL, ONEAPI)."""
    cycles = _cycles()
    if cycles is None:
        return []
    return [(entry[0], entry[1]) for entry in cycles.available_devices("NONE") if entry[1] != "CPU"]


def require_denoiser() -> None:
    """Raises Refused when this build cannot denoise."""
    if not getattr(_cycles(), "with_openimagedenoise", False):
        raise Refused("no_denoiser")


def blocked_drivers() -> str:
    """The last Python driver that was not run because the file is not trusted; empty when there was none."""
    message = bpy.app.autoexec_fail_message if bpy.app.autoexec_fail else ""
    return message if message.startswith("Driver") else ""


def missing_files() -> list[str]:
    """Files that the scene uses and that are not there, as the artist wrote them."""
    # Since 4.3 a scene may name Blender's own brushes where the artist has them; no render needs those.
    libraries = [library for library in bpy.data.libraries if not BRUSHES.search(library.filepath)]
    found = [library.filepath for library in libraries if not _exists(library.filepath, library)]
    for block in _used_files():
        varies = {"SEQUENCE": DIGITS, "TILED": TILE_MARKS}.get(getattr(block, "source", ""))
        if getattr(block, "is_sequence", False):
            varies = DIGITS
        if not _exists(block.filepath, block, varies):
            found.append(block.filepath or block.name)
    return sorted(set(found))


def _used_files() -> list[Any]:
    """Data-blocks that are read from a file of their own when the scene is rendered."""
    images = [image for image in bpy.data.images if image.source in ("FILE", "SEQUENCE", "MOVIE", "TILED")]
    fonts = [font for font in bpy.data.fonts if font.filepath != "<builtin>"]
    blocks = [*images, *fonts, *bpy.data.cache_files, *bpy.data.movieclips, *bpy.data.volumes]
    return [block for block in blocks if block.users > block.use_fake_user and not _is_packed(block)]


def _is_packed(block: Any) -> bool:
    return bool(getattr(block, "packed_file", None)) or len(getattr(block, "packed_files", ())) > 0


def _exists(path: str, block: Any, varies: re.Pattern[str] | None = None) -> bool:
    """Whether a path leads anywhere; what matches `varies` in the file's name stands for any other number."""
    library = block.parent if isinstance(block, bpy.types.Library) else block.library
    absolute = os.path.normpath(bpy.path.abspath(path, library=library)) if path else ""
    if os.path.exists(absolute):
        return True
    folder, name = os.path.split(absolute)
    if varies is None or not varies.search(name) or not os.path.isdir(folder):
        return False
    one = re.compile(r"\d+".join(re.escape(part) for part in varies.split(name)))
    return any(one.fullmatch(entry) for entry in os.listdir(folder))


def _cycles() -> Any:
    try:
        import _cycles as cycles
    except ImportError:
        return None
    return cycles
