"""How the fake site reads deep paths, filters and orders: the query language of ShotGrid's `read`, over plain rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, Any]
Look = Callable[[str, int], Row | None]
"""The row of a kind and number; None where it is not there, or retired."""


class Wrong(Exception):
    """The request asks for what cannot be; the site answers with a Fault of this text."""


def value_at(row: Row, path: str, look: Look) -> Any:
    """What stands at `sg_status_list`, or at `entity.Shot.sg_sequence.Sequence.code`.

    A link to a retired entity reads as None. Through a list of links, the values of all of them are a list.
    """
    name, _, rest = path.partition(".")
    value = _living(row.get(name), look)
    if not rest:
        return value
    kind, _, inner = rest.partition(".")
    links = value if isinstance(value, list) else [value]
    found = [
        value_at(target, inner, look)
        for link in links
        if isinstance(link, dict) and link.get("type") == kind and (target := look(kind, link["id"])) is not None
    ]
    return found if isinstance(value, list) else (found[0] if found else None)


def holds(row: Row, condition: Row, look: Look) -> bool:
    """Whether a row passes a filter: a group of conditions, or one condition."""
    if "conditions" in condition:
        together = all if condition["logical_operator"] == "and" else any
        return together(holds(row, part, look) for part in condition["conditions"])
    wanted = condition["values"]
    if len(wanted) == 1 and isinstance(wanted[0], list):
        wanted = wanted[0]
    value = value_at(row, condition["path"], look)
    return _compare(value, condition["relation"], [_identity(item) for item in wanted])


def ordered(rows: Iterable[Row], sorts: list[Row], look: Look) -> list[Row]:
    """Rows by several fields; empty ones last, as in the site's own pages; by number without an order."""
    found = sorted(rows, key=lambda row: int(row["id"]))
    for sort in reversed(sorts):
        path, descending = sort["field_name"], sort["direction"] == "desc"
        filled = [row for row in found if value_at(row, path, look) is not None]
        empty = [row for row in found if value_at(row, path, look) is None]
        filled.sort(key=lambda row: _key(value_at(row, path, look)), reverse=descending)
        found = filled + empty
    return found


def _living(value: Any, look: Look) -> Any:
    if isinstance(value, dict) and "id" in value and "type" in value and value["type"] != "Attachment":
        return None if look(value["type"], value["id"]) is None else value
    if isinstance(value, list):
        return [item for item in value if _living(item, look) is not None]
    return value


def _identity(value: Any) -> Any:
    return (value["type"], value["id"]) if isinstance(value, dict) and "id" in value else value


def _key(value: Any) -> Any:
    return str(value.get("name", "")) if isinstance(value, dict) else value


def _compare(value: Any, relation: str, wanted: list[Any]) -> bool:
    test = RELATIONS.get(relation)
    if test is None:
        raise Wrong(f"API read() invalid relation: {relation}")
    if isinstance(value, list):
        if relation in ("is_not", "not_in", "not_contains"):
            return not any(_identity(item) in wanted for item in value)
        if wanted == [None]:
            return not value
        return any(test(_identity(item), wanted) for item in value)
    return bool(test(_identity(value), wanted))


def _text(value: Any) -> str:
    return str(value or "").lower()


RELATIONS: dict[str, Callable[[Any, list[Any]], bool]] = {
    "is": lambda value, wanted: value == wanted[0],
    "is_not": lambda value, wanted: value != wanted[0],
    "in": lambda value, wanted: value in wanted,
    "not_in": lambda value, wanted: value not in wanted,
    "greater_than": lambda value, wanted: value is not None and value > wanted[0],
    "less_than": lambda value, wanted: value is not None and value < wanted[0],
    "between": lambda value, wanted: value is not None and wanted[0] <= value <= wanted[1],
    "contains": lambda value, wanted: _text(wanted[0]) in _text(value),
    "not_contains": lambda value, wanted: _text(wanted[0]) not in _text(value),
    "starts_with": lambda value, wanted: _text(value).startswith(_text(wanted[0])),
    "ends_with": lambda value, wanted: _text(value).endswith(_text(wanted[0])),
    "type_is": lambda value, wanted: isinstance(value, tuple) and value[0] == wanted[0],
}


def paths_in(condition: Row) -> list[str]:
    """The fields that a filter looks at."""
    if "conditions" in condition:
        return [path for part in condition["conditions"] for path in paths_in(part)]
    return [condition["path"]]
