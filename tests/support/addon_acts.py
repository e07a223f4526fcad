"""What tests do inside a Blender with the add-on: open, submit, look. Each returns plain data."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any


def addon() -> Any:
    """The add-on's module."""
    return importlib.import_module("outfield")


def submit_file(
    path: str, output: str, server: str, token: str, settings: dict[str, Any], window: bool = False
) -> dict[str, Any]:
    """Open a file, press the operator, and say what became of the file, of the session and of the job.

    `window`: write the copy as where there is a window, with an object in edit mode.
    """
    import bpy

    bpy.ops.wm.open_mainfile(filepath=path)
    _connect(server, token)
    scene = bpy.context.scene
    for name, value in settings.items():
        setattr(scene.outfield, name, value)
    scene.render.filepath = output
    if window:
        for room in ("submission", "writing"):
            sys.modules[f"{addon().__name__}.{room}"].in_window = lambda: True
        meshes = [each for each in scene.objects if each.type == "MESH" and each.library is None]
        bpy.context.view_layer.objects.active = meshes[0]
        bpy.ops.object.mode_set(mode="EDIT")
    before, state = stamp(path), session_state()
    result = bpy.ops.outfield.submit()
    return {
        "result": sorted(result),
        "same_file": stamp(path) == before,
        "same_session": session_state() == state,
        "spool": spool_content(),
    }


def _connect(server: str, token: str) -> None:
    import bpy

    name = addon().__name__
    own = bpy.context.preferences.addons[name].preferences
    own.server, own.token = server, token


def stamp(path: str) -> list[Any]:
    """A file's content and times."""
    status = Path(path).stat()
    return [hashlib.sha256(Path(path).read_bytes()).hexdigest(), status.st_mtime_ns, status.st_ino]


def session_state() -> list[Any]:
    """What a submission must leave as it is."""
    import bpy

    return [
        bpy.data.filepath,
        bpy.data.is_dirty,
        sorted((image.name, image.filepath, bool(image.packed_file)) for image in bpy.data.images),
        sorted((library.name, library.filepath) for library in bpy.data.libraries),
        sorted(thing.name for thing in bpy.data.objects),
        bpy.context.scene.render.filepath,
        bpy.context.scene.frame_current,
    ]


def spool_content() -> list[str]:
    """Every file that the spool holds, but for its lock and the hashes."""
    return spool_files(Path(os.environ["OUTFIELD_SPOOL"]))


def spool_files(root: Path) -> list[str]:
    """The same for any spool."""
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return [name for name in found if name not in ("lock", "hashes.json")]
