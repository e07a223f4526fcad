"""`docs/reference/settings.md`: every key of `outfield.toml`, its default and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from scheduler.settings import Settings
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
    """The section with its table, then the sections inside it."""
    model, heading = _model(field)
    if model is None:
        return [f"## `[[{name}]]`\n\n{(field.description or '').capitalize()}."]
    title = f"{name}.NAME" if heading else name
    found = {key: _model(inner) for key, inner in model.model_fields.items()}
    rows = [
        (code(key), default(inner), bounds(inner), inner.description or "")
        for key, inner in model.model_fields.items()
        if found[key][0] is None
    ]
    text = paragraphs(model.__doc__).partition(": ")[2] or paragraphs(model.__doc__)
    own = f"## `[{title}]`\n\n{text[:1].upper()}{text[1:]}\n\n{table(('Key', 'Default', 'Bounds', 'Meaning'), rows)}"
    inner = [_section(f"{title}.{key}", model.model_fields[key]) for key, (kind, _) in found.items() if kind]
    return [own, *(part for parts in inner for part in parts)]


def _model(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """The section that a field holds, and whether it stands under names of the studio's choice."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, False
    inner = get_args(kind)[1] if get_origin(kind) is dict else None
    return (inner, True) if isinstance(inner, type) and issubclass(inner, BaseModel) else (None, False)


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
