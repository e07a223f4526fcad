"""`docs/reference/settings.md`: every key of `outfield.toml`, its default and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from scheduler.settings import Settings
from scheduler.settings.loading import sections_of
from tools.reference.markdown import code, page, paragraphs, table

INTRODUCTION = """A value comes from the last of these that names it: the default below, the system's `outfield.toml`,
the user's, the environment (`OUTFIELD_SECTION__KEY`, for example `OUTFIELD_SERVER__PORT=9000`), a flag. With
`--config FILE` that file stands in place of the two. Settings are read once, at the start. An unknown key is refused
with the name of its nearest neighbour. `outfield config show --origin` prints what is in force and where it came
from."""

BOUNDS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}


def render() -> str:
    """The page."""
    sections = [_section(name, field) for name, field in Settings.model_fields.items()]
    return page("Settings", "scheduler/settings/", INTRODUCTION, *(text for part in sections for text in part))


def _section(name: str, field: FieldInfo) -> list[str]:
    """The section with its table, then the sections inside it. Of several kinds, the first is what all have."""
    kinds, named = sections_of(field)
    if not kinds:
        return [f"## `[[{name}]]`\n\n{(field.description or '').capitalize()}."]
    title = f"{name}.NAME" if named else name
    if len(kinds) == 1:
        return _tables(title, kinds[0])
    shared = kinds[0].__mro__[1]
    return [*_tables(title, shared), *(part for kind in kinds for part in _tables(title, kind, beside=shared))]


def _tables(title: str, model: type[BaseModel], beside: type[BaseModel] | None = None) -> list[str]:
    """One kind of section; with `beside`, only the keys that this one does not have."""
    known = beside.model_fields if beside else {}
    fields = {key: field for key, field in model.model_fields.items() if key not in known}
    found = {key: sections_of(field)[0] for key, field in fields.items()}
    rows = [
        (code(key), default(inner), bounds(inner), inner.description or "")
        for key, inner in fields.items()
        if not found[key]
    ]
    text = paragraphs(model.__doc__).partition(": ")[2] or paragraphs(model.__doc__)
    heading = f"## `[{title}]`" if beside is None else f'### `backend = "{model.model_fields["backend"].default}"`'
    keys = [table(("Key", "Default", "Bounds", "Meaning"), rows)] if rows else []
    own = "\n\n".join([heading, f"{text[:1].upper()}{text[1:]}", *keys])
    inner = [_section(f"{title}.{key}", fields[key]) for key, kinds in found.items() if kinds]
    return [own, *(part for parts in inner for part in parts)]


def default(field: FieldInfo) -> str:
    """The default as TOML would write it; a computed one depends on the machine and is only named."""
    value: Any = field.default
    if field.default_factory is not None:
        made: Any = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(made, Path):
            return "depends on the machine"
        value = made
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, str):
        return code(f'"{value}"')
    if isinstance(value, dict):
        return code("{" + ", ".join(f'"{name}" = {part}' for name, part in value.items()) + "}")
    if isinstance(value, tuple | list):
        return code("[" + ", ".join(f'"{item}"' for item in value) + "]")
    return code(value)


def bounds(field: FieldInfo) -> str:
    """The numeric bounds, e.g. `≥ 1, ≤ 256`."""
    found = [
        f"{sign} {getattr(limit, attribute)}"
        for limit in field.metadata
        for kind, (sign, attribute) in BOUNDS.items()
        if isinstance(limit, kind)
    ]
    return ", ".join(found)
