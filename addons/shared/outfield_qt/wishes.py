# SPDX-License-Identifier: Apache-2.0
"""The part of the panel in which the artist says what is wished; the renderer's settings are the farm's own."""

from __future__ import annotations

import functools
from typing import Any, Dict, List, Set

from ..outfield_core import presets
from ..outfield_core.choices import CLOUDS, FRAMES, OUTPUTS, SPLITS
from ..outfield_core.costs import may_be_capped, usd_of
from ..outfield_core.errors import Refused
from ..outfield_core.fields import Field, fields_of
from ..outfield_core.renderers import ways_to_split
from ..outfield_core.texts import tr
from . import rows
from .binding import QtWidgets
from .desk import Desk

SHAPING = ("node", "frames_mode", "output_mode", "split_mode", "project", *presets.PART_OF_IT)
"""Wishes by which the rows look different; what is typed is not among them: somebody may be typing."""

NONE = "–"
YES = frozenset({"1", "yes", "true", "on"})
_opened: Set[str] = set()


def state(desk: Desk) -> Any:
    """What the rows look like."""
    said, view = desk.remembered.wishes(), desk.here.follower.view
    shape = tuple(said[name] for name in SHAPING)
    fields = tuple((field.name, field.kind) for field in _fields(desk))
    splits = tuple(ways_to_split(view.info, desk.renderer(view)))
    capped = may_be_capped(view.info, said["cost_cap_usd"])
    return shape, tuple(_names(desk)), fields, splits, capped, tuple(presets.names(desk.here.folder, said["project"]))


def make(place: Any, desk: Desk) -> None:
    """One row for each wish that counts for what is sent."""
    said = desk.remembered.wishes()
    _presets(place, desk, said)
    _text_row(place, desk, "Name", "job_name")
    _choice(
        place,
        desk,
        tr(desk.node_label),
        "node",
        [("", tr("Every renderable one")), *((name, name) for name in _names(desk))],
    )
    _choice(place, desk, tr("Frames"), "frames_mode", _translated(FRAMES))
    if said["frames_mode"] == "RANGE":
        _text_row(place, desk, "Range", "frames")
    _choice(place, desk, tr("Output"), "output_mode", _translated(OUTPUTS))
    _split(place, desk, said)
    _text_row(place, desk, "Shot", "shot")
    _number_row(place, desk, "Priority", "priority", 0, 100)
    _options(_frame(place, "Options"), desk, said)
    _settings(_frame(place, "Renderer settings"), desk, said)


def _presets(place: Any, desk: Desk, said: Dict[str, Any]) -> None:
    names = presets.names(desk.here.folder, said["project"])

    def apply(at: int) -> None:
        for name, value in presets.wishes_of(desk.here.folder, said["project"], names[at - 1]).items() if at else ():
            desk.remembered.wish(name, value)

    rows.choice(place, tr("Presets"), [NONE, *names], 0, apply)
    rows.button(place, tr("Save preset"), functools.partial(_save_preset, desk))


def _save_preset(desk: Desk) -> None:
    """Ask for the name; an empty one keeps nothing."""
    name, pressed = QtWidgets.QInputDialog.getText(None, tr("Save preset"), tr("Name"))
    said = desk.remembered.wishes()
    if not pressed or not name.strip():
        return
    try:
        presets.save(desk.here.folder, said["project"], name.strip(), said)
    except OSError as error:
        desk.here.say(False, tr("The preset cannot be saved: {reason}.", reason=error.strerror or error))


def _split(place: Any, desk: Desk, said: Dict[str, Any]) -> None:
    """How the work is shared out, as far as the farm's renderer takes it."""
    view = desk.here.follower.view
    able = {*ways_to_split(view.info, desk.renderer(view)), said["split_mode"]}
    _choice(place, desk, tr("Split"), "split_mode", [each for each in _translated(SPLITS) if each[0] in able])
    if said["split_mode"] == "TILES":
        _number_row(place, desk, "Columns", "tiles_x", 1, 64)
        _number_row(place, desk, "Rows", "tiles_y", 1, 64)
    elif said["split_mode"] == "SAMPLES":
        _number_row(place, desk, "Slices", "sample_slices", 1, 4096)
    else:
        _number_row(place, desk, "Frames per task", "chunk", 1, 100_000)


def _options(place: Any, desk: Desk, said: Dict[str, Any]) -> None:
    for title, name in (("Preview first", "preview_first"), ("Hold", "paused")):
        rows.check_box(place, tr(title), bool(said[name]), functools.partial(desk.remembered.wish, name))
    _choice(place, desk, tr("Cloud"), "cloud", _translated(CLOUDS))
    if may_be_capped(desk.here.follower.view.info, said["cost_cap_usd"]):
        rows.text_field(place, tr("Cost cap (USD)"), str(said["cost_cap_usd"]), functools.partial(_cap, desk))
    _text_row(place, desk, "Deadline", "deadline")
    _text_row(place, desk, "Pool", "pool")
    _text_row(place, desk, "Project", "project")
    _text_row(place, desk, "Sequence", "sequence")
    _text_row(place, desk, "Task", "task")


def _cap(desk: Desk, value: str) -> None:
    """What is no sum of money is told, and the cap stays as it was."""
    try:
        usd_of(value)
    except Refused as error:
        desk.here.say(False, str(error))
    else:
        desk.remembered.wish("cost_cap_usd", value.strip())


def _settings(place: Any, desk: Desk, said: Dict[str, Any]) -> None:
    fields = _fields(desk)
    if not fields:
        rows.line(place, tr("The farm tells them once it is there."))
    for field in fields:
        text = str(said["overrides"].get(field.name, ""))
        change = functools.partial(_override, desk, field)
        rows.text_field(place, field.title, text, change, help_text=field.help)


def _override(desk: Desk, field: Field, value: str) -> None:
    """A field that is emptied is left to the scene and the farm."""
    overrides = desk.remembered.wishes()["overrides"]
    overrides.pop(field.name, None)
    try:
        if value.strip():
            text = value.strip()
            overrides[field.name] = text.lower() in YES if field.kind == "bool" else field.checked(text)
    except Refused as error:
        desk.here.say(False, str(error))
    desk.remembered.wish("overrides", overrides)


def _fields(desk: Desk) -> List[Field]:
    view = desk.here.follower.view
    known = fields_of(view.info or {}, desk.renderer(view) or "")
    return [field for field in known if field.name not in desk.of.asked]


def _frame(place: Any, title: str) -> Any:
    def remember(on: bool) -> None:
        (_opened.add if on else _opened.discard)(title)

    return rows.frame(place, tr(title), title in _opened, remember)


def _text_row(place: Any, desk: Desk, title: str, name: str) -> None:
    text = str(desk.remembered.wishes()[name])
    rows.text_field(place, tr(title), text, functools.partial(desk.remembered.wish, name))


def _number_row(place: Any, desk: Desk, title: str, name: str, low: int, high: int) -> None:
    number = int(desk.remembered.wishes()[name])
    rows.number_field(place, tr(title), number, (low, high), functools.partial(desk.remembered.wish, name))


def _choice(place: Any, desk: Desk, title: str, name: str, choices: Any) -> None:
    values, labels = rows.values_and_labels(choices)
    said = desk.remembered.wishes()[name]
    at = values.index(said) if said in values else 0
    rows.choice(place, title, labels, at, lambda chosen: desk.remembered.wish(name, values[chosen]))


def _translated(choices: Any) -> List[Any]:
    return [(each[0], tr(each[1])) for each in choices]


def _names(desk: Desk) -> List[str]:
    return [node.name for node in desk.nodes()]
