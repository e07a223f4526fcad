"""Asking ShotGrid: for what is wanted and not cached, for what has changed, for the schema. All may raise `Trouble`.

Only what jobs refer to is read, and of it only fields that the site has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from scheduler.domain.tracking import Entity, FieldRef, moment_of
from scheduler.priorities.chains import CHAIN_KINDS, NAME_FIELDS, Cache, Chain, Key, Reference, Want, link_of, resolve
from scheduler.priorities.client import Record, Site
from scheduler.priorities.mapping import PLAYLIST, VERSION, FieldMapping
from scheduler.priorities.troubles import Changed

Item = TypeVar("Item")

CHUNK = 200
"""Entities that one question names."""

ROUNDS_MAX = 6
"""A chain is at most so long: Task, Shot, Sequence, Project, and a name on the way."""

EVENT_PAGE, EVENT_PAGES_MAX = 500, 10
"""Events of one question, and questions after which reading everything anew is cheaper."""

EVENT_WINDOW = 500
"""Numbers of events that are read again: they become visible out of order, and some late."""

REVIEW_DATE, REVIEW_VERSIONS = "sg_date_and_time", "versions"
"""The fields of a Playlist that say when it is looked at, and what is in it."""

EVENT_WORDS = ("Change", "New", "Retirement", "Revival")


@dataclass(frozen=True)
class Changes:
    """What the event log told: the newest number, what changed, and its kinds; `whole`: nothing was left out."""

    newest: int
    keys: frozenset[Key]
    kinds: frozenset[str]
    whole: bool = True
    numbers: frozenset[int] = field(default_factory=frozenset[int])


class Reader:
    """Questions to one site, in the words of one mapping."""

    def __init__(self, site: Site, mapping: FieldMapping) -> None:
        self._site, self._mapping = site, mapping
        self._schema: dict[str, frozenset[str]] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of entities that matter here."""
        extra = [VERSION] if self._mapping.mapped(VERSION) or self._mapping.review else []
        return (*CHAIN_KINDS, *extra, *([PLAYLIST] if self._mapping.review else []))

    def learn_schema(self) -> None:
        """Read which fields the site has; a kind that it does not have has none."""
        self._schema = {kind: self._fields_of(kind) for kind in self.kinds}

    def missing(self) -> list[FieldRef]:
        """Mapped fields that the site does not have."""
        return [ref for ref in self._mapping.refs if ref.name not in self._schema.get(ref.kind, frozenset())]

    def newest_event(self) -> int:
        """The number of the newest event; 0 on a site without any."""
        found = self._site.find("EventLogEntry", [], ["id"], order=[{"field_name": "id", "direction": "desc"}], limit=1)
        return int(found[0]["id"]) if found else 0

    def changes(self, since: int, known: frozenset[int]) -> Changes:
        """What has happened after event `since`, without the events in `known`; `numbers` are those that were read."""
        types = [f"Shotgun_{kind}_{word}" for kind in self.kinds for word in EVENT_WORDS]
        newest, keys, kinds, numbers = since, set[Key](), set[str](), set[int]()
        for _page in range(EVENT_PAGES_MAX):
            found = self._site.find(
                "EventLogEntry",
                [["id", "greater_than", newest], ["event_type", "in", types]],
                ["event_type", "attribute_name", "entity", "meta"],
                order=[{"field_name": "id", "direction": "asc"}],
                limit=EVENT_PAGE,
            )
            for event in found:
                newest = max(newest, int(event["id"]))
                numbers.add(int(event["id"]))
                key = None if event["id"] in known else self._touched(event)
                if key is not None:
                    keys.add(key)
                    kinds.add(key[0])
            if len(found) < EVENT_PAGE:
                return Changes(newest, frozenset(keys), frozenset(kinds), True, frozenset(numbers))
        return Changes(newest, frozenset(keys), frozenset(kinds), False, frozenset(numbers))

    def complete(
        self, cache: Cache, references: Iterable[Reference], refresh: Iterable[Key], absent: set[Want]
    ) -> set[Key]:
        """Bring the cache up to date: `refresh` is read again, then whatever the references lead to.

        `absent` are wants that were asked for in vain; they are not asked again, and new ones are added. Returns the
        entities that were read.
        """
        read = self._by_number([Want(kind, number) for kind, number in refresh if kind in CHAIN_KINDS], cache)
        for _round in range(ROUNDS_MAX):
            wants = {want for reference in references for want in resolve(reference, cache).wants} - absent
            if not wants:
                break
            read |= self._by_number([want for want in wants if want.id is not None], cache)
            read |= self._by_name([want for want in wants if want.id is None], cache)
            # By number everything has an answer now, if only that it is gone. A name that is still wanted is nobody's.
            absent |= {want for reference in references for want in resolve(reference, cache).wants} & wants
        return read

    def versions(self, cache: Cache, chains: Iterable[Chain]) -> set[Key]:
        """Read the Versions that have a value in a mapped field, of what the chains are about. Returns those read."""
        fields = [name for name in self._mapping.mapped(VERSION) if name in self._schema.get(VERSION, ())]
        for key in [key for key in cache.entities if key[0] == VERSION]:
            cache.drop(key)
        if not fields:
            return set()
        filled = {"filter_operator": "any", "filters": [[name, "is_not", None] for name in fields]}
        read = set[Key]()
        for part in _chunks(_works(chains)):
            for record in self._find(VERSION, [["entity", "in", part], filled]):
                read.add(self._keep(VERSION, record, cache))
        return read

    def reviews(self, cache: Cache, chains: Sequence[Chain], since: str) -> set[Key]:
        """Read the Playlists with a date after `since` (as on the wire), and what is in them. Returns those read."""
        projects = {(e.kind, e.id) for chain in chains for e in chain.entities.values() if e.kind == "Project"}
        for key in [key for key in cache.entities if key[0] == PLAYLIST]:
            cache.drop(key)
        if REVIEW_DATE not in self._schema.get(PLAYLIST, ()) or not projects:
            return set()
        coming = [[REVIEW_DATE, "greater_than", since], ["project", "in", [_link(key) for key in sorted(projects)]]]
        playlists = self._site.find(PLAYLIST, coming, ["code", REVIEW_DATE, REVIEW_VERSIONS, "project"])
        shown = {int(v["id"]) for p in playlists for v in p.get(REVIEW_VERSIONS) or () if isinstance(v, dict)}
        links: dict[int, list[Key]] = {}
        for part in _chunks(sorted(shown)):
            for record in self._site.find(VERSION, [["id", "in", part]], ["entity", "sg_task"]):
                version = Entity(VERSION, record["id"], "", record)
                links[version.id] = [key for key in (link_of(version, "sg_task"), link_of(version, "entity")) if key]
        read = set[Key]()
        for record in playlists:
            at_s = moment_of(record.get(REVIEW_DATE), self._mapping.day_ends_at_s)
            if at_s is not None:
                inside = [v["id"] for v in record.get(REVIEW_VERSIONS) or () if isinstance(v, dict)]
                reviewed = sorted({key for number in inside for key in links.get(number, ())})
                fields = {REVIEW_DATE: record[REVIEW_DATE], "project": record.get("project"), "at_s": at_s}
                name = str(record.get("code") or "")
                cache.put(Entity(PLAYLIST, record["id"], name, {**fields, "reviewed": [list(k) for k in reviewed]}))
                read.add((PLAYLIST, record["id"]))
        return read

    # ---- Inside -----------------------------------------------------------------------------------------------------

    def _fields_of(self, kind: str) -> frozenset[str]:
        try:
            return frozenset(self._site.fields(kind))
        except Changed:
            return frozenset()

    def _find(self, kind: str, filters: list[Any]) -> list[Record]:
        fields = [name for name in self._mapping.fields(kind) if name in self._schema.get(kind, ())]
        return self._site.find(kind, filters, fields)

    def _by_number(self, wants: list[Want], cache: Cache) -> set[Key]:
        """Read by number. What is asked for and not answered is gone; what was known of it stays known."""
        numbers: dict[str, set[int]] = defaultdict(set)
        for want in wants:
            numbers[want.kind].add(want.id or 0)
        read = set[Key]()
        for kind, wanted in numbers.items():
            for part in _chunks(sorted(wanted)):
                found = self._find(kind, [["id", "in", part]]) if self._schema.get(kind) else []
                read |= {self._keep(kind, record, cache) for record in found}
                for number in set(part) - {record["id"] for record in found}:
                    old = cache.entities.get((kind, number), Entity(kind, number))
                    cache.put(Entity(kind, number, old.name, old.fields, gone=True))
                    read.add((kind, number))
        return read

    def _by_name(self, wants: list[Want], cache: Cache) -> set[Key]:
        """Read by name, all names that belong to one kind of thing with one question."""
        groups: dict[tuple[str, str], list[Want]] = defaultdict(list)
        for want in wants:
            groups[want.kind, want.beside[0] if want.beside else ""].append(want)
        read = set[Key]()
        for (kind, beside), group in groups.items():
            if not self._schema.get(kind):
                continue
            for part in _chunks(group):
                filters: list[Any] = [[NAME_FIELDS.get(kind, "code"), "in", sorted({want.name for want in part})]]
                if beside:
                    owners = sorted({want.beside for want in part if want.beside})
                    filters.append(["entity" if kind == "Task" else "project", "in", [_link(key) for key in owners]])
                read |= {self._keep(kind, record, cache) for record in self._find(kind, filters)}
        return read

    def _keep(self, kind: str, record: Mapping[str, Any], cache: Cache) -> Key:
        fields = {name: value for name, value in record.items() if name not in ("type", "id")}
        name = fields.get(NAME_FIELDS.get(kind, "code"))
        entity = Entity(kind, record["id"], name if isinstance(name, str) else "", fields, bool(fields.get("archived")))
        cache.put(entity)
        return (kind, entity.id)

    def _touched(self, event: Mapping[str, Any]) -> Key | None:
        """The entity that an event is about, if it changed something that is read here."""
        kind, _, word = str(event.get("event_type") or "").removeprefix("Shotgun_").rpartition("_")
        read = (*self._mapping.fields(kind), REVIEW_DATE, REVIEW_VERSIONS, "playlists")
        if word == "Change" and event.get("attribute_name") not in read:
            return None
        meta, link = event.get("meta"), event.get("entity")
        number = meta.get("entity_id") if isinstance(meta, Mapping) else None
        if not isinstance(number, int):
            number = link.get("id") if isinstance(link, Mapping) else None
        return (kind, number) if isinstance(number, int) else None


def _works(chains: Iterable[Chain]) -> list[dict[str, Any]]:
    """Links to the Shots, Assets and Sequences that chains are about."""
    kinds = [kind for kind in CHAIN_KINDS if kind not in ("Task", "Project")]
    keys = {(e.kind, e.id) for chain in chains for e in chain.entities.values() if e.kind in kinds}
    return [_link(key) for key in sorted(keys)]


def _link(key: Key) -> dict[str, Any]:
    return {"type": key[0], "id": key[1]}


def _chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
