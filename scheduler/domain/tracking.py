"""What production wishes for a job, decided from values that its tracker holds. Pure: no settings class, no tracker.

Values come from people and differ from site to site: a tier's name, a number, a number as text, nothing at all. What
cannot be read is passed over with a note; nothing here raises for it. Whose wish counts is `scheduler.domain.wishes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

PRIORITY_MIN, PRIORITY_MAX = 0, 100
NUMBER_LIMIT = 1e15
"""Larger numbers are no priorities but mistakes."""

SHOWN_MAX = 60
"""Characters of a foreign value that a note repeats."""

NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of the tracker; `gone`: deleted there, or a project that was archived."""

    kind: str
    id: int
    name: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    gone: bool = False


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field as the settings name it: `Task.sg_priority_1`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True, slots=True)
class Wish:
    """What production wishes for one job; None: it says nothing.

    `priority` is 0 to 100 and came from the field `source`; `deadline_s` is seconds since the epoch. `hold` is the
    status that holds the job back. `boost` are points for a status. `gone`: what the job refers to is no longer there,
    so nothing is wished; `source` then says why. `notes` are what people should know, in plain words.
    """

    priority: int | None = None
    source: str | None = None
    deadline_s: float | None = None
    deadline_source: str | None = None
    hold: str | None = None
    hold_source: str | None = None
    boost: int = 0
    boost_source: str | None = None
    gone: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is kept of a wish with its job (the `tracked_*` columns)."""

    priority: int | None = None
    source: str | None = None
    deadline_s: float | None = None
    hold: str | None = None


def tracked(wish: Wish, own_priority: int) -> Tracked:
    """A wish as it applies to a job with a priority of its own: points for a status come on top."""
    priority, source = wish.priority, wish.source
    if wish.boost:
        base = own_priority if priority is None else priority
        priority = min(PRIORITY_MAX, max(PRIORITY_MIN, base + wish.boost))
        source = f"{source} + {wish.boost_source}" if source else wish.boost_source
    return Tracked(priority, source, wish.deadline_s, wish.hold)


def first_priority(
    refs: Iterable[FieldRef], entities: Mapping[str, Entity], tiers: Mapping[str, int]
) -> tuple[int | None, str | None, list[str]]:
    """The first field that has a priority: its number, the field, and notes on what was passed over or bent."""
    notes: list[str] = []
    for ref, value in _values(refs, entities):
        number = number_of(value, tiers)
        if number is None:
            notes.append(f"{ref} is {shown(value)}, which stands for no priority: name it in shotgrid.priority.values")
            continue
        bounded = min(PRIORITY_MAX, max(PRIORITY_MIN, number))
        if bounded != number:
            notes.append(f"{ref} is {shown(value)}; a priority lies between {PRIORITY_MIN} and {PRIORITY_MAX}")
        return round(bounded), str(ref), notes
    return None, None, notes


def number_of(value: Any, tiers: Mapping[str, int]) -> float | None:
    """The number that a value stands for: a tier by its name, a number, or a number as text; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < NUMBER_LIMIT and math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text in tiers:
        return float(tiers[text])
    named = {name.strip().casefold(): number for name, number in tiers.items()}.get(text.casefold())
    if named is not None:
        return float(named)
    return float(text) if NUMBER.fullmatch(text) else None


def first_deadline(
    refs: Iterable[FieldRef], entities: Mapping[str, Entity], day_ends_at_s: float
) -> tuple[float | None, str | None, list[str]]:
    """The first field that has a date: seconds since the epoch, the field, and notes."""
    notes: list[str] = []
    for ref, value in _values(refs, entities):
        moment = moment_of(value, day_ends_at_s)
        if moment is not None:
            return moment, str(ref), notes
        notes.append(f"{ref} is {shown(value)}, which is no date")
    return None, None, notes


def moment_of(value: Any, day_ends_at_s: float) -> float | None:
    """Seconds since the epoch of a date (`2026-12-01`: its working day's end) or date-time (UTC where none is said)."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        if DAY.fullmatch(text):
            start = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return (start + timedelta(seconds=day_ends_at_s)).timestamp()
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def holding_status(
    refs: Iterable[FieldRef], entities: Mapping[str, Entity], pause: Sequence[str]
) -> tuple[str | None, str | None]:
    """The first status that holds a job back, and where it stands."""
    for ref, value in _values(refs, entities):
        if isinstance(value, str) and value in pause:
            return value, str(ref)
    return None, None


def status_points(
    refs: Iterable[FieldRef], entities: Mapping[str, Entity], points: Mapping[str, int]
) -> tuple[int, str | None]:
    """The most points that a status of the job's entities gives (or takes), and which one."""
    best, source = 0, None
    for ref, value in _values(refs, entities):
        given = points.get(value, 0) if isinstance(value, str) else 0
        if abs(given) > abs(best):
            best, source = given, f"{ref} {value}"
    return best, source


def next_review(reviews: Iterable[tuple[float, str]], now_s: float) -> tuple[float | None, str | None]:
    """The next review session that is still to come: when, and its name."""
    coming = sorted((at_s, name) for at_s, name in reviews if at_s >= now_s)
    return (coming[0][0], f"review {coming[0][1]}") if coming else (None, None)


def shown(value: Any) -> str:
    """A foreign value as a note repeats it."""
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"


def _values(refs: Iterable[FieldRef], entities: Mapping[str, Entity]) -> Iterable[tuple[FieldRef, Any]]:
    """The fields that have a value, in their order."""
    for ref in refs:
        entity = entities.get(ref.kind)
        value = None if entity is None else entity.fields.get(ref.name)
        if value is not None and value not in ("", []):
            yield ref, value
