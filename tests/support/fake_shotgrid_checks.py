"""What the fake ShotGrid site refuses: what its schema does not have, and values that a field does not take."""

from __future__ import annotations

from typing import Any

from fake_shotgrid_filters import Row, Wrong

Schema = dict[str, dict[str, dict[str, Any]]]

TYPES: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "float": (int, float),
    "checkbox": (bool,),
    "text": (str,),
    "list": (str,),
    "status_list": (str,),
    "date": (str,),
    "date_time": (str,),
    "entity": (dict,),
    "multi_entity": (list,),
}
"""What a field of a data type takes, beside null."""


def known_kind(schema: Schema, kind: Any, call: str) -> str:
    """The kind itself, if the schema has it."""
    if kind not in schema:
        raise Wrong(f"API {call}() invalid/missing string entity 'type': {kind}")
    return kind


def check_path(schema: Schema, kind: str, path: str, call: str, params: Row) -> None:
    """Raise for a field that the schema does not have, at any depth."""
    name, _, rest = path.partition(".")
    if name != "type" and name not in schema[kind]:
        raise Wrong(f"API {call}() {kind}.{path} doesn't exist:\n{params}")
    if rest:
        inner_kind, _, inner = rest.partition(".")
        check_path(schema, known_kind(schema, inner_kind, call), inner, call, params)


def check_value(schema: Schema, kind: str, name: str, value: Any, call: str) -> None:
    """Raise for a value that the field does not take."""
    field = schema[kind].get(name)
    if field is None:
        raise Wrong(f"API {call}() {kind}.{name} doesn't exist")
    data_type = field["data_type"]["value"]
    allowed = TYPES.get(data_type)
    wrong_bool = isinstance(value, bool) and data_type in ("number", "float")
    if value is not None and allowed and (wrong_bool or not isinstance(value, allowed)):
        raise Wrong(f"API {call}() {kind}.{name} expected {data_type} but got {type(value).__name__}: {value!r}")
    values = field["properties"].get("valid_values", {}).get("value")
    if value is not None and values and value not in values:
        raise Wrong(f"API {call}() {kind}.{name}: {value!r} is not one of {values}")
