# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist can press to send a scene, to look after jobs, and to keep wishes as a preset."""

from __future__ import annotations

import os
import shutil
import webbrowser
from typing import Any

import bpy

from . import fixes, session
from .outfield_core import presets
from .outfield_core.client import quoted
from .outfield_core.errors import FarmError
from .outfield_core.fields import fields_of
from .outfield_core.texts import tr
from .properties import overridden
from .submission import Assembly, submit


class OUTFIELD_OT_submit(bpy.types.Operator):
    """Send a copy of the scene to the farm; your file stays as it is"""

    bl_idname = "outfield.submit"
    bl_label = "Render on farm"
    bl_options = {"REGISTER"}

    def invoke(self, context: Any, event: Any) -> set[str]:
        """From the button: begin, and let the artist work on."""
        here = session.current()
        if here.flow is not None:
            self.report({"INFO"}, tr("One submission is being prepared already."))
            return {"CANCELLED"}
        here.look()
        here.begin(lambda: Assembly(context.scene, {}, here.follower.view))
        if here.flow is None:
            self.report({"ERROR"}, here.messages[-1][1])
            return {"CANCELLED"}
        return {"FINISHED"}

    def execute(self, context: Any) -> set[str]:
        """From a script or in background mode: wait until the farm has it or it is kept, and say which."""
        try:
            done = submit(context.scene)
        except FarmError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        print(done, flush=True)
        self.report({"INFO"}, str(done))
        return {"FINISHED"}


class OUTFIELD_OT_stop(bpy.types.Operator):
    """Stop preparing or sending; nothing is left"""

    bl_idname = "outfield.stop"
    bl_label = "Cancel"

    def execute(self, context: Any) -> set[str]:
        """Stop the flow, or what is being sent."""
        session.current().stop_sending()
        return {"FINISHED"}


class OUTFIELD_OT_refresh(bpy.types.Operator):
    """Ask the farm now, look through the scene, and send what is kept"""

    bl_idname = "outfield.refresh"
    bl_label = "Refresh"

    def execute(self, context: Any) -> set[str]:
        """Look at the preferences again and wake the threads."""
        here = session.current()
        here.look()
        here.found_for = None
        here.follower.kick()
        here.wake()
        return {"FINISHED"}


class OUTFIELD_OT_go_online(bpy.types.Operator):
    """Allow Blender to use the network (Preferences > System > Network)"""

    bl_idname = "outfield.go_online"
    bl_label = "Allow online access"

    def execute(self, context: Any) -> set[str]:
        """Turn Blender's own switch on, because the artist said so."""
        context.preferences.system.use_online_access = True
        session.current().look()
        return bpy.ops.outfield.refresh()


class OUTFIELD_OT_dismiss(bpy.types.Operator):
    """Forget a submission that the farm has refused"""

    bl_idname = "outfield.dismiss"
    bl_label = "Dismiss"

    folder: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Any) -> set[str]:
        """Remove its folder, if it is one of the spool's."""
        here = session.current()
        room = os.path.join(here.folder, "refused")
        if os.path.dirname(os.path.abspath(self.folder)) == os.path.abspath(room):
            shutil.rmtree(self.folder, ignore_errors=True)
        here.wake()
        return {"FINISHED"}


class OUTFIELD_OT_job(bpy.types.Operator):
    """Look after a job on the farm"""

    bl_idname = "outfield.job"
    bl_label = "Job"

    job: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    action: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    frame: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})
    priority: bpy.props.IntProperty(name="Priority", min=0, max=100, default=50)

    @classmethod
    def description(cls, context: Any, properties: Any) -> str:
        """What the button does."""
        return {
            "cancel": tr("Cancel the job; frames that are there stay"),
            "retry": tr("Try the failed tasks again"),
            "pause": tr("Start nothing more of this job"),
            "resume": tr("Let the job go on"),
            "priority": tr("Change the priority; the higher goes first"),
            "open": tr("Fetch the newest frame and show it in the Image Editor"),
            "page": tr("Show the job in the browser"),
        }.get(properties.action, "")

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask before something is lost; ask for the number."""
        if self.action == "cancel":
            return context.window_manager.invoke_confirm(self, event)
        if self.action == "priority":
            return context.window_manager.invoke_props_dialog(self)
        return self.execute(context)

    def draw(self, context: Any) -> None:
        """The dialogue of the priority."""
        self.layout.prop(self, "priority", text=tr("Priority"))

    def execute(self, context: Any) -> set[str]:
        """Give the order to the thread; what became of it is told in the panel."""
        follower = session.current().follower
        if self.action == "priority":
            follower.prioritise(self.job, self.priority)
        elif self.action == "open":
            follower.fetch_frame(self.job, self.frame)
        elif self.action == "page":
            client = session.current().client()
            if client is not None:
                webbrowser.open(f"{client.server}/jobs/{quoted(self.job)}")
        else:
            getattr(
                follower, {"cancel": "cancel", "retry": "retry", "pause": "pause", "resume": "resume"}[self.action]
            )(self.job)
        return {"FINISHED"}


class OUTFIELD_OT_show_fields(bpy.types.Operator):
    """Show the renderer's settings as the farm describes them"""

    bl_idname = "outfield.show_fields"
    bl_label = "Renderer settings"

    def execute(self, context: Any) -> set[str]:
        """Fill the list, keeping what was set."""
        own = context.scene.outfield
        own.show_fields = not own.show_fields
        if own.show_fields:
            info = session.current().follower.view.info
            fixes.fill_fields(own, fields_of(info, "blender") if info is not None else [])
        return {"FINISHED"}


class OUTFIELD_OT_preset_save(bpy.types.Operator):
    """Keep these wishes as a preset of this show"""

    bl_idname = "outfield.preset_save"
    bl_label = "Save preset"

    name: bpy.props.StringProperty(name="Name", default="Default")

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask for the name."""
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: Any) -> set[str]:
        """Keep them."""
        try:
            wishes = overridden(context.scene, {})
            presets.save(session.current().folder, wishes["project"], self.name, wishes)
        except OSError as error:
            self.report({"ERROR"}, tr("The preset cannot be saved: {reason}.", reason=error.strerror or error))
            return {"CANCELLED"}
        return {"FINISHED"}


class OUTFIELD_OT_preset_apply(bpy.types.Operator):
    """Take over these wishes"""

    bl_idname = "outfield.preset_apply"
    bl_label = "Use preset"
    bl_options = {"UNDO"}

    name: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Any) -> set[str]:
        """Set what the preset says."""
        own = context.scene.outfield
        for name, value in presets.wishes_of(session.current().folder, own.project, self.name).items():
            setattr(own, name, value)
        return {"FINISHED"}


CLASSES = (
    OUTFIELD_OT_submit,
    OUTFIELD_OT_stop,
    OUTFIELD_OT_refresh,
    OUTFIELD_OT_go_online,
    OUTFIELD_OT_dismiss,
    OUTFIELD_OT_job,
    OUTFIELD_OT_show_fields,
    OUTFIELD_OT_preset_save,
    OUTFIELD_OT_preset_apply,
)
