# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the Render properties."""

from __future__ import annotations

from typing import Any

import bpy

from .outfield_core.texts import tr


class OUTFIELD_PT_render(bpy.types.Panel):
    """Where it goes, what it is, and the button."""

    bl_idname = "OUTFIELD_PT_render"
    bl_label = "Outfield"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"

    def draw(self, context: Any) -> None:
        """Draw what is known; never asks anybody."""
        self.layout.operator("outfield.submit", text=tr("Render on farm"), icon="RENDER_ANIMATION")


CLASSES = (OUTFIELD_PT_render,)
