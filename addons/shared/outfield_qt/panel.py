# SPDX-License-Identifier: Apache-2.0
"""The panel, from top to bottom in the order of an artist's questions. Only what has changed is built anew."""

from __future__ import annotations

import functools
import os
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Tuple

from ..outfield_core import choices
from ..outfield_core.hashing import shown
from ..outfield_core.orders import orders
from ..outfield_core.outlook import farm_words, job_words, outlook, stage_words
from ..outfield_core.texts import tr
from . import rows, turns, wishes
from .binding import QtWidgets
from .desk import Desk

FINDINGS_MAX, OUTPUTS_MAX, REFUSALS_MAX = 12, 4, 3
CONNECTION = (("server", "Farm"), ("token", "Token"), ("ca_file", "Certificate"))
_NEVER = object()


class Panel(QtWidgets.QScrollArea):
    """One of them; another that is opened takes its place."""

    def __init__(self, desk: Desk, parent: Any = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.fetched: Deque[str] = deque(maxlen=4)
        self._drawn: Dict[str, Any] = {}
        self._places: Dict[str, Any] = {}
        inner = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(inner)
        for name in SECTIONS:
            self._places[name] = QtWidgets.QVBoxLayout()
            column.addLayout(self._places[name])
        column.addStretch(1)
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setWindowTitle("Outfield")
        turns.start(desk)
        desk.here.draw = self.draw
        self.draw()

    def draw(self) -> None:
        """Build anew the sections that would look different; nothing while nobody sees it."""
        try:
            seen = self.isVisible() or not self._drawn
        except RuntimeError:  # the program has deleted it
            self.desk.here.draw = None
            return
        if not seen:
            return
        here = self.desk.here
        while here.follower.fetched:
            self.fetched.append(here.follower.fetched.popleft()[2])
        self.desk.want_check()
        for name, (state, make) in SECTIONS.items():
            now = state(self)
            if self._drawn.get(name, _NEVER) != now:
                self._drawn[name] = now
                rows.empty(self._places[name])
                make(self, self._places[name])


# ---- Where it goes ---------------------------------------------------------------------------------------------------


def _status_state(panel: Panel) -> Any:
    here = panel.desk.here
    refused = [each["folder"] for each in here.sender.refused]
    return farm_words(here.follower.view, here.trouble), str(here.trouble), here.sender.kept, refused


def _status(panel: Panel, place: Any) -> None:
    here = panel.desk.here
    rows.line(place, farm_words(here.follower.view, here.trouble))
    if here.trouble is not None and here.trouble.code != "unreachable":
        rows.line(place, str(here.trouble))
    if here.sender.kept:
        rows.line(place, tr("Kept here, sent when the farm is back: {count}", count=len(here.sender.kept)))
    for refusal in here.sender.refused[:REFUSALS_MAX]:
        text = "{}: {} {}".format(refusal["name"], refusal["message"], refusal["hint"])
        dismiss = functools.partial(_dismiss, panel, refusal["folder"])
        rows.line_with_button(place, text, tr("Dismiss"), dismiss, "error")


def _dismiss(panel: Panel, folder: str) -> None:
    panel.desk.here.spool.remove(folder)
    panel.desk.here.sender.kick()


def _connection(panel: Panel, place: Any) -> None:
    inner = rows.frame(place, tr("Check the connection"), False, lambda on: None)
    said = vars(panel.desk.here.connection)
    for name, title in CONNECTION:
        text = "" if name == "token" else said[name]  # never shown again
        change = functools.partial(_connect, panel, name)
        rows.text_field(inner, tr(title), text, change, secret=name == "token")


def _connect(panel: Panel, name: str, value: str) -> None:
    if name != "token" or value:  # a field that shows nothing and was left alone
        panel.desk.remembered.connect(name, value)
        panel.desk.here.look()


# ---- What stands in the way, and the button --------------------------------------------------------------------------


def _findings(panel: Panel, place: Any) -> None:
    found = panel.desk.here.found
    if not found and panel.desk.here.found_s > 0:
        rows.line(place, tr("Nothing stands in the way."))
    for finding in found[:FINDINGS_MAX]:
        if finding.fix in choices.LABELS:
            fix = functools.partial(panel.desk.fix, finding.fix)
            label = tr(choices.LABELS[finding.fix])
            rows.line_with_button(place, finding.sentence, label, fix, finding.severity)
        else:
            rows.line(place, finding.sentence, finding.severity)
    if len(found) > FINDINGS_MAX:
        rows.line(place, tr("and {count} more", count=len(found) - FINDINGS_MAX))


def _outlook(panel: Panel, place: Any) -> None:
    here = panel.desk.here
    for path in here.outputs[:OUTPUTS_MAX]:
        rows.line(place, "{}: {}".format(tr("Output"), shown(path) if path else tr("On the farm")))
    for _, text in outlook(here.follower.view.trial):
        rows.line(place, text)
    error = here.follower.view.trial_error
    if error is not None and error.code != "unreachable":
        rows.line(place, str(error))


def _stage(panel: Panel) -> Tuple[str, float, str]:
    """What is being done, how far it is, and with which file; "": nothing."""
    here = panel.desk.here
    if here.flow is not None:
        return here.flow.phase, 0.0, ""
    watch = here.sender.watch
    return (watch.stage, round(watch.fraction, 2), watch.note) if here.sender.sending else ("", 0.0, "")


def _button(panel: Panel, place: Any) -> None:
    stage, fraction, note = _stage(panel)
    if stage:
        rows.bar(place, fraction)
        rows.line_with_button(place, stage_words(stage), tr("Cancel"), panel.desk.here.stop_sending)
        if note:
            rows.line(place, shown(note))
    else:
        rows.button(place, tr("Render on farm"), panel.desk.submit).setMinimumHeight(36)
    for good, text in list(panel.desk.here.messages)[-2:]:
        rows.line(place, text, "" if good else "error")


# ---- My jobs ---------------------------------------------------------------------------------------------------------


def _jobs_state(panel: Panel) -> Any:
    jobs = panel.desk.here.follower.view.jobs
    shape = [(job.id, job.status, job.done, job.total, job.failed, job.priority, job.preview) for job in jobs]
    return shape, list(panel.fetched)


def _jobs(panel: Panel, place: Any) -> None:
    here = panel.desk.here
    rows.line(place, tr("My jobs on the farm"))
    if not here.follower.view.jobs:
        rows.line(place, tr("None yet."))
    for job in here.follower.view.jobs:
        box = QtWidgets.QGroupBox("{} {}".format(job.id, shown(job.name)))
        inner = QtWidgets.QVBoxLayout(box)
        place.addWidget(box)
        rows.picture(inner, job.preview)
        rows.bar(inner, job.fraction)
        rows.line(inner, job_words(job))
        for label, order in orders(job, here, panel.desk.browse):
            rows.button(inner, tr(label), order)
    for path in panel.fetched:
        rows.line_with_button(place, shown(path), tr("Open"), functools.partial(_open, panel, path))


def _open(panel: Panel, path: str) -> None:
    panel.desk.browse("file://" + path.replace(os.sep, "/"))


def _told(panel: Panel) -> List[Any]:
    here = panel.desk.here
    return [here.found_s > 0, *((each.sentence, each.fix) for each in here.found)]


def _known(panel: Panel) -> Any:
    here = panel.desk.here
    return list(here.outputs), list(outlook(here.follower.view.trial)), str(here.follower.view.trial_error)


Section = Tuple[Callable[[Panel], Any], Callable[[Panel, Any], None]]
SECTIONS: Dict[str, Section] = {
    "status": (_status_state, _status),
    "connection": (lambda panel: "", _connection),  # never anew: somebody may be typing
    "wishes": (lambda panel: wishes.state(panel.desk), lambda panel, place: wishes.make(place, panel.desk)),
    "findings": (_told, _findings),
    "outlook": (_known, _outlook),
    "button": (lambda panel: (_stage(panel), list(panel.desk.here.messages)), _button),
    "jobs": (_jobs_state, _jobs),
}
"""From top to bottom: what a section's look depends on, and what builds it."""
