# SPDX-License-Identifier: Apache-2.0
"""The part of the panel in which the artist says what is wished; the renderer's settings are those that the farm
describes.
"""

from __future__ import annotations

import functools
from typing import Any, Dict, List, Optional, Tuple

from . import roads, scene, session, settings, widgets
from .outfield_core.choices import CLOUDS, FRAMES, OUTPUTS, SPLITS
from .outfield_core.costs import may_be_capped, usd_of
from .outfield_core.errors import Refused
from .outfield_core.fields import Field, fields_of
from .outfield_core.renderers import ways_to_split
from .outfield_core.texts import tr

EVERY = (("", "Every renderable one"),)
ROADS = ((False, "The whole scene"), (True, "Preview of the mesh"))


SHAPING = (
    "frames_mode", "output_mode", "split_mode", "preview", "layer", "camera",
)  # fmt: skip
"""Wishes by which there are other rows."""


def state(here: Any) -> Any:
    """What the rows look like."""
    wishes = settings.wishes()
    shape = tuple(wishes[name] for name in SHAPING)
    splits = ways_to_split(here.follower.view.info, _renderer(here))
    knows_caps = may_be_capped(here.follower.view.info, wishes["cost_cap_usd"])
    of_farm = (tuple(_fields(here)), here.follower.view.is_live, knows_caps)
    return (*shape, *splits, scene.layers(), scene.cameras(), *of_farm)


def wishes(place: str, here: Any) -> None:
    """One row for each wish that counts for what is sent."""
    said = settings.wishes()
    _text(place, "Name", "job_name", said)
    _choice(place, "What is sent", "preview", ROADS, said)
    if not said["preview"]:
        every, cameras = scene.layers()[1], scene.cameras()
        labels = [(scene.layer_label(each), scene.layer_label(each)) for each in every]
        _choice(place, "Render layer", "layer", [*EVERY, *labels], said)
        _choice(place, "Frames", "frames_mode", FRAMES, said)
        if said["frames_mode"] == "RANGE":
            _text(place, "Range", "frames", said)
        _choice(place, "Output", "output_mode", OUTPUTS, said)
        named = [(each, each) for each in cameras[0] + cameras[1]]
        _choice(place, "Camera", "camera", [*EVERY, *named], said)
    _split(place, said, ways_to_split(here.follower.view.info, _renderer(here)))
    _text(place, "Shot", "shot", said)
    _number(place, "Priority", "priority", said, 0, 100)
    _options(place, said)
    _settings(place, said, _fields(here))


def _split(place: str, said: Dict[str, Any], ways: List[str]) -> None:
    """How the work is shared out, as far as the farm's renderer takes it."""
    _choice(place, "Split", "split_mode", [each for each in SPLITS if each[0] in {*ways, said["split_mode"]}], said)
    if said["split_mode"] == "TILES":
        _number(place, "Columns", "tiles_x", said, 1, 64)
        _number(place, "Rows", "tiles_y", said, 1, 64)
    elif said["split_mode"] == "SAMPLES":
        _number(place, "Slices", "sample_slices", said, 1, 4096)
    elif not said["preview"]:
        _number(place, "Frames per task", "chunk", said, 1, 100_000)


def _options(place: str, wishes: Dict[str, Any]) -> None:
    inner = widgets.frame(place, "Outfield_options", tr("Options"), folded=True)
    _check(inner, "Preview first", "preview_first", wishes)
    _check(inner, "Hold", "paused", wishes)
    _choice(inner, "Cloud", "cloud", CLOUDS, wishes)
    if may_be_capped(session.current().follower.view.info, wishes["cost_cap_usd"]):
        widgets.text_field(inner, tr("Cost cap (USD)"), str(wishes["cost_cap_usd"]), _cap)
    for title, name in (("Deadline", "deadline"), ("Pool", "pool"), ("Project", "project"), ("Sequence", "sequence")):
        _text(inner, title, name, wishes)


def _cap(value: str) -> None:
    """What is no sum of money is told, and the cap stays as it was."""
    try:
        usd_of(value)
    except Refused as error:
        session.current().say(False, str(error))
    else:
        settings.wish("cost_cap_usd", value.strip())


def _fields(here: Any) -> List[Tuple[str, str]]:
    """Names and kinds of the settings that the chosen renderer has, for whether they must be drawn anew."""
    return [(field.name, field.kind) for field in _known_fields(here)]


def _known_fields(here: Any) -> List[Field]:
    known = fields_of(here.follower.view.info or {}, _renderer(here) or "")
    return [field for field in known if field.name not in roads.OURS]


def _renderer(here: Any) -> Optional[str]:
    """The farm's renderer that the job would be for."""
    return (
        roads.PREVIEW if settings.wishes()["preview"] else roads.renderer_for(here.follower.view.info, scene.engine())
    )


def _settings(place: str, wishes: Dict[str, Any], _names: Any) -> None:
    inner = widgets.frame(place, "Outfield_settings", tr("Renderer settings"), folded=True)
    fields = _known_fields(session.current())
    if not fields:
        widgets.line(inner, tr("The farm tells them once it is there."))
    for field in fields:
        said = wishes["overrides"].get(field.name, "")
        change = functools.partial(_override, field)
        widgets.text_field(inner, field.title, str(said), change, field.help)


def _override(field: Field, value: str) -> None:
    """A field that is emptied is left to the scene and the farm."""
    overrides = settings.wishes()["overrides"]
    overrides.pop(field.name, None)
    try:
        if value.strip():
            overrides[field.name] = widgets.truth(value) if field.kind == "bool" else field.checked(value.strip())
    except Refused as error:
        session.current().say(False, str(error))
    settings.wish("overrides", overrides)


def _text(place: str, title: str, name: str, wishes: Dict[str, Any]) -> None:
    widgets.text_field(place, tr(title), str(wishes[name]), lambda value: settings.wish(name, value))


def _number(place: str, title: str, name: str, wishes: Dict[str, Any], low: int, high: int) -> None:
    widgets.number_field(
        place, tr(title), int(wishes[name]), lambda value: settings.wish(name, min(high, max(low, value)))
    )


def _check(place: str, title: str, name: str, wishes: Dict[str, Any]) -> None:
    widgets.check_box(place, tr(title), bool(wishes[name]), lambda value: settings.wish(name, value))


def _choice(place: str, title: str, name: str, choices: Any, wishes: Dict[str, Any]) -> None:
    labels = [tr(each[1]) for each in choices]
    values = [each[0] for each in choices]
    index = values.index(wishes[name]) if wishes[name] in values else 0
    widgets.choice(place, tr(title), labels, index, lambda at: settings.wish(name, values[at]))
