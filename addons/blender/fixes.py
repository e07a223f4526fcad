# SPDX-License-Identifier: GPL-3.0-or-later
"""What a *Fix* button does. Each changes the open scene like the artist would, as one undo step, and saves nothing."""

from __future__ import annotations

import os
from typing import Any

import bpy

from . import session
from .outfield_core.fields import Field
from .outfield_core.texts import tr

LABELS = {
    "use_camera": "Use a camera",
    "add_camera": "Add a camera",
    "use_view_layer": "Switch on",
    "scene_frames": "Scene's frames",
    "farm_output": "Keep on the farm",
    "missing_only": "Missing only",
    "find_files": "Find",
    "builtin_font": "Built-in font",
    "pack_image": "Pack",
    "no_denoise": "Do not denoise",
    "whole_frames": "Whole frames",
}
"""What the button says, by the name of the fix."""


def _use_camera(scene: Any, target: str) -> None:
    scene.camera = bpy.data.objects.get(target)


def _add_camera(scene: Any, target: str) -> None:
    """One that sees what the view shows is the artist's to place; this one stands where Blender's first one does."""
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (7.36, -6.93, 4.96), (1.109, 0.0, 0.815)
    scene.collection.objects.link(camera)
    scene.camera = camera


def _use_view_layer(scene: Any, target: str) -> None:
    scene.view_layers[0].use = True


def _scene_frames(scene: Any, target: str) -> None:
    scene.outfield.frames_mode = "SCENE"
    scene.frame_end = max(scene.frame_start, scene.frame_end)


def _farm_output(scene: Any, target: str) -> None:
    scene.outfield.output_mode = "FARM"


def _missing_only(scene: Any, target: str) -> None:
    scene.outfield.frames_mode = "MISSING"


def _builtin_font(scene: Any, target: str) -> None:
    font = bpy.data.fonts.get(target)
    if font is not None:
        font.user_remap(bpy.data.fonts.load("<builtin>", check_existing=True))
        bpy.data.fonts.remove(font)  # Blender counts a user of its own for a font that was loaded


def _pack_image(scene: Any, target: str) -> None:
    image = bpy.data.images.get(target)
    if image is not None:
        image.pack()


def _whole_frames(scene: Any, target: str) -> None:
    scene.outfield.split_mode = "FRAMES"


def _no_denoise(scene: Any, target: str) -> None:
    own = scene.outfield
    field = own.fields.get("denoise") or own.fields.add()
    field.name, field.title, field.kind, field.use, field.as_bool = "denoise", "Denoise", "bool", True, False


FIXES = {
    "use_camera": _use_camera,
    "add_camera": _add_camera,
    "use_view_layer": _use_view_layer,
    "scene_frames": _scene_frames,
    "farm_output": _farm_output,
    "missing_only": _missing_only,
    "builtin_font": _builtin_font,
    "pack_image": _pack_image,
    "no_denoise": _no_denoise,
    "whole_frames": _whole_frames,
}


class OUTFIELD_OT_fix(bpy.types.Operator):
    """Mend what stands in the way; can be undone"""

    bl_idname = "outfield.fix"
    bl_label = "Fix"
    bl_options = {"REGISTER", "UNDO"}

    fix: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    target: bpy.props.StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask where to look for files; everything else is done at once."""
        if self.fix == "find_files":
            self.directory = bpy.path.abspath("//") if bpy.data.filepath else os.path.expanduser("~")
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        return self.execute(context)

    def execute(self, context: Any) -> set[str]:
        """Do it."""
        if self.fix == "find_files":
            find_files(self.directory)
        elif self.fix in FIXES:
            FIXES[self.fix](context.scene, self.target)
        else:
            self.report({"ERROR"}, tr("There is no such fix."))
            return {"CANCELLED"}
        session.current().found_for = None
        return {"FINISHED"}


def find_files(directory: str) -> None:
    """Look below a folder for whatever is missing, libraries included."""
    bpy.ops.file.find_missing_files(directory=directory)
    wanted = {}
    for library in bpy.data.libraries:
        path = os.path.normpath(bpy.path.abspath(library.filepath, library=library.parent))
        if library.parent is None and not os.path.exists(path):
            wanted[os.path.basename(path)] = library
    for root, _, names in os.walk(directory) if wanted else ():
        for name in wanted.keys() & set(names):
            library = wanted.pop(name)
            library.filepath = os.path.join(root, name)
            library.reload()


def fill_fields(own: Any, fields: list[Field]) -> None:
    """Make the scene's list that of the farm; what was set and is still known stays."""
    known = {field.name: field for field in fields}
    for index in reversed(range(len(own.fields))):
        if fields and own.fields[index].name not in known and not own.fields[index].use:
            own.fields.remove(index)
    for field in fields:
        item = own.fields.get(field.name)
        if item is None:
            item = own.fields.add()
            item.name = field.name
            if isinstance(field.default, (int, float)) and field.kind in ("int", "float"):
                setattr(item, "as_" + field.kind, field.default)
            elif field.choices:
                item.as_text = field.choices[0]
        item.kind, item.title, item.help = field.kind, field.title, field.help
        item.choices = "\n".join(field.choices)


CLASSES = (OUTFIELD_OT_fix,)
