"""What the fake ShotGrid site holds and does: entities, their schema, the log of events, and the calls of the API.

A call takes the parameters of the wire and answers what stands under `results`, or raises `Wrong`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fake_shotgrid_checks import check_path, check_value, known_kind
from fake_shotgrid_filters import Row, Wrong, holds, ordered, paths_in, value_at
from fake_shotgrid_schema import NAME_FIELDS, new_schema


@dataclass(frozen=True)
class Upload:
    """A file that was sent to the site."""

    id: int
    kind: str
    entity: int
    field: str
    name: str
    data: bytes


class Site:
    """See the module's docstring. Thread-safe: every public method takes the lock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self.lock = threading.RLock()
        self.schema = new_schema()
        self.entities: dict[tuple[str, int], Row] = {}
        self.uploads: dict[int, Upload] = {}
        self.clock_skew_s = 0.0
        self.events_off = False
        self.calls: dict[str, Callable[..., Any]] = {
            "read": self.read,
            "create": self.create,
            "update": self.update,
            "delete": self.delete,
            "revive": self.revive,
            "batch": self.batch,
            "summarize": self.summarize,
            "schema_read": self.schema_read,
            "schema_field_read": self.schema_field_read,
            "schema_entity_read": self.schema_entity_read,
            "get_session_token": lambda _params=None: {"session_id": "a-session"},
        }

    def set_clock(self, now: Callable[[], datetime]) -> None:
        """Let the site tell another time."""
        self._now = now

    # ---- Reading ----------------------------------------------------------------------------------------------------

    def living(self, kind: str, number: int) -> Row | None:
        """An entity that is not retired."""
        row = self.entities.get((kind, number))
        return None if row is None or row["__retired"] else row

    def read(self, params: Row) -> Row:
        """`find` and `find_one`."""
        kind, look = known_kind(self.schema, params["type"], "read"), self.living
        for path in (*params["return_fields"], *paths_in(params["filters"])):
            check_path(self.schema, kind, path, "read", params)
        retired = params.get("return_only", "active") == "retired"
        rows = [
            row
            for (of, _number), row in self.entities.items()
            if of == kind and row["__retired"] == retired and holds(row, params["filters"], look)
        ]
        if params.get("include_archived_projects") is False:
            rows = [row for row in rows if not self._archived(row)]
        rows = ordered(rows, params.get("sorts", []), look)
        size, page = params["paging"]["entities_per_page"], params["paging"]["current_page"]
        shown = rows[(page - 1) * size : page * size]
        paging: Row = {"current_page": page, "entities_per_page": size}
        if params.get("return_paging_info_without_counts") or params.get("return_paging_info"):
            paging |= {"has_next_page": page * size < len(rows), "entity_count": len(rows)}
            paging["page_count"] = max(1, -(-len(rows) // size))
        return {"entities": [self._shown(row, params["return_fields"]) for row in shown], "paging_info": paging}

    def summarize(self, params: Row) -> Row:
        """Counts and sums."""
        kind = known_kind(self.schema, params["type"], "summarize")
        rows = [
            row
            for (of, _number), row in self.entities.items()
            if of == kind and not row["__retired"] and holds(row, params["filters"], self.living)
        ]
        found = {
            item["field"]: len(rows) if item["type"] == "count" else sum(row.get(item["field"]) or 0 for row in rows)
            for item in params["summaries"]
        }
        return {"summaries": found, "groups": []}

    def schema_read(self, _params: Row | None = None) -> Row:
        """Every kind with every field."""
        return self.schema

    def schema_entity_read(self, _params: Row | None = None) -> Row:
        """Every kind."""
        said = {"visible": {"value": True, "editable": False}}
        return {kind: {"name": {"value": kind, "editable": False}, **said} for kind in self.schema}

    def schema_field_read(self, params: Row) -> Row:
        """The fields of a kind, or one of them."""
        fields = self.schema[known_kind(self.schema, params["type"], "schema_field_read")]
        wanted = params.get("field_name")
        if wanted is None:
            return fields
        if wanted not in fields:
            raise Wrong(f"API schema_field_read() {params['type']}.{wanted} doesn't exist:\n{params}")
        return {wanted: fields[wanted]}

    # ---- Writing ----------------------------------------------------------------------------------------------------

    def create(self, params: Row) -> Row:
        """A new entity."""
        kind = known_kind(self.schema, params["type"], "create")
        data = {item["field_name"]: item["value"] for item in params["fields"]}
        for name, value in data.items():
            check_value(self.schema, kind, name, value, "create")
        missing = [n for n, f in self.schema[kind].items() if f["mandatory"]["value"] and data.get(n) is None]
        if missing:
            raise Wrong(f"API create() {kind}.{missing[0]} is required:\n{params}")
        number, now = next(self._numbers), self.now_text()
        row: Row = dict.fromkeys(self.schema[kind])
        row |= {"type": kind, "id": number, "created_at": now, "updated_at": now, "__retired": False}
        if "sg_status_list" in row:
            row["sg_status_list"] = self.schema[kind]["sg_status_list"]["properties"]["valid_values"]["value"][0]
        self.entities[kind, number] = row
        row |= {name: self._stored(value) for name, value in data.items()}
        self._event("New", row, meta={"type": "new_entity", "entity_type": kind, "entity_id": number})
        return self._shown(row, [*data, *params.get("return_fields", [])])

    def update(self, params: Row) -> Row:
        """New values for fields of an entity."""
        kind, number = known_kind(self.schema, params["type"], "update"), params["id"]
        row = self._found(kind, number, "update")
        for item in params["fields"]:
            check_value(self.schema, kind, item["field_name"], item["value"], "update")
        for item in params["fields"]:
            self._set(row, item["field_name"], item["value"], item.get("multi_entity_update_mode", "set"))
        return self._shown(row, [item["field_name"] for item in params["fields"]])

    def delete(self, params: Row) -> bool:
        """Retire an entity; False if it is retired already."""
        return self._retire(params, retired=True)

    def revive(self, params: Row) -> bool:
        """Bring a retired entity back; False if it is not retired."""
        return self._retire(params, retired=False)

    def batch(self, requests: list[Row]) -> list[Any]:
        """All of it or nothing, as on the real site."""
        before = {key: dict(row) for key, row in self.entities.items()}
        try:
            return [{"create": self.create, "update": self.update, "delete": self.delete}[r["request_type"]](r)
                    for r in requests]  # fmt: skip
        except Wrong:
            self.entities = before
            raise

    def receive(self, form: dict[str, str], field: str, name: str, data: bytes) -> int:
        """A file from the upload forms becomes an Attachment in a field of an entity; returns its number."""
        number, kind, entity = next(self._numbers), form["entity_type"], int(form["entity_id"])
        row = self._found(kind, entity, "upload")
        self.uploads[number] = Upload(number, kind, entity, field, name, data)
        shown = f"/thumbnail/{number}" if field == "image" else None
        link = {"type": "Attachment", "id": number, "name": form.get("display_name", name), "link_type": "upload",
                "url": f"/file_serve/attachment/{number}", "content_type": None}  # fmt: skip
        self._set(row, field, shown or link, "set")
        return number

    # ---- Inside -----------------------------------------------------------------------------------------------------

    def now_text(self) -> str:
        """The site's own time as the wire has it."""
        return (self._now().astimezone(UTC) + timedelta(seconds=self.clock_skew_s)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def link(self, kind: str, number: int) -> Row:
        """An entity as others link to it."""
        name = self.entities[kind, number].get(NAME_FIELDS.get(kind, "code")) or ""
        return {"type": kind, "id": number, "name": name}

    def _found(self, kind: str, number: int, call: str) -> Row:
        row = self.living(kind, number)
        if row is None:
            raise Wrong(f"API {call}() CRUD ERROR #8: Entity of type {kind} with id={number} does not exist")
        return row

    def _archived(self, row: Row) -> bool:
        project = row if row["type"] == "Project" else None
        if project is None and isinstance(row.get("project"), dict):
            project = self.living("Project", row["project"]["id"])
        return bool(project and project.get("archived"))

    def _shown(self, row: Row, fields: list[str]) -> Row:
        found = {path: value_at(row, path, self.living) for path in fields if path != "type"}
        return {**found, "type": row["type"], "id": row["id"]}

    def _stored(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._stored(item) for item in value]
        if isinstance(value, dict) and (value.get("type"), value.get("id")) in self.entities:
            return self.link(value["type"], value["id"])
        return value

    def _set(self, row: Row, name: str, value: Any, mode: str) -> None:
        old, new = row.get(name), self._stored(value)
        if mode == "add":
            new = [*(old or []), *(item for item in new if item not in (old or []))]
        elif mode == "remove":
            new = [item for item in old or [] if item not in new]
        row[name], row["updated_at"] = new, self.now_text()
        meta = {
            "type": "attribute_change",
            "attribute_name": name,
            "entity_type": row["type"],
            "entity_id": row["id"],
            "field_data_type": self.schema[row["type"]][name]["data_type"]["value"],
            "old_value": old,
            "new_value": new,
        }
        self._event("Change", row, attribute=name, meta=meta)

    def _retire(self, params: Row, *, retired: bool) -> bool:
        kind, number = known_kind(self.schema, params["type"], "delete"), params["id"]
        row = self.entities.get((kind, number))
        if row is None:
            raise Wrong(f"API delete() CRUD ERROR #8: Entity of type {kind} with id={number} does not exist")
        if row["__retired"] == retired:
            return False
        row["__retired"] = retired
        word, what = ("Retirement", "entity_retirement") if retired else ("Revival", "entity_revival")
        self._event(word, row, meta={"type": what, "entity_type": kind, "entity_id": number})
        return True

    def _event(self, word: str, row: Row, *, meta: Row, attribute: str | None = None) -> None:
        if self.events_off or row["type"] == "EventLogEntry":
            return
        number = next(self._numbers)
        event: Row = dict.fromkeys(self.schema["EventLogEntry"])
        project = row if row["type"] == "Project" else row.get("project")
        event |= {
            "type": "EventLogEntry",
            "id": number,
            "__retired": False,
            "created_at": self.now_text(),
            "event_type": f"Shotgun_{row['type']}_{word}",
            "attribute_name": attribute,
            "entity": self.link(row["type"], row["id"]),
            "project": self.link("Project", project["id"]) if project else None,
            "meta": meta,
        }
        self.entities["EventLogEntry", number] = event
