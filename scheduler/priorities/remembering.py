"""The tracker's entities in the store: rows to cache and back, and the mark in the event log up to which all is known.

Writes come in portions, so that the store's one writer is never held for long.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlmodel import col, delete, select

from scheduler.domain.tracking import Entity
from scheduler.priorities.chains import Cache, Key, link_of
from scheduler.store.production import TrackedEntity
from scheduler.store.store import Store
from scheduler.store.tables import Meta
from scheduler.store.transaction import Query, Transaction

MARK = "shotgrid"
"""Key of the mark in the table `meta`."""

PORTION = 250
"""Rows of one transaction."""

KEEP_S = 14 * 86_400.0
"""How long an entity is kept that no job refers to any more."""

PUT = Query(
    """
    INSERT INTO tracked_entity (kind, id, name, project_id, data, gone, fetched_at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name, project_id = excluded.project_id, data = excluded.data,
    gone = excluded.gone, fetched_at = excluded.fetched_at
    """
)
DROP = Query("DELETE FROM tracked_entity WHERE kind = ? AND id = ?")


@dataclass(frozen=True)
class Mark:
    """Up to where the site is known: the newest event, and when it was last heard and last read as a whole (UTC)."""

    site: str = ""
    event: int | None = None
    synced_at: float | None = None
    swept_at: float | None = None


def load_mark(store: Store) -> Mark:
    """The mark; an empty one where there is none, or none that can be read."""
    with store.read() as session:
        row = session.get(Meta, MARK)
        text = row.value if row is not None else "{}"
    try:
        found = json.loads(text)
        return Mark(**{f.name: found.get(f.name, f.default) for f in fields(Mark)})
    except (ValueError, AttributeError):
        return Mark()


def load_cache(store: Store) -> Cache:
    """Everything that is remembered."""
    with store.read() as session:
        return Cache(entity_of(row) for row in session.exec(select(TrackedEntity)).all())


def entity_of(row: TrackedEntity) -> Entity:
    """A row as the domain has it."""
    return Entity(row.kind, row.id, row.name, row.data, row.gone)


def save(store: Store, cache: Cache, read: Sequence[Key], dropped: Sequence[Key], mark: Mark) -> None:
    """Write down what was read, then the mark: a crash in between costs nothing but reading it again."""
    now_s = mark.synced_at or 0.0
    rows = [_row(cache.entities[key], now_s) for key in read if key in cache.entities]
    for start in range(0, len(rows), PORTION):
        part = rows[start : start + PORTION]
        store.write(lambda tx, part=part: tx.run_many(PUT, part))
    for start in range(0, len(dropped), PORTION):
        part_gone = dropped[start : start + PORTION]
        store.write(lambda tx, part_gone=part_gone: tx.run_many(DROP, part_gone))
    store.write(lambda tx: _write_mark(tx, mark))


def forget_unused(store: Store, used: frozenset[Key], before_s: float) -> list[Key]:
    """Entities that no job refers to and that were last read before `before_s`; nothing is deleted yet."""
    with store.read() as session:
        query = select(TrackedEntity.kind, TrackedEntity.id).where(col(TrackedEntity.fetched_at) < before_s)
        return [(kind, number) for kind, number in session.exec(query).all() if (kind, number) not in used]


def forget_site(store: Store) -> None:
    """Another site has other entities: nothing of the former one holds."""

    def change(tx: Transaction) -> None:
        tx.session.exec(delete(TrackedEntity))
        _write_mark(tx, Mark())

    store.write(change)


def _write_mark(tx: Transaction, mark: Mark) -> None:
    text = json.dumps(asdict(mark))
    row = tx.session.get(Meta, MARK)
    if row is None:
        tx.session.add(Meta(key=MARK, value=text))
    else:
        row.value = text


def _row(entity: Entity, now_s: float) -> tuple[Any, ...]:
    project = (entity.kind, entity.id) if entity.kind == "Project" else link_of(entity, "project")
    data: Mapping[str, Any] = entity.fields
    number = project[1] if project is not None and project[0] == "Project" else None
    return (entity.kind, entity.id, entity.name, number, json.dumps(dict(data)), entity.gone, now_s)
