# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist sets for a scene (`scene.outfield`). It is saved in the .blend, so it is remembered with the shot."""

from __future__ import annotations

import functools
from typing import Any

import bpy

from .outfield_core import wishes
from .outfield_core.choices import CLOUDS, FRAMES, OUTPUTS, SPLITS


@functools.lru_cache(maxsize=64)
def _items(choices: str) -> list[tuple[str, str, str]]:
    """Items of a choice. Cached, because Blender keeps no reference to what a callback returns."""
    return [(each, each, "") for each in choices.split("\n")]


class OutfieldField(bpy.types.PropertyGroup):
    """One setting of the renderer as the farm describes it; it counts only where `use` is on."""

    use: bpy.props.BoolProperty(name="Override", description="Override what the scene says")
    kind: bpy.props.StringProperty()
    title: bpy.props.StringProperty()
    help: bpy.props.StringProperty()
    choices: bpy.props.StringProperty()
    as_int: bpy.props.IntProperty(name="Value")
    as_float: bpy.props.FloatProperty(name="Value")
    as_bool: bpy.props.BoolProperty(name="Value")
    as_text: bpy.props.StringProperty(name="Value")
    as_choice: bpy.props.EnumProperty(
        name="Value",
        items=lambda self, context: _items(self.choices),
        get=lambda self: next((i for i, each in enumerate(_items(self.choices)) if each[0] == self.as_text), 0),
        set=lambda self, index: setattr(self, "as_text", _items(self.choices)[index][0]),
    )


class OutfieldSettings(bpy.types.PropertyGroup):
    """The wishes for one scene."""

    job_name: bpy.props.StringProperty(name="Name", description="Name of the job; empty: the file's name")
    frames_mode: bpy.props.EnumProperty(name="Frames", items=FRAMES, default="SCENE")
    frames: bpy.props.StringProperty(name="Range", description="e.g. 1-100, 1-100x2,150 or 1-100:5", default="1-10")
    output_mode: bpy.props.EnumProperty(name="Output", items=OUTPUTS, default="SCENE")
    split_mode: bpy.props.EnumProperty(name="Split", items=SPLITS, default="FRAMES")
    chunk: bpy.props.IntProperty(name="Frames per task", min=1, max=100_000, default=1)
    tiles_x: bpy.props.IntProperty(name="Columns", min=1, max=64, default=2)
    tiles_y: bpy.props.IntProperty(name="Rows", min=1, max=64, default=2)
    sample_slices: bpy.props.IntProperty(name="Slices", min=1, max=4096, default=4)
    project: bpy.props.StringProperty(name="Project", description="What production calls the show")
    sequence: bpy.props.StringProperty(name="Sequence")
    shot: bpy.props.StringProperty(name="Shot", description="What production calls the shot; its priority follows")
    task: bpy.props.StringProperty(name="Task", description="e.g. lighting")
    priority: bpy.props.IntProperty(name="Priority", description="The higher goes first", min=0, max=100, default=50)
    deadline: bpy.props.StringProperty(name="Deadline", description="e.g. 2026-12-01T18:00:00Z; empty: none")
    pool: bpy.props.StringProperty(name="Pool", description="Only there; empty: as the farm decides")
    cloud: bpy.props.EnumProperty(name="Cloud", items=CLOUDS, default="allow")
    cost_cap_usd: bpy.props.StringProperty(
        name="Cost cap (USD)", description="The most that the job may cost; 0: only where it is free; empty: no bound"
    )
    preview_first: bpy.props.BoolProperty(name="Preview first", description="First, last and middle frame first")
    paused: bpy.props.BoolProperty(name="Hold", description="Accepted, but not started until you resume it")
    fields: bpy.props.CollectionProperty(type=OutfieldField)
    show_options: bpy.props.BoolProperty(name="Options")
    show_fields: bpy.props.BoolProperty(name="Renderer")


KNOWN = tuple(OutfieldSettings.__annotations__)


def overridden(scene: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """The scene's wishes as plain values, with those of a Python call in their place.

    Raises:
        TypeError: a setting that there is not.
    """
    own = scene.outfield
    values = {name: getattr(own, name) for name in KNOWN if name not in ("fields", "show_options", "show_fields")}
    values["overrides"] = {field.name: value_of(field) for field in own.fields if field.use}
    return wishes.overridden(settings, values)


def value_of(field: Any) -> Any:
    """A field's value in the type that the farm described."""
    return {"int": field.as_int, "float": field.as_float, "bool": field.as_bool}.get(field.kind, field.as_text)


CLASSES = (OutfieldField, OutfieldSettings)
