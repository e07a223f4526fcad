"""Which render engines this Blender has, and which one a file was really saved with.

For a file whose engine belongs to an add-on that is missing, Blender's own `render.engine` answers with the first
engine it has, and renders with that: a wrong picture without a word. The name in the file is therefore read from
Blender's memory, at the place where a name that was just set can be seen.
"""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import ctypes
from typing import Any

import bpy

from worker.runners.blender.driver.developing import ENGINE
from worker.runners.blender.driver.refusals import Refused

BUILT_IN = ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT", "BLENDER_WORKBENCH")
"""Engines that need no add-on; the last is in every version. 4.2 to 4.5 know EEVEE under the second name alone."""

NAME_BYTES = 32
STEP_BYTES = 64
REACH_BYTES = 8192
"""How far into Blender's render settings the name is looked for (`RenderData.engine`, DNA_scene_types.h)."""


class Engines:
    """The engines of this build. Made before a file is opened, because it tries them out on the open scene."""

    def __init__(self) -> None:
        render = bpy.context.scene.render
        before = render.engine
        built_in = [name for name in BUILT_IN if _can_set(render, name)]
        self._offset = _find(render.as_pointer(), built_in[-1].encode() + b"\0")
        render.engine = before
        added = [getattr(engine, "bl_idname", "") for engine in bpy.types.RenderEngine.__subclasses__()]
        self.names = built_in + [name for name in added if name and name != ENGINE]

    def check(self, scene: Any) -> None:
        """Raises Refused when the scene's engine is not in this build."""
        name = scene.render.engine
        if self._offset is not None:
            raw = ctypes.string_at(scene.render.as_pointer() + self._offset, NAME_BYTES)
            name = raw.partition(b"\0")[0].decode("utf-8", "replace")
        if name not in self.names:
            raise Refused("unknown_engine", name=name, known=self.names)


def _can_set(render: Any, name: str) -> bool:
    try:
        render.engine = name
    except TypeError:
        return False
    return True


def _find(address: int, wanted: bytes) -> int | None:
    for start in range(0, REACH_BYTES, STEP_BYTES):
        at = ctypes.string_at(address + start, STEP_BYTES + len(wanted)).find(wanted)
        if at >= 0:
            return start + at
    return None
