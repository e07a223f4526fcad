"""Reading the settings: defaults < `outfield.toml` < environment < flags, once, into one frozen object.

`OUTFIELD_SECTION__KEY` in the environment wins over the file, a flag over both. An unknown key is refused with the
name of its nearest neighbour. Sections whose features are not part of this release are refused like any other.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, cast, get_args, get_origin

import platformdirs
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from scheduler.errors import Refused
from scheduler.settings.sections import Settings

ENVIRONMENT_PREFIX = "OUTFIELD_"
CLIENT_KEYS = frozenset({"SERVER", "TOKEN", "PROFILE", "CA_FILE", "SPOOL", "LANGUAGE", "REQUIRE_COMPONENTS"})
"""Words of the client, the add-ons and the tests that share the prefix and are no settings of the scheduler."""

Kinds: TypeAlias = tuple[type[BaseModel], ...]
"""The kinds of section that a table may be."""

CLOUD_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS")
"""Where the scheduler's cloud credentials may stand in the environment."""

WORKER_SECTIONS = ("WORKER__", "BLENDER__", "MAYA__")
"""Sections that workers read, for themselves; a farm of one machine has them in the same environment."""


@dataclass(frozen=True)
class LoadedSettings:
    """The settings and, for each key such as `server.port`, where its value came from."""

    settings: Settings
    origin: Mapping[str, str]


def default_files() -> tuple[Path, ...]:
    """The system's and the user's `outfield.toml`, the later one winning."""
    system = Path(platformdirs.site_config_dir("outfield")) / "outfield.toml"
    user = Path(platformdirs.user_config_dir("outfield")) / "outfield.toml"
    return (system, user)


def load_settings(
    *, file: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> LoadedSettings:
    """Read all sources once.

    `flags` maps dotted keys to values; None means "not given".

    Raises:
        Refused: a file that cannot be read, an unknown key (naming its nearest neighbour), or a wrong value.
    """
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    files = (file,) if file is not None else tuple(path for path in default_files() if path.exists())
    for path in files:
        _merge(merged, origin, _read(path), str(path))
    _merge(merged, origin, _from_environment(os.environ if environment is None else environment), "environment")
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    _merge(merged, origin, _nested(given), "flag")
    try:
        return LoadedSettings(Settings.model_validate(merged), origin)
    except ValidationError as error:
        raise _refusal(error, origin) from error


def workers_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a worker that this process starts inherits: everything but what only the scheduler may know.

    A worker runs artists' scenes, and its own environment can be read by whatever it starts.
    """
    found = os.environ if environment is None else environment
    own = tuple(f"{ENVIRONMENT_PREFIX}{section}" for section in WORKER_SECTIONS)
    return {
        name: value
        for name, value in found.items()
        if name not in CLOUD_KEYS and (not name.startswith(ENVIRONMENT_PREFIX) or name.startswith(own))
    }


def known_keys() -> dict[str, FieldInfo]:
    """Every dotted key with its field; NAME stands for a name of the studio's choice (`pools.NAME.backend`)."""
    return dict(_keys((Settings,), ""))


def value_at(values: Mapping[str, Any], dotted: str) -> Any:
    """The value of a dotted key in dumped settings; None where a part of the way is missing."""
    found: Any = values
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def given_keys(values: Mapping[str, Any]) -> list[str]:
    """The dotted keys of dumped settings: the known ones, with NAME replaced by the names that are there."""
    found: list[str] = []
    for dotted in known_keys():
        head, mark, tail = dotted.partition(".NAME.")
        names = value_at(values, head) or {} if mark else {}
        first = tail.partition(".")[0]  # a pool has the keys of its own backend only
        found += [f"{head}.{name}.{tail}" for name in names if first in names[name]] if mark else [dotted]
    return found


def _keys(kinds: Kinds, prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in _fields(kinds).items():
        inner, named = sections_of(field)
        if not inner:
            yield prefix + name, field
        else:
            yield from _keys(inner, f"{prefix}{name}.NAME." if named else f"{prefix}{name}.")


def sections_of(field: FieldInfo) -> tuple[Kinds, bool]:
    """The kinds of section that a field may hold, and whether it holds several under names of the studio's choice.

    Most fields that hold a section hold one kind; a pool's depends on its backend.
    """
    kind: Any = field.annotation
    named = get_origin(kind) is dict
    kinds = tuple(_kinds(get_args(kind)[1] if named else kind))
    return kinds, named and bool(kinds)


def _kinds(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    elif get_origin(kind) in {Annotated, UnionType, Union}:
        for inner in get_args(kind):
            yield from _kinds(inner)


def _fields(kinds: Kinds) -> dict[str, FieldInfo]:
    """The fields of all kinds together; of a name that several have, the first kind's."""
    return {name: field for kind in reversed(kinds) for name, field in kind.model_fields.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise Refused(
            f"The settings file {path} cannot be read: {error.strerror}.", code="settings_unreadable"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"The settings file {path} is not TOML: {error}.", code="settings_unreadable") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in environment.items():
        rest = name.removeprefix(ENVIRONMENT_PREFIX)
        if rest == name or rest in CLIENT_KEYS or rest.startswith(WORKER_SECTIONS):
            continue
        dotted = rest.lower().replace("__", ".")
        if "." not in dotted:
            raise Refused(f"{name} is not a setting; write OUTFIELD_SECTION__KEY.", code="settings_unknown")
        found[dotted] = _value(value)
    return _nested(found)


def _value(text: str) -> Any:
    """A TOML value where it is one (numbers, lists, booleans), else the text itself."""
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for dotted, value in flat.items():
        *way, name = dotted.split(".")
        table = nested
        for part in way:
            table = table.setdefault(part, {})
        table[name] = value
    return nested


@dataclass(frozen=True)
class _Source:
    """Where values come from, as it is told in errors and by `config show --origin`."""

    name: str
    origin: dict[str, str]


def _merge(merged: dict[str, Any], origin: dict[str, str], table: Mapping[str, Any], name: str) -> None:
    for section, value in table.items():
        field = Settings.model_fields.get(section)
        if not isinstance(value, dict) and (field is None or sections_of(field)[0]):
            raise Refused(f"{section!r} in {name} must stand in a section, e.g. [server].", code="settings_unknown")
    _merge_section((Settings,), merged, table, "", _Source(name, origin))


def _merge_section(
    kinds: Kinds, merged: dict[str, Any], table: Mapping[str, Any], prefix: str, source: _Source
) -> None:
    fields = _fields(kinds)
    for key, value in table.items():
        dotted, field = prefix + key, fields.get(key)
        if field is None:
            raise _unknown(_deepest(dotted, value), source.name)
        inner, named = sections_of(field)
        if not inner:
            merged[key] = value
            source.origin[dotted] = source.name
            continue
        into = merged.setdefault(key, {})
        if not named:
            _merge_section(inner, into, _table(value, dotted, source), dotted + ".", source)
            continue
        for name, part in _table(value, dotted, source).items():
            way = f"{dotted}.{name}"
            _merge_section(inner, into.setdefault(name, {}), _table(part, way, source), way + ".", source)


def _table(value: Any, dotted: str, source: _Source) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{dotted!r} in {source.name} must be a section: [{dotted}].", code="settings_invalid")
    return cast("dict[str, Any]", value)


def _deepest(dotted: str, value: Any) -> str:
    """For a table that nobody knows, its first key: what is near it is what was meant."""
    return f"{dotted}.{next(iter(value))}" if isinstance(value, dict) and value else dotted


def _unknown(dotted: str, name: str) -> Refused:
    near = difflib.get_close_matches(dotted, list(known_keys()), n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}?" if near else "`outfield config show` lists every setting."
    return Refused(f"{dotted} in {name} is not a setting.", code="settings_unknown", hint=hint)


def _refusal(error: ValidationError, origin: Mapping[str, str]) -> Refused:
    first = error.errors()[0]
    dotted = ".".join(str(part) for part in _way(first["loc"]))
    where = next((origin[key] for key in _prefixes(dotted) if key in origin), "the settings")
    if first["type"] == "extra_forbidden":  # known, but not in this kind of section
        backend = first["loc"][2]
        return Refused(
            f'{dotted} in {where} is not a setting of a pool with backend = "{backend}".',
            code="settings_unknown",
            hint="Leave it out, or name the backend that it belongs to.",
        )
    return Refused(f"{dotted} in {where}: {first['msg']}.", code="settings_invalid", hint="Correct the value.")


def _way(loc: tuple[int | str, ...]) -> Iterator[int | str]:
    """The keys on the way to a value, without the name of the backend that pydantic puts behind a pool's."""
    for place, part in enumerate(loc):
        if not (place == 2 and loc[0] == "pools"):
            yield part


def _prefixes(dotted: str) -> Iterator[str]:
    """The key itself, then what it stands in: an item of a list has no origin of its own."""
    while dotted:
        yield dotted
        dotted = dotted.rpartition(".")[0]
