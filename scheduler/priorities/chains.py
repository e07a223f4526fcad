"""From what a job refers to, to the tracker's entities: Task → Shot → Sequence → Project, and the newest Version. Pure.

`resolve` looks into what is cached. What is missing there it names as wants, which the reader goes and asks for; so the
same rules serve a sync, a submission that may not wait for the network, and tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.tracking import Entity

Key = tuple[str, int]

NAME_FIELDS: Mapping[str, str] = {"Task": "content", "Project": "name"}
"""The field that holds an entity's name; `code` for every other kind."""

LINKS: Mapping[str, tuple[str, ...]] = {
    "Task": ("entity", "project"),
    "Shot": ("sg_sequence", "project"),
    "Sequence": ("project",),
    "Asset": ("project",),
    "Project": ("archived",),
    "Version": ("entity", "sg_task", "project"),
}
"""Fields that are always read, where the site has them: they lead from one entity to the next."""

CHAIN_KINDS = ("Task", "Shot", "Asset", "Sequence", "Project")
"""Kinds that speak for a job; a link to anything else is not followed."""

NUMBER_MAX = 2**53
"""Numbers of entities lie below it; a larger one cannot be asked for."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a job says about itself (`tracking` of its submission)."""

    task_id: int | None = None
    project: str | None = None
    sequence: str | None = None
    shot: str | None = None
    task: str | None = None
    version: str | None = None

    @classmethod
    def of(cls, tracking: Mapping[str, Any]) -> Reference | None:
        """The reference of a job; None where it names nothing that can be looked up."""
        number = tracking.get("task_id")
        task_id = number if isinstance(number, int) and 0 < number < NUMBER_MAX else None
        names = [tracking.get(name) or None for name in ("project", "sequence", "shot", "task", "version")]
        if task_id is None and names[0] is None:
            return None
        return cls(task_id, *names)


@dataclass(frozen=True, slots=True)
class Want:
    """An entity that is not cached: by number, or by name beside the entity that it belongs to (none: a Project)."""

    kind: str
    id: int | None = None
    name: str = ""
    beside: Key | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """The entities that speak for a job, by kind; `lost` says why none does. `reviews` are (when, name).

    `seen` are all entities that were looked at on the way, those that are gone included.
    """

    entities: Mapping[str, Entity] = field(default_factory=dict[str, Entity])
    lost: str | None = None
    reviews: tuple[tuple[float, str], ...] = ()
    notes: tuple[str, ...] = ()
    wants: tuple[Want, ...] = ()
    seen: frozenset[Key] = frozenset()


class Cache:
    """Entities by number, and by name beside the entity that they belong to."""

    def __init__(self, entities: Iterable[Entity] = ()) -> None:
        self.entities: dict[Key, Entity] = {}
        self._names: dict[tuple[str, str, Key | None], set[int]] = {}
        self._versions: dict[Key, set[int]] = {}
        self._reviews: dict[int, tuple[float, str, frozenset[Key]]] = {}
        for entity in entities:
            self.put(entity)

    def copy(self) -> Cache:
        """Another one with the same entities."""
        return Cache(self.entities.values())

    def put(self, entity: Entity) -> None:
        """Remember an entity, in place of what was known of it."""
        self.drop((entity.kind, entity.id))
        self.entities[entity.kind, entity.id] = entity
        self._names.setdefault(_place(entity), set()).add(entity.id)
        if entity.gone:
            return
        if entity.kind == "Version":
            for link in _version_links(entity):
                self._versions.setdefault(link, set()).add(entity.id)
        elif entity.kind == "Playlist":
            reviewed = frozenset((str(kind), int(number)) for kind, number in entity.fields.get("reviewed", ()))
            self._reviews[entity.id] = (float(entity.fields["at_s"]), entity.name, reviewed)

    def drop(self, key: Key) -> None:
        """Forget an entity."""
        old = self.entities.pop(key, None)
        if old is None:
            return
        self._names[_place(old)].discard(old.id)
        if old.kind == "Version":
            for link in _version_links(old):
                self._versions.get(link, set()).discard(old.id)
        elif old.kind == "Playlist":
            self._reviews.pop(old.id, None)

    def named(self, kind: str, name: str, beside: Key | None) -> Entity | None:
        """The entity of that name which belongs to `beside`: a living one before a deleted one, the newest first."""
        numbers = self._names.get((kind, _plain(name), beside), ())
        return min((self.entities[kind, number] for number in numbers), key=lambda e: (e.gone, -e.id), default=None)

    def newest_version(self, keys: Iterable[Key]) -> Entity | None:
        """The newest Version of the first of these that has one."""
        numbers = next((found for key in keys if (found := self._versions.get(key))), None)
        return self.entities["Version", max(numbers)] if numbers else None

    def reviews(self, keys: Iterable[Key]) -> tuple[tuple[float, str], ...]:
        """When these are reviewed, and in which playlist."""
        wanted = frozenset(keys)
        return tuple((at_s, name) for at_s, name, reviewed in self._reviews.values() if reviewed & wanted)


def resolve(reference: Reference, cache: Cache) -> Chain:
    """The chain of a job, as far as it is cached, with what is still to be asked for."""
    found = _Found(cache)
    work = _work(reference, found)
    if found.lost is None:
        _follow(work, found)
    notes, wants, seen = tuple(found.notes), tuple(found.wants), frozenset(found.seen)
    if found.lost is not None:
        return Chain({}, found.lost, (), notes, wants, seen)
    keys = [(entity.kind, entity.id) for entity in (work, found.linked) if entity is not None]
    version = found.version(reference.version) or cache.newest_version(keys)
    if version is not None:
        found.entities["Version"] = version
    return Chain(found.entities, None, cache.reviews(keys), notes, wants, seen)


def link_of(entity: Entity, name: str) -> Key | None:
    """The entity that a field links to; None where it does not, or holds something else."""
    link = entity.fields.get(name)
    if not isinstance(link, Mapping):
        return None
    kind, number = link.get("type"), link.get("id")
    return (kind, number) if isinstance(kind, str) and isinstance(number, int) else None


def _place(entity: Entity) -> tuple[str, str, Key | None]:
    """Where an entity is found by its name: a Task beside its Shot, everything else in its project."""
    beside = None if entity.kind == "Project" else link_of(entity, "entity" if entity.kind == "Task" else "project")
    return entity.kind, _plain(entity.name), beside


def _plain(name: str) -> str:
    return name.strip().casefold()


def _version_links(version: Entity) -> list[Key]:
    links = (link_of(version, "sg_task"), link_of(version, "entity"))
    return [link for link in links if link is not None]


class _Found:
    """What one resolution has come upon."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.entities: dict[str, Entity] = {}
        self.linked: Entity | None = None
        self.lost: str | None = None
        self.notes: list[str] = []
        self.wants: list[Want] = []
        self.seen: set[Key] = set()

    def by_number(self, kind: str, number: int) -> Entity | None:
        self.seen.add((kind, number))
        entity = self.cache.entities.get((kind, number))
        if entity is None:
            self.wants.append(Want(kind, number))
        return entity

    def by_name(self, kind: str, name: str, beside: Entity | None = None) -> Entity | None:
        """By name, beside a Shot for a Task, in a project for all else."""
        key = None if beside is None else (beside.kind, beside.id)
        found = self.cache.named(kind, name, key)
        if found is None or found.gone:
            self.wants.append(Want(kind, None, name.strip(), key))
        if found is None:
            where = f" in {beside.kind} {beside.name}" if beside else ""
            self.notes.append(f"no {kind} {name!r}{where} is known from ShotGrid")
        else:
            self.seen.add((kind, found.id))
        return found

    def version(self, name: str | None) -> Entity | None:
        """The Version that the job names, where it is cached and not gone."""
        project = self.entities.get("Project")
        if not name or project is None:
            return None
        found = self.cache.named("Version", name, (project.kind, project.id))
        return None if found is None or found.gone else found

    def take(self, entity: Entity | None) -> Entity | None:
        """An entity that speaks for the job; one that is gone speaks for nothing, and the job is told so."""
        if entity is None:
            return None
        if entity.gone:
            name = f" ({entity.name})" if entity.name else ""
            fate = "was archived" if entity.fields.get("archived") else "is not there any more"
            self.lost = f"{entity.kind} {entity.id}{name} {fate} in ShotGrid"
            return None
        self.entities[entity.kind] = entity
        return entity


def _work(reference: Reference, found: _Found) -> Entity | None:
    """The most particular entity that the job names: a Task, else a Shot, a Sequence, a Project."""
    if reference.task_id is not None:
        return found.take(found.by_number("Task", reference.task_id))
    project = found.take(found.by_name("Project", reference.project or ""))
    if project is None:
        return None
    work = project
    for kind, name in (("Sequence", reference.sequence), ("Shot", reference.shot)):
        if name:
            work = found.take(found.by_name(kind, name, project)) or work
    if reference.task and work.kind != "Project":
        work = found.take(found.by_name("Task", reference.task, work)) or work
    return work


def _follow(work: Entity | None, found: _Found) -> None:
    """Along the links: what a Task belongs to, its Sequence, its Project. A link that is gone is passed over."""
    if work is None:
        return
    here: Entity | None = work
    if work.kind == "Task":
        here = found.linked = _linked(work, "entity", found) or None
    sequence = _linked(here, "sg_sequence", found) if here is not None else None
    for entity in (sequence, here, work):
        if entity is not None and "Project" not in found.entities and found.lost is None:
            key = link_of(entity, "project")
            found.take(found.by_number(*key) if key is not None and key[0] == "Project" else None)


def _linked(entity: Entity, name: str, found: _Found) -> Entity | None:
    key = link_of(entity, name)
    target = found.by_number(*key) if key is not None and key[0] in CHAIN_KINDS else None
    if target is None:
        return None
    if target.gone:
        found.notes.append(f"{target.kind} {target.id} is not there any more in ShotGrid")
        return None
    found.entities.setdefault(target.kind, target)
    return target
