"""The facts that conditions see: looked up, brought to their types, and the studio's clock as facts.

It owns how values are found and made safe (bounded texts, the right type, the empty value for a gap). Where they come
from is the caller's affair; plain mappings are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scheduler.routing.conditions import Read
from scheduler.routing.vocabulary import ENDLESS_S, Fact

TEXT_CHARS_MAX = 1024
"""Characters of a text that a condition sees; the rest is cut off."""

LIST_MAX = 64
"""Entries of a list that a condition sees."""

METADATA_KEYS_MAX = 256
"""Keys of the metadata that a condition sees where it looks at all of them."""

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Facts:
    """What is known, nested as conditions write it; what is left out has its empty value.

    `slack_s` maps pools to the seconds that the job would have to spare if it ran there.
    """

    job: Mapping[str, Any] = field(default_factory=dict)
    tracking: Mapping[str, Any] = field(default_factory=dict)
    estimate: Mapping[str, Any] = field(default_factory=dict)
    pools: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    now: Mapping[str, Any] = field(default_factory=dict)
    slack_s: Mapping[str, float] = field(default_factory=dict)


def value_of(facts: Facts, read: Read) -> Any:
    """The value of what a condition reads, of the right type. None: metadata that is not there."""
    if read.pool is not None:
        return float(facts.slack_s.get(read.pool, ENDLESS_S))
    node: Any = getattr(facts, read.parts[0])
    for part in read.parts[1:]:
        node = node.get(part) if isinstance(node, dict | Mapping) else None
    return typed(node, read.fact)


def typed(value: Any, fact: Fact) -> Any:
    """A value brought to its fact's type; what cannot be is empty, as if it were not there."""
    if fact.kind == "open":
        return _metadata(value) if isinstance(value, Mapping) and fact.path == "job.metadata" else _open(value)
    if value is None:
        return fact.nothing
    match fact.kind:
        case "text":
            return str(value)[:TEXT_CHARS_MAX]
        case "int":
            return int(value) if isinstance(value, int | float) else fact.nothing
        case "double":
            return float(value) if isinstance(value, int | float) else fact.nothing
        case "bool":
            return bool(value)
        case _:
            return tuple(str(item)[:TEXT_CHARS_MAX] for item in list(value)[:LIST_MAX])


def freeze(value: Any) -> Any:
    """A value as part of a key: 1, 1.0 and True are three different ones."""
    if value is None or type(value) is str or type(value) is int:
        return value
    if isinstance(value, Mapping):
        return tuple((key, freeze(inner)) for key, inner in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(freeze(inner) for inner in value)
    return (type(value).__name__, value) if isinstance(value, bool | float) else value


def now_facts(local: datetime) -> dict[str, Any]:
    """The studio's clock as facts; `local` is aware and in the studio's time zone."""
    return {
        "hour": local.hour,
        "minute": local.minute,
        "time": f"{local.hour:02d}:{local.minute:02d}",
        "weekday": local.isoweekday(),
        "weekend": local.isoweekday() > 5,
        "date": local.date().isoformat(),
        "zone": str(local.tzinfo or ""),
    }


def _open(value: Any) -> Any:
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX]
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return tuple(
            item for item in (_open(inner) for inner in value[:LIST_MAX]) if isinstance(item, str | int | float)
        )
    return None


def _metadata(value: Mapping[str, Any]) -> dict[str, Any]:
    items = ((str(key), _open(inner)) for key, inner in list(value.items())[:METADATA_KEYS_MAX])
    return {key: inner for key, inner in items if inner is not None}
