# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the Render properties, from top to bottom in the order of an artist's questions. Draws what is known and
asks nobody; every text goes through `tr`.
"""

from __future__ import annotations

import functools
from typing import Any

import bpy

from . import gathering, jobs_panel, session
from .fixes import LABELS
from .outfield_core import presets
from .outfield_core.choices import CLOUDS, FRAMES, OUTPUTS, SPLITS
from .outfield_core.costs import may_be_capped
from .outfield_core.facts import Finding
from .outfield_core.hashing import shown
from .outfield_core.outlook import outlook, stage_words, workers_there
from .outfield_core.preflight import installed, version_of
from .outfield_core.session import Session
from .outfield_core.texts import tr
from .properties import overridden
from .submission import Assembly

ICONS = {"error": "CANCEL", "warning": "ERROR", "note": "INFO"}
FINDINGS_MAX = 12
OUTLOOK_ICONS = {"place": "NETWORK_DRIVE", "nowhere": "ERROR", "time": "TIME", "cost": "INFO"}
"""Lines of these kinds are shown; the rank stands beside the priority."""

WRAP = 46
"""Characters of a line in a narrow properties editor."""


class OUTFIELD_PT_render(bpy.types.Panel):
    """Where it goes, what it is, what stands in the way, and the button."""

    bl_idname = "OUTFIELD_PT_render"
    bl_label = "Outfield"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"

    def draw(self, context: Any) -> None:
        """All of it."""
        here, scene = session.current(), context.scene
        here.want_check(signature(scene), functools.partial(_to_check, here, scene.name))
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        _status(layout, here)
        _wishes(layout, scene, here)
        _options(layout, scene.outfield, here)
        _fields(layout, scene.outfield, here)
        _findings(layout, here)
        _estimate(layout, here)
        _button(layout, here)
        _messages(layout, here)


def _to_check(here: Session, name: str) -> Assembly | None:
    scene = bpy.data.scenes.get(name)
    return Assembly(scene, {}, here.follower.view) if scene is not None else None


def signature(scene: Any) -> tuple[Any, ...]:
    """What the checks depend on and can be told at once: the scene, the file, the wishes, the output, the frames."""
    own = overridden(scene, {})
    own["overrides"] = tuple(sorted(own["overrides"].items()))
    render = scene.render
    look = (render.engine, render.filepath, render.image_settings.file_format, scene.camera is None)
    frames = (scene.frame_start, scene.frame_end, scene.frame_step)
    current = scene.frame_current if own["frames_mode"] == "CURRENT" else None
    return (scene.name, bpy.data.filepath, tuple(own[name] for name in sorted(own)), look, frames, current)


def _status(layout: Any, here: Session) -> None:
    view, row = here.follower.view, layout.row()
    if not here.may_connect:
        row.label(
            text=tr("Blender is set to stay offline"),
            icon="INTERNET_OFFLINE" if _has("INTERNET_OFFLINE") else "UNLINKED",
        )
        layout.operator("outfield.go_online", text=tr("Allow online access"))
    elif view.is_live:
        row.label(text=tr("Farm {farm}, workers: {count}", farm=view.name, count=workers_there(view)), icon="CHECKMARK")
    elif here.trouble is not None:
        row.label(
            text=tr("The farm is away") if here.trouble.code == "unreachable" else tr("No connection"), icon="UNLINKED"
        )
    else:
        row.label(text=tr("Asking the farm"), icon="SORTTIME")
    row.operator("outfield.refresh", text="", icon="FILE_REFRESH")
    if here.trouble is not None and here.may_connect and here.trouble.code != "unreachable":
        wrapped(layout, str(here.trouble))
    if here.sender.kept and not here.sender.sending:
        layout.label(
            text=tr("Kept here, sent when the farm is back: {count}", count=len(here.sender.kept)),
            icon="FILE_TICK",
        )
    for refusal in here.sender.refused[:3]:
        box = layout.box()
        wrapped(box, "{}: {} {}".format(refusal["name"], refusal["message"], refusal["hint"]), icon="CANCEL")
        box.operator("outfield.dismiss", text=tr("Dismiss")).folder = refusal["folder"]


def _wishes(layout: Any, scene: Any, here: Session) -> None:
    own, column = scene.outfield, layout.column()
    row = column.row(align=True)
    row.prop(own, "job_name", text=tr("Name"))
    row.menu("OUTFIELD_MT_presets", text="", icon="PRESET")
    chosen(column, own, "frames_mode", tr("Frames"), FRAMES)
    if own.frames_mode == "RANGE":
        column.prop(own, "frames", text=tr("Range"))
    chosen(column, own, "output_mode", tr("Output"), OUTPUTS)
    if own.output_mode == "SCENE":
        path = gathering.output_pattern(scene, gathering.FORMATS.get(scene.render.image_settings.file_format, "png"))
        split = column.split(factor=0.4)
        split.label(text="")
        split.alert = any(finding.code == "output_outside" for finding in here.found)
        split.label(text=shown(path))
    chosen(column, own, "split_mode", tr("Split"), SPLITS)
    if own.split_mode == "FRAMES":
        column.prop(own, "chunk", text=tr("Frames per task"))
    elif own.split_mode == "TILES":
        row = column.row(align=True)
        row.prop(own, "tiles_x", text=tr("Columns × rows"))
        row.prop(own, "tiles_y", text="")
    else:
        column.prop(own, "sample_slices", text=tr("Slices"))
    _shot(column, own, here)
    _match(column, scene, here)


def _shot(column: Any, own: Any, here: Session) -> None:
    """The shot, and the rank that production's wish gives it."""
    column.prop(own, "shot", text=tr("Shot"))
    rank = (here.follower.view.trial or {}).get("rank") or {}
    source = str(rank.get("priority_from", ""))
    row = column.row()
    row.enabled = source in ("", "job", "artist", "submission", "default")
    row.prop(own, "priority", text=tr("Priority"))
    if rank:
        text = tr("Rank {position} of {of}", position=rank.get("position", "?"), of=rank.get("of", "?"))
        if not row.enabled:
            text += ", " + tr("priority from {source}", source=source)
        column.label(text=text, icon="SORTSIZE")


def _match(column: Any, scene: Any, here: Session) -> None:
    """Can a worker that exists render this file?"""
    workers = here.follower.view.workers
    if workers is None or not here.follower.view.is_live:
        return
    versions = sorted({version_of(each)[:2] for each in installed(workers, "blender")})
    named = ", ".join(".".join(map(str, version)) for version in versions if version) or tr("none")
    own = ".".join(map(str, bpy.app.version[:2]))
    fits = any(version >= tuple(bpy.app.version[:2]) for version in versions)
    text = tr("Blender {own} here; on the workers: {versions}", own=own, versions=named)
    column.label(text=text, icon="BLENDER" if fits else "ERROR")


def _options(layout: Any, own: Any, here: Session) -> None:
    box = layout.column()
    head = box.row()
    head.use_property_split, head.alignment = False, "LEFT"
    head.prop(own, "show_options", text=tr("Options"), icon=_arrow(own.show_options), emboss=False)
    if own.show_options:
        box.prop(own, "preview_first", text=tr("Preview first"))
        box.prop(own, "paused", text=tr("Hold"))
        box.prop(own, "deadline", text=tr("Deadline"))
        chosen(box, own, "cloud", tr("Cloud"), CLOUDS, expand=False)
        if may_be_capped(here.follower.view.info, own.cost_cap_usd):
            box.prop(own, "cost_cap_usd", text=tr("Cost cap (USD)"))
        box.prop(own, "pool", text=tr("Pool"))
        box.prop(own, "project", text=tr("Project"))
        box.prop(own, "sequence", text=tr("Sequence"))
        box.prop(own, "task", text=tr("Task"))


def _fields(layout: Any, own: Any, here: Session) -> None:
    column = layout.column()
    head = column.row()
    head.alignment = "LEFT"
    head.operator("outfield.show_fields", text=tr("Renderer settings"), icon=_arrow(own.show_fields), emboss=False)
    if not own.show_fields:
        return
    if not own.fields:
        column.label(text=tr("The farm tells them once it is there."))
    for field in own.fields:
        row = column.row(align=True)
        row.prop(field, "use", text=field.title)
        value = row.row()
        value.enabled = field.use
        value.prop(field, "as_" + field.kind if field.kind else "as_text", text="")


def _findings(layout: Any, here: Session) -> None:
    if not here.found:
        if here.found_s > 0:
            layout.label(text=tr("Nothing stands in the way."), icon="CHECKMARK")
        return
    box = layout.box()
    for finding in here.found[:FINDINGS_MAX]:
        _finding(box, finding)
    if len(here.found) > FINDINGS_MAX:
        box.label(text=tr("and {count} more", count=len(here.found) - FINDINGS_MAX))


def _finding(box: Any, finding: Finding) -> None:
    row = box.row()
    text = row.column()
    text.alert = finding.severity == "error"
    wrapped(text, finding.sentence, icon=ICONS[finding.severity])
    if finding.fix:
        button = row.column()
        button.alignment = "RIGHT"
        done = button.operator("outfield.fix", text=tr(LABELS[finding.fix]))
        done.fix, done.target = finding.fix, finding.target


def _estimate(layout: Any, here: Session) -> None:
    view = here.follower.view
    if view.trial_error is not None and view.trial_error.code not in ("unreachable", "output_outside_roots"):
        wrapped(layout, str(view.trial_error), icon="ERROR")
    for kind, text in outlook(view.trial):
        if kind in OUTLOOK_ICONS:
            wrapped(layout, text, icon=OUTLOOK_ICONS[kind])


def _button(layout: Any, here: Session) -> None:
    column = layout.column()
    column.scale_y = 1.6
    flow, sender = here.flow, here.sender
    stage = flow.phase if flow is not None else (sender.watch.stage if sender.sending else "")
    if not stage:
        column.operator("outfield.submit", text=tr("Render on farm"), icon="RENDER_ANIMATION")
        return
    row = layout.row(align=True)
    jobs_panel.bar(row, sender.watch.fraction if flow is None else 0.0, stage_words(stage))
    row.operator("outfield.stop", text="", icon="X")
    if flow is None and sender.watch.note:
        layout.label(text=shown(sender.watch.note), icon="FILE")


def _messages(layout: Any, here: Session) -> None:
    for good, text in list(here.messages)[-2:]:
        wrapped(layout, text, icon="CHECKMARK" if good else "ERROR")


def chosen(layout: Any, own: Any, name: str, title: str, items: Any, *, expand: bool = False) -> None:
    """A choice with translated items, which `prop` alone would show in English."""
    row = layout.row(align=True)
    current = next((each[1] for each in items if each[0] == getattr(own, name)), "")
    if expand:
        row.prop(own, name, text=title, expand=True)
    else:
        split = row.split(factor=0.4, align=True)
        label = split.row()
        label.alignment = "RIGHT"
        label.label(text=title)
        split.prop_menu_enum(own, name, text=tr(current))


def wrapped(layout: Any, text: str, icon: str = "NONE") -> None:
    """A sentence over as many lines as it takes; Blender's labels do not break lines."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    line = ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > WRAP:
            column.label(text=line, icon=icon)
            line, icon = "", "BLANK1" if icon != "NONE" else "NONE"
        line = f"{line} {word}".strip()
    column.label(text=line, icon=icon)


def _arrow(opened: bool) -> str:
    return "DISCLOSURE_TRI_DOWN" if opened else "DISCLOSURE_TRI_RIGHT"


def _has(icon: str) -> bool:
    return icon in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items


class OUTFIELD_MT_presets(bpy.types.Menu):
    """The show's presets."""

    bl_idname = "OUTFIELD_MT_presets"
    bl_label = "Presets"

    def draw(self, context: Any) -> None:
        """One line for each, and one to keep another."""
        for name in presets.names(session.current().folder, context.scene.outfield.project):
            self.layout.operator("outfield.preset_apply", text=name).name = name
        self.layout.separator()
        self.layout.operator("outfield.preset_save", text=tr("Save preset"), icon="ADD")


CLASSES = (OUTFIELD_MT_presets, OUTFIELD_PT_render)
