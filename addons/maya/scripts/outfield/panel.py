# SPDX-License-Identifier: Apache-2.0
"""The panel, from top to bottom in the order of an artist's questions. Draws what is known and asks nobody.

Plain `maya.cmds`: the same in Maya 2022 to 2026, with PySide 2 or 6 underneath. Only what has changed is built anew.
"""

from __future__ import annotations

from typing import Any, Dict, Tuple

from maya import cmds

from . import fixes, jobs_panel, presets_panel, session, settings, widgets, wishes_panel
from .outfield_core.facts import Finding
from .outfield_core.hashing import shown
from .outfield_core.outlook import farm_words, outlook, stage_words
from .outfield_core.texts import tr

PANEL = "OutfieldPanel"
BODY = "OutfieldBody"
WIDTH = 420
DRAW = "import outfield.panel; outfield.panel.build()"
FINDINGS_MAX, OUTPUTS_MAX = 12, 4
COLOURS = {"error": (0.55, 0.2, 0.2), "warning": (0.5, 0.4, 0.15), "note": (0.25, 0.3, 0.35)}
_drawn: Dict[str, Any] = {}
_NEVER = object()


def show() -> None:
    """Open the panel, or bring it to the front."""
    session.start(in_window=True)
    if cmds.workspaceControl(PANEL, exists=True):
        cmds.workspaceControl(PANEL, edit=True, restore=True)
        return
    cmds.workspaceControl(PANEL, label="Outfield", initialWidth=WIDTH, minimumWidth=WIDTH, retain=False, uiScript=DRAW,
                          closeCommand="import outfield.panel; outfield.panel.closed()")  # fmt: skip


def closed() -> None:
    """The artist has closed it: nobody looks any more."""
    _drawn.clear()
    if session.is_on():
        session.current().draw = None


def close() -> None:
    """Close it."""
    closed()
    if cmds.workspaceControl(PANEL, exists=True):
        cmds.deleteUI(PANEL)


def build() -> None:
    """Everything, inside the control that Maya has just made; the sections follow with the first turn."""
    session.start(in_window=True)
    _drawn.clear()
    outer = cmds.scrollLayout(childResizable=True, parent=PANEL)
    cmds.columnLayout(BODY, adjustableColumn=True, parent=outer)
    for name in SECTIONS:
        cmds.columnLayout(_place(name), adjustableColumn=True, parent=BODY)
    session.current().draw = draw
    draw()


def draw() -> None:
    """Build anew the sections that would look different."""
    here = session.current()
    if not cmds.columnLayout(_place("status"), exists=True):
        closed()
        return
    jobs_panel.take_fetched(here)
    session.want_check()
    for name, (state, make) in SECTIONS.items():
        now = state(here)
        if _drawn.get(name, _NEVER) != now:
            _drawn[name] = now
            widgets.empty(_place(name))
            make(_place(name), here)


def submit(*_: Any) -> None:
    """The button."""
    session.submit()


def _place(name: str) -> str:
    return "Outfield_" + name


# ---- Where it goes ---------------------------------------------------------------------------------------------------


def _status_state(here: Any) -> Any:
    view, error = here.follower.view, here.trouble
    kept, refused = len(here.sender.kept), [each["folder"] for each in here.sender.refused]
    return (view.is_live, view.name, len(view.workers or ()), str(error), kept, refused, here.sender.sending == "")


def _status(place: str, here: Any) -> None:
    text = farm_words(here.follower.view, here.trouble)
    widgets.line(place, text)
    if here.trouble is not None and here.trouble.code != "unreachable":
        widgets.line(place, str(here.trouble))
    if here.sender.kept and not here.sender.sending:
        widgets.line(place, tr("Kept here, sent when the farm is back: {count}", count=len(here.sender.kept)))
    for refusal in here.sender.refused[:3]:
        text = "{}: {} {}".format(refusal["name"], refusal["message"], refusal["hint"])
        widgets.line_with_button(place, text, tr("Dismiss"), lambda folder=refusal["folder"]: _dismiss(folder))


def _connection_state(here: Any) -> Any:
    """Never built anew: somebody may be typing."""
    return ""


def _connection(place: str, here: Any) -> None:
    inner = widgets.frame(place, "OutfieldAddress", tr("Check the connection"), folded=True)
    said = vars(here.connection)
    for name, title in (("server", "Farm"), ("token", "Token"), ("ca_file", "Certificate")):
        text = "" if name == "token" else said[name]  # never shown again
        widgets.text_field(inner, tr(title), text, lambda value, name=name: _connect(name, value))


def _connect(name: str, value: str) -> None:
    settings.connect(name, value)
    session.current().look()


def _dismiss(folder: str) -> None:
    here = session.current()
    here.spool.remove(folder)
    here.sender.kick()


# ---- What stands in the way, and the button --------------------------------------------------------------------------


def _findings_state(here: Any) -> Any:
    return [(each.sentence, each.fix, each.target) for each in here.found]


def _findings(place: str, here: Any) -> None:
    if not here.found:
        widgets.line(place, tr("Nothing stands in the way."))
    for finding in here.found[:FINDINGS_MAX]:
        _finding(place, finding)
    if len(here.found) > FINDINGS_MAX:
        widgets.line(place, tr("and {count} more", count=len(here.found) - FINDINGS_MAX))


def _finding(place: str, finding: Finding) -> None:
    colour = COLOURS[finding.severity]
    if finding.fix not in fixes.LABELS:
        widgets.line(place, finding.sentence, colour)
        return
    label = tr(fixes.LABELS[finding.fix])
    widgets.line_with_button(place, finding.sentence, label, lambda: fixes.fix(finding.fix, finding.target), colour)


def _outlook_state(here: Any) -> Any:
    return (here.follower.view.trial, str(here.follower.view.trial_error), here.outputs)


def _outlook(place: str, here: Any) -> None:
    view = here.follower.view
    for path in here.outputs[:OUTPUTS_MAX]:
        widgets.line(place, "{}: {}".format(tr("Output"), shown(path) if path else tr("On the farm")))
    for _, text in outlook(view.trial):
        widgets.line(place, text)
    if view.trial_error is not None and view.trial_error.code != "unreachable":
        widgets.line(place, str(view.trial_error))


def _button_state(here: Any) -> Any:
    watch = here.sender.watch
    phase = here.flow.phase if here.flow is not None else ""
    return (phase, here.sender.sending, watch.stage, round(watch.fraction, 2), watch.note, list(here.messages))


def _button(place: str, here: Any) -> None:
    stage = here.flow.phase if here.flow is not None else (here.sender.watch.stage if here.sender.sending else "")
    if stage:
        widgets.bar(place, here.sender.watch.fraction if here.flow is None else 0.0)
        widgets.line_with_button(place, stage_words(stage), "×", here.stop_sending)
        if here.flow is None and here.sender.watch.note:
            widgets.line(place, shown(here.sender.watch.note))
    else:
        cmds.button(label=tr("Render on farm"), height=36, command=submit, parent=place)
    for _, text in list(here.messages)[-2:]:
        widgets.line(place, text)


SECTIONS: Dict[str, Tuple[Any, Any]] = {
    "status": (_status_state, _status),
    "connection": (_connection_state, _connection),
    "presets": (presets_panel.state, presets_panel.rows),
    "wishes": (wishes_panel.state, wishes_panel.wishes),
    "findings": (_findings_state, _findings),
    "outlook": (_outlook_state, _outlook),
    "button": (_button_state, _button),
    "jobs": (jobs_panel.state, jobs_panel.jobs),
}
"""From top to bottom: what a section's look depends on, and what builds it."""
