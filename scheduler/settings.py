"""One frozen settings object: defaults < `outfield.toml` < environment < flags, read once.

`OUTFIELD_SECTION__KEY` in the environment wins over the file, a flag over both. An unknown key is refused with the
name of its nearest neighbour. Sections whose features are not part of this release are refused like any other.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scheduler.errors import Refused

ENVIRONMENT_PREFIX = "OUTFIELD_"
CLIENT_KEYS = frozenset({"SERVER", "TOKEN", "PROFILE", "REQUIRE_COMPONENTS"})
"""Words of the client and of the tests that share the prefix and are no settings of the scheduler."""


class Section(BaseModel):
    """A table of `outfield.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Section):
    """`[server]`: where it listens, where it keeps things, where frames may go."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("outfield")), description="data folder")
    database: str | None = Field(default=None, description="database URL; none: SQLite in the data folder")
    storage: str | None = Field(default=None, description="storage URL; none: the data folder")
    output_roots: tuple[Path, ...] = Field(default=(), description="folders that frames may be published in")
    allowed_hosts: tuple[str, ...] = Field(default=(), description="further Host names that are answered")
    workers: int = Field(default=0, ge=0, le=256, description="local workers that `up` starts")
    trusted_scenes: tuple[str, ...] = Field(default=(), description="SHA-256 of scenes whose scripts may run")


class LimitSettings(Section):
    """`[limits]`: every bound on what a client may ask for."""

    frames_per_job_max: int = Field(default=100_000, ge=1, description="frames in one job")
    tasks_per_job_max: int = Field(default=500_000, ge=1, description="tasks in one job after splitting")
    parts_per_frame_max: int = Field(default=4096, ge=1, description="tiles × sample slices of one frame")
    body_max_bytes: int = Field(default=4 * 2**20, ge=1024, description="body of an ordinary request")
    blob_max_bytes: int = Field(default=64 * 2**30, ge=1, description="one uploaded file")
    output_max_bytes: int = Field(default=8 * 2**30, ge=1, description="one staged output file")
    log_max_bytes: int = Field(default=16 * 2**20, ge=1024, description="log of one attempt")
    requests_per_s_max: float = Field(default=200.0, gt=0, description="requests of one caller, steady rate")
    requests_burst_max: int = Field(default=1000, ge=1, description="requests of one caller at once")
    free_min_bytes: int = Field(default=256 * 2**20, ge=0, description="free disk below which nothing is staged")
    list_max: int = Field(default=1000, ge=1, description="rows of one list")


class FarmSettings(Section):
    """`[farm]`: the rhythm of leases and the patience with failures."""

    name: str = Field(default="outfield", max_length=100, description="the farm's name")
    lease_s: float = Field(default=20.0, gt=0, description="how long a lease lasts")
    renew_s: float = Field(default=6.0, gt=0, description="how often a worker renews")
    grace_s: float = Field(default=10.0, ge=0, description="grace given to a late renewal")
    tick_s: float = Field(default=1.0, gt=0, description="interval of the tick")
    failed_tasks_max: int = Field(default=20, ge=1, description="failed tasks after which a job fails at once")
    heartbeats_per_s_max: float = Field(default=1000.0, gt=0, description="syncs per second the farm aims at")
    keep_jobs_days: float = Field(default=90.0, gt=0, description="how long ended jobs are kept")
    keep_events_days: float = Field(default=14.0, gt=0, description="how long events are kept")
    keep_blobs_days: float = Field(default=30.0, gt=0, description="how long unused blobs are kept")
    keep_idempotency_days: float = Field(default=7.0, gt=0, description="how long idempotency keys are kept")
    join_code_s: float = Field(default=3600.0, gt=0, description="how long a join code is valid")


class ImagingSettings(Section):
    """`[imaging]`: the child processes that decode pixels."""

    processes: int = Field(default=1, ge=1, le=64, description="decoders kept warm")
    files_max: int = Field(default=500, ge=1, description="files after which a decoder is replaced")
    memory_max_bytes: int = Field(default=4 * 2**30, ge=2**28, description="address space of one decoder")
    timeout_s: float = Field(default=60.0, gt=0, description="longest time for one file")
    preview_px: int = Field(default=640, ge=16, le=4096, description="width of a preview")


class Settings(Section):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    farm: FarmSettings = FarmSettings()
    imaging: ImagingSettings = ImagingSettings()


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
    merged: dict[str, dict[str, Any]] = {}
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


def known_keys() -> dict[str, Any]:
    """Every dotted key with its pydantic field."""
    keys: dict[str, Any] = {}
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            keys.update({f"{section}.{key}": inner for key, inner in model.model_fields.items()})
    return keys


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
        if rest == name or rest in CLIENT_KEYS or rest.startswith("WORKER__"):
            continue
        section, mark, key = rest.lower().partition("__")
        if not mark:
            raise Refused(f"{name} is not a setting; write OUTFIELD_SECTION__KEY.", code="settings_unknown")
        found[f"{section}.{key}"] = _value(value)
    return _nested(found)


def _value(text: str) -> Any:
    """A TOML value where it is one (numbers, lists, booleans), else the text itself."""
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        section, _, name = key.partition(".")
        nested.setdefault(section, {})[name] = value
    return nested


def _merge(merged: dict[str, dict[str, Any]], origin: dict[str, str], source: dict[str, Any], name: str) -> None:
    known = known_keys()
    for section, table in source.items():
        if not isinstance(table, dict):
            raise Refused(f"{section!r} in {name} must stand in a section, e.g. [server].", code="settings_unknown")
        for key, value in table.items():
            dotted = f"{section}.{key}"
            if dotted not in known:
                raise _unknown(dotted, known, name)
            merged.setdefault(section, {})[key] = value
            origin[dotted] = name


def _unknown(dotted: str, known: Mapping[str, Any], name: str) -> Refused:
    near = difflib.get_close_matches(dotted, list(known), n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}?" if near else "`outfield config show` lists every setting."
    return Refused(f"{dotted} in {name} is not a setting.", code="settings_unknown", hint=hint)


def _refusal(error: ValidationError, origin: Mapping[str, str]) -> Refused:
    first = error.errors()[0]
    dotted = ".".join(str(part) for part in first["loc"][:2])
    where = origin.get(dotted, "the settings")
    return Refused(f"{dotted} in {where}: {first['msg']}.", code="settings_invalid", hint="Correct the value.")
