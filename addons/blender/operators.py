# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist can press: send the scene; look after jobs. None of them is an undo step."""

from __future__ import annotations

from typing import Any

import bpy

from . import session
from .outfield_core.errors import FarmError
from .submission import submit


class OUTFIELD_OT_submit(bpy.types.Operator):
    """Send a copy of the scene to the farm; your file stays as it is"""

    bl_idname = "outfield.submit"
    bl_label = "Render on farm"
    bl_options = {"REGISTER"}

    def execute(self, context: Any) -> set[str]:
        """Wait until the farm has it or it is kept, and say which. Scripts and background mode come here."""
        try:
            done = submit(context.scene)
        except FarmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        print(done, flush=True)
        self.report({"INFO"}, str(done))
        return {"FINISHED"}


class OUTFIELD_OT_refresh(bpy.types.Operator):
    """Ask the farm now, and send what is kept"""

    bl_idname = "outfield.refresh"
    bl_label = "Refresh"

    def execute(self, context: Any) -> set[str]:
        """Look at the preferences again and wake the threads."""
        here = session.current()
        here.look()
        here.sender.kick()
        return {"FINISHED"}


CLASSES = (OUTFIELD_OT_submit, OUTFIELD_OT_refresh)
