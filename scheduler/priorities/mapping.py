"""The studio's mapping: which fields mean what, and what a job's entities therefore wish. Pure.

What values mean is `scheduler.domain.tracking`; here the settings say which fields are looked at, and in which order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scheduler.domain.tracking import (
    FieldRef,
    Wish,
    first_deadline,
    first_priority,
    holding_status,
    next_review,
    status_points,
)
from scheduler.priorities.chains import LINKS, NAME_FIELDS, Chain
from scheduler.settings import ShotGridSettings

VERSION, PLAYLIST = "Version", "Playlist"


@dataclass(frozen=True)
class FieldMapping:
    """The settings in the form in which they are used; made once."""

    priority: tuple[FieldRef, ...]
    tiers: Mapping[str, int]
    status: tuple[FieldRef, ...]
    pause: tuple[str, ...]
    boost: Mapping[str, int]
    deadline: tuple[FieldRef, ...]
    day_ends_at_s: float
    review: bool
    unreadable: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, settings: ShotGridSettings) -> FieldMapping:
        """Read the settings; field names that are not `Entity.field` are kept in `unreadable`."""
        unreadable: list[str] = []

        def refs(names: Iterable[str]) -> tuple[FieldRef, ...]:
            split = [(name, *name.partition(".")) for name in names]
            unreadable.extend(name for name, kind, _, rest in split if not kind or not rest or "." in rest)
            return tuple(FieldRef(kind, rest) for _, kind, _, rest in split if kind and rest and "." not in rest)

        hours, minutes = settings.deadline.day_ends_at.split(":")
        return cls(
            priority=refs(settings.priority.fields),
            tiers=settings.priority.values,
            status=refs(settings.status.fields),
            pause=settings.status.pause,
            boost=settings.status.boost,
            deadline=refs(settings.deadline.fields),
            day_ends_at_s=int(hours) * 3600.0 + int(minutes) * 60.0,
            review=settings.deadline.review,
            unreadable=tuple(unreadable),
        )

    @property
    def refs(self) -> tuple[FieldRef, ...]:
        """Every field that is looked at, once each."""
        return tuple(dict.fromkeys((*self.priority, *self.status, *self.deadline)))

    def fields(self, kind: str) -> tuple[str, ...]:
        """What is read of an entity of this kind: its name, its links, the mapped fields."""
        mapped = [ref.name for ref in self.refs if ref.kind == kind]
        return tuple(dict.fromkeys((NAME_FIELDS.get(kind, "code"), *LINKS.get(kind, ("project",)), *mapped)))

    def mapped(self, kind: str) -> tuple[str, ...]:
        """The mapped fields of a kind alone."""
        return tuple(ref.name for ref in self.refs if ref.kind == kind)


def wish_of(mapping: FieldMapping, chain: Chain, now_s: float) -> Wish:
    """What the entities of a chain wish. `now_s` matters for review sessions alone: one that is over is no deadline."""
    if chain.lost is not None:
        return Wish(source=chain.lost, gone=True, notes=(chain.lost, *chain.notes))
    entities = chain.entities
    priority, source, notes = first_priority(mapping.priority, entities, mapping.tiers)
    deadline_s, deadline_source, more = first_deadline(mapping.deadline, entities, mapping.day_ends_at_s)
    if mapping.review:
        review_s, review = next_review(chain.reviews, now_s)
        if review_s is not None and (deadline_s is None or review_s < deadline_s):
            deadline_s, deadline_source = review_s, review
    hold, hold_source = holding_status(mapping.status, entities, mapping.pause)
    boost, boost_source = status_points(mapping.status, entities, mapping.boost)
    return Wish(
        priority=priority,
        source=source,
        deadline_s=deadline_s,
        deadline_source=deadline_source,
        hold=hold,
        hold_source=hold_source,
        boost=boost,
        boost_source=boost_source,
        notes=(*chain.notes, *notes, *more),
    )


def explain(wish: Wish) -> list[str]:
    """A wish in sentences, for `why`."""
    said: list[str] = []
    if wish.priority is not None:
        said.append(f"priority {wish.priority} by {wish.source}")
    if wish.boost:
        said.append(f"{wish.boost:+d} points for {wish.boost_source}")
    if wish.deadline_source is not None:
        said.append(f"due by {wish.deadline_source}")
    if wish.hold is not None:
        said.append(f"held back by {wish.hold_source} {wish.hold}")
    return [*said, *wish.notes]
