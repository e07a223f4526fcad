"""Size and file format of the picture. The scene's own format settings stay where they fit the format asked for, so
that the farm's frame is the one that `blender -b FILE -a` writes; otherwise plain defaults are set.
"""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import Any

import bpy

from worker.runners.blender.driver.journal import SIMPLE_TYPES, Journal
from worker.runners.blender.driver.refusals import Refused

FAMILIES = {"png": ("PNG",), "jpg": ("JPEG",), "exr": ("OPEN_EXR", "OPEN_EXR_MULTILAYER")}
DEFAULTS: dict[str, dict[str, Any]] = {
    "png": {"color_depth": "8", "compression": 15},
    "jpg": {"quality": 90},
    "exr": {"color_depth": "16", "exr_codec": "ZIP"},
}
"""For a scene that was saved with another format."""

FIRST = ("media_type", "file_format")
"""Settings that decide which values the others may have, and change them when they are set."""


class ImageSettingsKeeper:
    """Restores `image_settings` as a whole, because setting one of them changes others behind its back."""

    def __init__(self, scene: Any) -> None:
        self._settings = scene.render.image_settings
        names = [p.identifier for p in self._settings.bl_rna.properties if p.type in SIMPLE_TYPES and not p.is_readonly]
        ordered = [name for name in FIRST if name in names] + [name for name in names if name not in FIRST]
        self._values = [(name, getattr(self._settings, name)) for name in ordered]

    def restore(self) -> None:
        """Put back what was there."""
        for name, value in self._values:
            if getattr(self._settings, name) != value:
                setattr(self._settings, name, value)


def set_format(scene: Any, wanted: str, overrides: dict[str, Any]) -> None:
    """Make the scene write `png`, `jpg` or `exr`. `overrides`: color_mode, color_depth, exr_codec, quality or None.

    Raises:
        Refused: the format has no such mode, depth or codec.
    """
    settings = scene.render.image_settings
    if settings.file_format not in FAMILIES[wanted]:
        set_file_format(settings, FAMILIES[wanted][0])
        transparent = scene.render.film_transparent and wanted != "jpg"
        defaults = {"color_mode": "RGBA" if transparent or wanted == "exr" else "RGB", **DEFAULTS[wanted]}
        for name, value in defaults.items():
            setattr(settings, name, value)
        if hasattr(settings, "color_management"):
            settings.color_management = "FOLLOW_SCENE"
    for name in ("color_mode", "color_depth", "exr_codec", "quality"):
        if overrides.get(name) is not None:
            try:
                setattr(settings, name, overrides[name])
            except TypeError as error:
                raise Refused(
                    "bad_setting", name=name, value=overrides[name], format=wanted, text=str(error)
                ) from error


def set_partial_format(scene: Any) -> None:
    """Make the scene write what a merge reads: all passes of all layers, linear, 32-bit float, losslessly packed."""
    settings = scene.render.image_settings
    set_file_format(settings, "OPEN_EXR_MULTILAYER")
    values = {"color_mode": "RGBA", "color_depth": "32", "exr_codec": "ZIP", "use_preview": False}
    values["use_exr_interleave"] = True  # one part for all passes; since Blender 5 there may be one for each
    for name, value in values.items():
        if hasattr(settings, name):
            setattr(settings, name, value)
    if hasattr(settings, "color_management"):
        settings.color_management = "FOLLOW_SCENE"


def set_file_format(settings: Any, file_format: str) -> None:
    """Set the format; since Blender 5.0 the kind of medium comes first, and has to be right."""
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE" if file_format == "OPEN_EXR_MULTILAYER" else "IMAGE"
    settings.file_format = file_format


def set_size(journal: Journal, scene: Any, settings: dict[str, Any]) -> None:
    """Width, height and percentage. A width or height in pixels means just that, unless a percentage is given too."""
    render = scene.render
    for name, key in (("resolution_x", "width"), ("resolution_y", "height")):
        if settings.get(key):
            journal.override(render, name, settings[key])
    percentage = settings.get("percentage") or (100 if settings.get("width") or settings.get("height") else None)
    if percentage:
        journal.override(render, "resolution_percentage", percentage)


def size(scene: Any) -> tuple[int, int]:
    """Width and height in pixels, as Blender computes them."""
    render = scene.render
    return tuple(side * render.resolution_percentage // 100 for side in (render.resolution_x, render.resolution_y))


def written_size(scene: Any) -> tuple[int, int] | None:
    """The size that the file will have; None where the artist's cropped region decides it."""
    render = scene.render
    return None if render.use_border and render.use_crop_to_border else size(scene)


def set_output(journal: Journal, scene: Any, path: str) -> None:
    """Write to exactly `path`: no frame number, no ending added, nothing skipped."""
    render = scene.render
    if bpy.app.version >= (4, 5, 0):
        path = path.replace("{", "{{").replace("}", "}}")  # braces are templates since then
    journal.set(render, "filepath", path)
    journal.set(render, "use_file_extension", False)
    journal.set(render, "use_overwrite", True)
    journal.set(render, "use_placeholder", False)
