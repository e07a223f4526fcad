"""`outfield shotgrid check`: the settings' mapping held against what the site really has, field by field.

`examine` asks the site; the verdicts themselves are pure functions of a field's description.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from scheduler.domain.tracking import FieldRef, number_of
from scheduler.priorities.client import Record, Site
from scheduler.priorities.mapping import PLAYLIST, VERSION, FieldMapping
from scheduler.priorities.reading import REVIEW_DATE
from scheduler.priorities.troubles import Changed
from scheduler.settings import ShotGridSettings

PRIORITY_TYPES = frozenset({"list", "status_list", "number", "float", "text", "entity"})
DATE_TYPES = frozenset({"date", "date_time"})
SHOWN_VALUES_MAX = 12


class Level(StrEnum):
    """How well a field serves."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class FieldVerdict:
    """One mapped field: what it is for, whether it serves, what was found, what to do next."""

    field: str
    use: str
    level: Level
    found: str
    hint: str = ""


def examine(site: Site, settings: ShotGridSettings, given: Collection[str] = ()) -> list[FieldVerdict]:
    """Every mapped field. `given` are the settings' keys that the studio has written itself: what stands in them must
    exist; of the defaults, which name the fields of many studios, it is enough that one does.

    Raises:
        Trouble: the site cannot be asked.
    """
    mapping = FieldMapping.of(settings)
    kinds = _Kinds(site)
    groups = (
        ("priority", mapping.priority, "shotgrid.priority.fields" in given),
        ("status", mapping.status, "shotgrid.status.fields" in given),
        ("deadline", mapping.deadline, "shotgrid.deadline.fields" in given),
    )
    found: list[FieldVerdict] = []
    for use, refs, strict in groups:
        described = [(ref, kinds.field(ref)) for ref in refs]
        enough = any(field is not None for _, field in described) and not strict
        for ref, field in described:
            missing = Level.WARN if enough else Level.FAIL
            found.append(_absent(ref, use, kinds, missing) if field is None else _verdict(ref, use, field, mapping))
    found += _unknown_statuses(mapping, [kinds.field(ref) for ref in mapping.status])
    found += [
        FieldVerdict(name, "mapping", Level.FAIL, "is no field", "Write it as Entity.field, e.g. Task.sg_priority_1.")
        for name in mapping.unreadable
    ]
    if mapping.review:
        found.append(_needed(FieldRef(PLAYLIST, REVIEW_DATE), "review sessions", kinds))
    return [*found, *_written(settings, kinds)]


class _Kinds:
    """The site's fields, each kind asked for once; a mapped field is asked for by itself."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._fields: dict[str, Record] = {}
        self._known: dict[FieldRef, Record | None] = {}

    def field(self, ref: FieldRef) -> Record | None:
        """A field's description; None where the site has no such field."""
        if ref not in self._known:
            self._known[ref] = self._site.field(ref.kind, ref.name)
        return self._known[ref]

    def names(self, kind: str) -> list[str]:
        """The names of a kind's fields; none where there is no such kind."""
        if kind not in self._fields:
            try:
                self._fields[kind] = self._site.fields(kind)
            except Changed:
                self._fields[kind] = {}
        return list(self._fields[kind])


def _verdict(ref: FieldRef, use: str, field: Mapping[str, Any], mapping: FieldMapping) -> FieldVerdict:
    """A field that is there: is it of a type that serves, and are its values known?"""
    data_type, values = data_type_of(field), valid_values(field)
    if use == "deadline" and data_type not in DATE_TYPES:
        return FieldVerdict(str(ref), use, Level.FAIL, f"is of type {data_type}", "Name a date or date_time field.")
    if use == "priority" and data_type not in PRIORITY_TYPES:
        return FieldVerdict(str(ref), use, Level.FAIL, f"is of type {data_type}", "Name a list, number or text field.")
    if use == "priority":
        unknown = [value for value in values if number_of(value, mapping.tiers) is None]
        if unknown:
            hint = "Give them numbers in shotgrid.priority.values; until then they are passed over."
            return FieldVerdict(str(ref), use, Level.WARN, f"{data_type}; not mapped: {_listed(unknown)}", hint)
    return FieldVerdict(str(ref), use, Level.OK, f"{data_type}: {_listed(values)}" if values else data_type)


def _absent(ref: FieldRef, use: str, kinds: _Kinds, level: Level) -> FieldVerdict:
    """A field that is not there, with the nearest one that is."""
    names = kinds.names(ref.kind)
    if not names:
        return FieldVerdict(str(ref), use, level, f"the site has no kind {ref.kind}", "Take it out of the mapping.")
    near = nearest(ref.name, names)
    hint = f"The nearest field is {ref.kind}.{near}." if near else "Take it out of the mapping."
    return FieldVerdict(str(ref), use, level, "is not there", hint)


def _needed(ref: FieldRef, use: str, kinds: _Kinds) -> FieldVerdict:
    field = kinds.field(ref)
    if field is None:
        return _absent(ref, use, kinds, Level.FAIL)
    return FieldVerdict(str(ref), use, Level.OK, data_type_of(field))


def _unknown_statuses(mapping: FieldMapping, fields: Iterable[Mapping[str, Any] | None]) -> list[FieldVerdict]:
    """Statuses of the settings that no status field of the site can have."""
    values = [value for field in fields if field is not None for value in valid_values(field)]
    if not values:
        return []
    found: list[FieldVerdict] = []
    for key, statuses in (("shotgrid.status.pause", mapping.pause), ("shotgrid.status.boost", tuple(mapping.boost))):
        for status in statuses:
            if status not in values:
                near = nearest(status, values)
                hint = f"The nearest status is {near}." if near else f"There are {_listed(values)}."
                found.append(FieldVerdict(f"{key} {status}", "status", Level.WARN, "no job can have it", hint))
    return found


def _written(settings: ShotGridSettings, kinds: _Kinds) -> list[FieldVerdict]:
    """The fields of Versions that the farm fills."""
    if not settings.write.versions:
        return []
    status = FieldRef(VERSION, "sg_status_list")
    found = [_needed(FieldRef(VERSION, name), "write back", kinds) for name in settings.write.extra.values()]
    field = kinds.field(status)
    values = valid_values(field) if field is not None else []
    wanted = settings.write.version_status
    if values and wanted not in values:
        hint = f"Set shotgrid.write.version_status to one of {_listed(values)}."
        found.append(FieldVerdict(str(status), "write back", Level.FAIL, f"cannot be {wanted!r}", hint))
    elif field is not None:
        found.append(FieldVerdict(str(status), "write back", Level.OK, f"set to {wanted!r}"))
    return found


def data_type_of(field: Mapping[str, Any]) -> str:
    """The data type in a field's description."""
    said = field.get("data_type")
    return str(said.get("value")) if isinstance(said, Mapping) else "unknown"


def valid_values(field: Mapping[str, Any]) -> list[str]:
    """The values that a list field allows; none for other fields."""
    properties = field.get("properties")
    said = properties.get("valid_values") if isinstance(properties, Mapping) else None
    values = said.get("value") if isinstance(said, Mapping) else None
    return [str(value) for value in cast("list[Any]", values)] if isinstance(values, list) else []


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar of some names, if one is similar at all."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return near[0] if near else None


def _listed(values: Collection[str]) -> str:
    shown = list(values)[:SHOWN_VALUES_MAX]
    return ", ".join(shown) + (f" and {len(values) - len(shown)} more" if len(values) > len(shown) else "")
