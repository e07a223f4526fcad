"""`docs/reference/settings.md`: every key of `outfield.toml`, its default and what it means."""

from __future__ import annotations

from typing import Any

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
    sections: list[str] = []
    for name, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel), f"{name} is not a section"  # noqa: PT018
        rows = [
            (code(key), default(key_field), bounds(key_field), key_field.description or "")
            for key, key_field in model.model_fields.items()
        ]
        text = paragraphs(model.__doc__).partition(": ")[2] or paragraphs(model.__doc__)
        heading = f"## `[{name}]`\n\n{text[:1].upper()}{text[1:]}"
        sections.append(f"{heading}\n\n{table(('Key', 'Default', 'Bounds', 'Meaning'), rows)}")
    return page("Settings", "scheduler/settings.py", INTRODUCTION, *sections)


def default(field: FieldInfo) -> str:
    """The default as TOML would write it; a computed one depends on the machine and is only named."""
    if field.default_factory is not None:
        return "depends on the machine"
    value: Any = field.default
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, str):
        return code(f'"{value}"')
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
