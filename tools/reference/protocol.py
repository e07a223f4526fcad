"""`docs/reference/protocol.md`: what clients and workers send, field by field."""

from __future__ import annotations

import inspect
import typing
from typing import Any

import msgspec
from pydantic import BaseModel

from scheduler.protocol import PROTOCOL_VERSION, submission, work, workers
from scheduler.protocol.renderers import RENDERERS
from tools.reference.markdown import code, page, paragraphs, table

SUBMISSION = (submission.NewJob, submission.Split, submission.Tracking, submission.Requires)
WELCOME = (workers.WorkerHello, workers.Capabilities, workers.WorkerWelcome)
ROAD = (
    work.SyncRequest, work.Running, work.Report, work.OutputFile,
    work.SyncReply, work.Lease, work.Scene, work.Tile, work.SampleSlice, work.Input, work.Ack, work.TaskRef,
)  # fmt: skip


def render() -> str:
    """The page."""
    parts = [
        f"Protocol version {PROTOCOL_VERSION}. Unknown fields of a submission are refused, naming the nearest one.",
        "## A job (`POST /new_job`)",
        *(pydantic_fields(model, "###") for model in SUBMISSION),
        "## Settings of the renderers",
        *(renderer(name) for name in RENDERERS),
        "## A worker introduces itself (`POST /workers`)",
        *(pydantic_fields(model, "###") for model in WELCOME),
        "## The worker's road (`POST /workers/{id}/sync`)",
        paragraphs(work.__doc__),
        *(struct_fields(struct) for struct in ROAD),
    ]
    return page("Protocol", "scheduler/protocol/", *parts)


def renderer(name: str) -> str:
    """One renderer's settings."""
    info = RENDERERS[name]
    endings = f" Scene files: {', '.join(code(ending) for ending in info.endings)}." if info.endings else ""
    body = pydantic_fields(info.settings, "###", title=f"`{name}`: {info.title}")
    first, _, rest = body.partition("\n\n")
    return f"{first}\n\nFormats: {', '.join(info.formats)}. Scene: {info.scene}.{endings}\n\n{rest}"


def pydantic_fields(model: type[BaseModel], level: str, title: str | None = None) -> str:
    """A model as a table of its fields."""
    rows = [
        (
            code(name),
            code(type_name(field.annotation)),
            "required" if field.is_required() else code(shown(field.get_default(call_default_factory=True))),
            field.description or "",
        )
        for name, field in model.model_fields.items()
    ]
    heading = f"{level} {title or code(model.__name__)}"
    return f"{heading}\n\n{paragraphs(model.__doc__)}\n\n{table(('Field', 'Type', 'Default', 'Meaning'), rows)}"


def struct_fields(struct: type[msgspec.Struct]) -> str:
    """A msgspec struct as a table of its fields."""
    hints = typing.get_type_hints(struct)
    rows = [
        (
            code(field.name),
            code(type_name(hints[field.name])),
            code(shown(field.default))
            if field.default is not msgspec.NODEFAULT
            else code(shown(field.default_factory()))
            if field.default_factory is not msgspec.NODEFAULT
            else "required",
        )
        for field in msgspec.structs.fields(struct)
    ]
    text = " ".join(inspect.cleandoc(struct.__doc__ or "").split())
    return f"### {code(struct.__name__)}\n\n{text}\n\n{table(('Field', 'Type', 'Default'), rows)}"


def type_name(hint: Any) -> str:
    """A type as a reader writes it: no module names, literals as their values."""
    if hint is None or hint is type(None):
        return "null"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin is None:
        return "any" if hint is Any else hint.__name__
    if origin in {list, tuple, dict}:
        inner = ", ".join(type_name(argument) for argument in arguments if argument is not Ellipsis)
        return f"{origin.__name__}[{inner}]"
    return " | ".join(type_name(argument) for argument in arguments)


def shown(value: Any) -> str:
    """A default as JSON."""
    if isinstance(value, BaseModel):
        return "{}"
    return msgspec.json.encode(value).decode()
