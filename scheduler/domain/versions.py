"""What a Version in production's tracker says of a finished job: field by field, as far as the site has the field.

Pure. Sites differ in their fields, in the types of those, and in the statuses that they allow; whatever a site does not
have is left out with a note, so that a missing field never costs the Version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.costs import Account

MOVIE_FIELD = "sg_uploaded_movie"
THUMBNAIL_FIELD = "image"

PERSONAL = frozenset({"project", "code", "description", "entity", "sg_task", "sg_status_list"})
"""Fields that are set when the Version is made and belong to people from then on."""

TEXT_MAX = 255
"""Characters of a frame range that a site keeps."""

HOUR_DIGITS, USD_DIGITS = 3, 2


@dataclass(frozen=True, slots=True)
class SiteField:
    """A field of the site's schema; `valid_values` is empty where any value may stand."""

    data_type: str
    valid_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A finished job. `frames` is its range as text; `output` its path with #### for the frame's number."""

    job: int
    key: str
    code: str
    name: str
    farm: str
    frames: str
    first: int
    last: int
    count: int
    output: str
    account: Account
    movie: str | None = None


@dataclass(frozen=True, slots=True)
class VersionLinks:
    """The entities that a Version hangs on, as the wire has links (`{"type", "id"}`)."""

    project: Mapping[str, Any]
    entity: Mapping[str, Any] | None = None
    task: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class VersionFields:
    """Fields to write, and what was left out and why."""

    values: dict[str, Any]
    notes: list[str] = field(default_factory=list[str])


def version_fields(
    facts: VersionFacts,
    links: VersionLinks,
    schema: Mapping[str, SiteField],
    *,
    status: str,
    extra: Mapping[str, str],
    mark: str,
) -> VersionFields:
    """All fields of a new Version. `extra` maps names of `extra_facts` to the studio's own fields."""
    wished: dict[str, Any] = {
        "project": links.project,
        "code": facts.code,
        "description": describe(facts, mark),
        "entity": links.entity,
        "sg_task": links.task,
        "sg_status_list": status or None,
        "sg_path_to_frames": facts.output or None,
        "sg_path_to_movie": facts.movie,
        "sg_first_frame": facts.first,
        "sg_last_frame": facts.last,
        "frame_range": frame_range(facts),
        "frame_count": facts.count,
    }
    known = extra_facts(facts)
    wished.update({name: known[fact] for fact, name in extra.items() if fact in known})
    made = VersionFields({})
    for name, value in wished.items():
        if value is not None:
            _put(made, name, value, schema.get(name))
    return made


def refreshed(fields: VersionFields) -> dict[str, Any]:
    """Those of the fields that are written again when the job has been rendered again."""
    return {name: value for name, value in fields.values.items() if name not in PERSONAL}


def extra_facts(facts: VersionFacts) -> dict[str, Any]:
    """What a studio may put into fields of its own."""
    return {
        "core_hours": round(facts.account.core_hours, HOUR_DIGITS),
        "retry_core_hours": round(facts.account.retry_core_hours, HOUR_DIGITS),
        "cost_usd": round(facts.account.usd, USD_DIGITS),
        "retry_cost_usd": round(facts.account.retry_usd, USD_DIGITS),
        "frame_count": facts.count,
        "job": f"{facts.job:05d}",
        "key": facts.key,
    }


def frame_range(facts: VersionFacts) -> str:
    """`1-100`, or the frames as they were asked for where there are gaps, if a site can hold that."""
    whole = f"{facts.first}-{facts.last}" if facts.last > facts.first else str(facts.first)
    gaps = facts.last - facts.first + 1 != facts.count
    return facts.frames if gaps and len(facts.frames) <= TEXT_MAX else whole


def describe(facts: VersionFacts, mark: str) -> str:
    """The Version's description, with the marker that it is found by."""
    spent = facts.account
    words = f"{facts.name}: {facts.count} frames, job {facts.job:05d} of {facts.farm}."
    cost = f" {spent.core_hours:.{HOUR_DIGITS}f} core-hours"
    if spent.retry_core_hours > 0:
        cost += f", {spent.retry_core_hours:.{HOUR_DIGITS}f} of them on attempts without a result"
    if spent.usd > 0:
        cost += f"; {spent.usd:.{USD_DIGITS}f} USD"
    return f"{words}{cost}.\n{mark}"


def _put(made: VersionFields, name: str, value: Any, described: SiteField | None) -> None:
    if described is None:
        made.notes.append(f"The site's Versions have no field {name}.")
    elif described.valid_values and str(value) not in described.valid_values:
        made.notes.append(f"The site does not allow {value!r} in {name}.")
    else:
        made.values[name] = _typed(value, described.data_type)


def _typed(value: Any, data_type: str) -> Any:
    """The value as a field of this type takes it; a number field refuses what is not whole."""
    if data_type == "number" and isinstance(value, float):
        return round(value)
    if data_type in ("float", "currency", "percent") and isinstance(value, int):
        return float(value)
    if data_type == "text" and not isinstance(value, str):
        return str(value)
    return value
