# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's jobs below the panel: progress, newest picture, and what can be done about each."""

from __future__ import annotations

from typing import Any

import bpy

from . import session, showing
from .outfield_core.costs import cost_lines
from .outfield_core.following import JobView
from .outfield_core.hashing import shown
from .outfield_core.texts import tr

STATUS_ICONS = {
    "QUEUED": "SORTTIME",
    "RUNNING": "PLAY",
    "PAUSED": "PAUSE",
    "SUCCEEDED": "CHECKMARK",
    "FAILED": "ERROR",
    "CANCELED": "X",
}
STATUS_WORDS = {
    "QUEUED": "waits",
    "RUNNING": "renders",
    "PAUSED": "on hold",
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "CANCELED": "canceled",
}
PICTURE_SCALE = 4.0


class OUTFIELD_PT_jobs(bpy.types.Panel):
    """My jobs on the farm."""

    bl_idname = "OUTFIELD_PT_jobs"
    bl_label = "My jobs on the farm"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    bl_parent_id = "OUTFIELD_PT_render"

    def draw(self, context: Any) -> None:
        """One box for each job."""
        view = session.current().follower.view
        if not view.jobs:
            self.layout.label(text=tr("None yet."))
        for job in view.jobs:
            _job(self.layout.box(), job)


def _job(box: Any, job: JobView) -> None:
    row = box.row()
    picture = showing.icon(job.preview)
    if picture:
        row.template_icon(icon_value=picture, scale=PICTURE_SCALE)
    column = row.column()
    head = column.row()
    head.alert = job.status == "FAILED"
    head.label(text=f"{job.id} {shown(job.name)}", icon=STATUS_ICONS.get(job.status, "DOT"))
    status = tr(STATUS_WORDS.get(job.status, STATUS_WORDS["QUEUED"]))
    text = tr("{status}, {done} of {total}", status=status, done=job.done, total=job.total)
    if job.failed:
        text += ", " + tr("{count} failed", count=job.failed)
    bar(column.row(), job.fraction, text)
    _buttons(column.row(align=True), job)


def _buttons(row: Any, job: JobView) -> None:
    row.alignment = "RIGHT"
    if job.newest is not None:
        _button(row, job, "open", "IMAGE_DATA").frame = job.newest
    if job.failed or job.status == "CANCELED":
        _button(row, job, "retry", "LOOP_BACK")
    if not job.has_ended:
        _button(
            row, job, "resume" if job.status == "PAUSED" else "pause", "PLAY" if job.status == "PAUSED" else "PAUSE"
        )
        _button(row, job, "priority", "SORTSIZE").priority = job.priority
        _button(row, job, "cancel", "X")


def _button(row: Any, job: JobView, action: str, icon: str) -> Any:
    button = row.operator("outfield.job", text="", icon=icon)
    button.job, button.action = job.id, action
    return button


def bar(row: Any, fraction: float, text: str) -> None:
    """How far it is; Blender has bars since 4.0, before that the share stands in the text."""
    if hasattr(row, "progress"):
        row.progress(factor=fraction, text=text, type="BAR")
    else:
        row.label(text=f"{text} ({fraction:.0%})" if fraction else text)


def outlook(trial: dict[str, Any]) -> list[tuple[str, str]]:
    """Where it would run, when it would be done and what it would cost, as lines with an icon."""
    lines: list[tuple[str, str]] = []
    route = trial.get("route") or {}
    pools = route.get("chosen") or []
    if pools:
        lines.append((tr("Runs on {pools}", pools=", ".join(map(str, pools))), "NETWORK_DRIVE"))
    elif trial.get("placeable") is False:
        reasons = [str(each.get("reason", "")) for each in route.get("pools") or [] if each.get("reason")]
        lines.append((tr("No place can take it: {reason}", reason="; ".join(reasons[:2])), "ERROR"))
    estimate = trial.get("estimate") or {}
    if estimate.get("finish"):
        finish = _clock(str(estimate["finish"]))
        low, high = _clock(str(estimate.get("low") or "")), _clock(str(estimate.get("high") or ""))
        text = tr("Done about {finish}", finish=finish)
        if low and high and low != high:
            text += " (" + tr("{low} to {high}", low=low, high=high) + ")"
        lines.append((text, "TIME"))
    elif estimate.get("basis"):
        lines.append((str(estimate["basis"]).capitalize(), "TIME"))
    return lines + [(text, "INFO") for text in cost_lines(trial)]


def _clock(text: str) -> str:
    """A time of the farm's in this machine's own zone, short."""
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()
    except ValueError:
        return ""
    today = datetime.now().astimezone().date()
    return moment.strftime("%H:%M" if moment.date() == today else "%d.%m. %H:%M")


CLASSES = (OUTFIELD_PT_jobs,)
