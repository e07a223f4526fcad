# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from the farm inside Blender: small ones in the panel, whole frames in an Image Editor."""

from __future__ import annotations

import os
from typing import Any

import bpy
import bpy.utils.previews

from .outfield_core.texts import tr

_previews: list[Any] = []


def icon(path: str) -> int:
    """The icon number of a small picture; 0 when there is none. May be called while drawing."""
    if not path or not os.path.exists(path):
        return 0
    if not _previews:
        _previews.append(bpy.utils.previews.new())
    known = _previews[0]
    if path not in known:
        known.load(path, path, "IMAGE")
    return int(known[path].icon_id)


def clear() -> None:
    """Forget every picture."""
    while _previews:
        bpy.utils.previews.remove(_previews.pop())


def open_fetched(here: Any) -> None:
    """Show frames that have arrived since."""
    while here.follower.fetched:
        _, _, path = here.follower.fetched.popleft()
        image = bpy.data.images.load(path, check_existing=True)
        space = _image_space()
        if space is not None:
            space.image = image
        else:
            here.say(True, tr("{name} is loaded; open an Image Editor to see it.", name=image.name))


def _image_space() -> Any:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                area.tag_redraw()
                return area.spaces.active
    return None
