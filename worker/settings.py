"""Everything that can be set about one worker: defaults < environment (`OUTFIELD_WORKER__KEY`) < flags, read once.

It is also the one module of the worker that touches the process's environment: compiled kernels get their cache
folder, and secrets are taken out before any renderer is started and could inherit them.
"""

from __future__ import annotations

import difflib
import os
import platform
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

ENVIRONMENT_PREFIX = "OUTFIELD_WORKER__"
SECRET_VARIABLES = (f"{ENVIRONMENT_PREFIX}JOIN", "OUTFIELD_TOKEN")
"""What a renderer, which runs an artist's scene, must not inherit."""

GIB = 2**30

Cloud = Literal["none", "gce", "aws", "slurm"]


class SettingsInvalid(Exception):
    """A setting of the worker is unknown or wrong; the message says which and what to do."""


def _default_data() -> Path:
    return Path(platformdirs.user_data_dir("outfield")) / "worker"


def _default_cache() -> Path:
    return Path(platformdirs.user_cache_dir("outfield"))


class WorkerSettings(BaseModel):
    """One worker. `data` belongs to it alone (identity, spool, scratch); `cache` may be shared on one machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server: str = Field(description="URL of the scheduler")
    join: str = Field(default="", max_length=200, description="join code; needed once")
    name: str = Field(default_factory=lambda: platform.node() or "worker", min_length=1, max_length=200)
    pool: str = Field(default="onprem", max_length=100, description="pool to join")
    slots: int = Field(default=1, ge=1, le=1024, description="tasks run side by side")
    tags: tuple[str, ...] = Field(default=(), max_length=64, description="further tags that jobs may require")
    renderers: tuple[str, ...] = Field(default=(), description="renderers to offer; none: all that are found")
    data: Path = Field(default_factory=_default_data, description="folder of this worker alone")
    cache: Path = Field(default_factory=_default_cache, description="folder for scenes and compiled kernels")
    ca_file: Path | None = Field(default=None, description="certificates to trust besides the system's")
    ca_pin: str = Field(
        default="", pattern=r"^(sha256:[0-9a-f]{64})?$", description="hash of the farm authority's certificate"
    )
    parent_pid: int = Field(default=0, ge=0, description="process without which this worker drains; 0: none")

    prefetch: int = Field(default=1, ge=0, le=64, description="leases taken beyond free slots when tasks are short")
    prefetch_task_s_max: float = Field(default=10.0, ge=0, description="longest last task after which to prefetch")
    prefetch_hold_s: float = Field(default=15.0, gt=0, description="a lease waiting longer for a slot is returned")
    poll_wait_s: float = Field(default=20.0, gt=0, le=300, description="longest wait of one poll")
    settle_s: float = Field(default=0.05, ge=0, description="pause before a busy worker polls again")
    fence_margin_s: float = Field(default=2.0, ge=0, description="publishing stops this long before a lease ends")
    stuck_s: float = Field(default=60.0, gt=0, description="a task that does not stop for so long is given up")

    drain_s: float = Field(default=60.0, ge=0, description="time for running tasks to finish on SIGTERM")
    orphan_drain_s: float = Field(default=5.0, ge=0, description="the same after the parent process has died")
    flush_s: float = Field(default=10.0, ge=0, description="time to deliver finished work before exit")
    stop_s: float = Field(default=2.0, ge=0, description="time to return leases on a second signal")
    lock_wait_s: float = Field(default=10.0, ge=0, description="wait for the data folder of a worker that is leaving")

    cloud: Cloud = Field(default="none", description="whose machine it is: none, gce, aws or slurm; never guessed")
    instance: str = Field(default="", max_length=200, description="the machine's id at its provider")
    intent: str = Field(default="", max_length=200, description="the order by which the machine was started")
    metadata_url: str = Field(default="", description="the provider's metadata service; none: where it always is")
    metadata_poll_s: float = Field(default=1.0, gt=0, le=60, description="how often it is asked for a notice")
    notice_finish_s: float = Field(default=1.0, ge=0, description="what runs may still end for so long after a notice")
    notice_leave_s: float = Field(default=25.0, gt=0, description="longest stay after a notice")
    save_s: float = Field(default=4.0, gt=0, description="time to save what a stopped task has so far")
    life_s: float = Field(default=0.0, ge=0, description="longest life of the machine (slurm: of the job); 0: no limit")
    life_lead_s: float = Field(default=120.0, ge=0, description="no new work so long before the end of life")
    life_margin_s: float = Field(default=45.0, ge=0, description="gone so long before the end of life")
    wipe_after_s: float = Field(
        default=0.0, ge=0, description="a job's content is removed so long after its last task here; 0: kept"
    )

    connect_timeout_s: float = Field(default=5.0, gt=0, description="reaching the scheduler")
    read_timeout_s: float = Field(default=15.0, gt=0, description="its answer, beyond what a poll waits")
    file_timeout_s: float = Field(default=60.0, gt=0, description="silence while a file travels")
    backoff_base_s: float = Field(default=0.25, gt=0, description="first delay after a failure")
    backoff_cap_s: float = Field(default=5.0, gt=0, description="longest delay after a failure")

    upload_threads: int = Field(default=2, ge=1, le=32, description="finished tasks delivered side by side")
    upload_backlog_max: int = Field(default=8, ge=1, description="undelivered tasks beyond which no more is asked for")
    spool_after_s: float = Field(default=1.0, ge=0, description="renders this long are spooled before delivery")
    spool_max_gib: float = Field(default=20.0, gt=0, description="finished work kept on disk")
    spool_rows_max: int = Field(default=1000, ge=1, description="finished tasks kept on disk")

    cache_max_gib: float = Field(default=50.0, gt=0, description="scenes and inputs kept on disk")
    scratch_min_free_gib: float = Field(default=1.0, ge=0, description="free disk below which no work is asked for")

    picture_every_s: float = Field(
        default=5.0, ge=0, description="how often a task shows a picture of itself; 0: never"
    )
    picture_px: int = Field(default=320, ge=16, le=1024, description="longest side of such a picture")

    log_every_s: float = Field(default=1.0, gt=0, description="how often a task's log is sent")
    log_line_max_bytes: int = Field(default=16 * 1024, ge=80, description="one line of a task's log")
    log_buffer_max_bytes: int = Field(
        default=2**20, ge=4096, description="unsent log of one task; the middle is dropped"
    )
    log_total_max_bytes: int = Field(
        default=8 * 2**20, ge=4096, description="log of one task; then only its end is kept"
    )

    @field_validator("server")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError("it must be a URL such as http://scheduler:8000")
        return value.rstrip("/")

    @field_validator("metadata_url")
    @classmethod
    def _is_metadata_url(cls, value: str) -> str:
        if value and urlsplit(value).scheme != "http":
            raise ValueError("it must be a URL such as http://169.254.169.254")
        return value.rstrip("/")

    @property
    def spool_max_bytes(self) -> int:
        """Bytes of finished work kept on disk."""
        return int(self.spool_max_gib * GIB)

    @property
    def cache_max_bytes(self) -> int:
        """Bytes of scenes and inputs kept on disk."""
        return int(self.cache_max_gib * GIB)

    @property
    def scratch_min_free_bytes(self) -> int:
        """Free bytes below which the worker asks for no work."""
        return int(self.scratch_min_free_gib * GIB)


def load_worker_settings(flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> WorkerSettings:
    """Merge the sources once. In `flags`, None means "not given"; tuples are comma-separated in the environment.

    Raises:
        SettingsInvalid: an unknown key (naming its nearest neighbour) or a wrong value.
    """
    merged: dict[str, Any] = {}
    for name, text in (os.environ if environment is None else environment).items():
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name.removeprefix(ENVIRONMENT_PREFIX).lower()
            merged[_known(key, name)] = _split(text) if key in ("tags", "renderers") else text
    merged.update({_known(key, key): value for key, value in flags.items() if value is not None})
    try:
        return WorkerSettings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            raise SettingsInvalid(
                f"The worker needs {key!r}: give --{key} or {ENVIRONMENT_PREFIX}{key.upper()}."
            ) from error
        raise SettingsInvalid(f"The worker's setting {key!r} is wrong: {first['msg']}. Correct it.") from error


def prepare_environment(settings: WorkerSettings, environment: MutableMapping[str, str] | None = None) -> None:
    """Set the kernels' cache folder (before numba is imported) and take secrets out of what renderers inherit."""
    target = os.environ if environment is None else environment
    target.setdefault("NUMBA_CACHE_DIR", str(settings.cache / "numba"))
    for name in SECRET_VARIABLES:
        target.pop(name, None)


def listed_programs(variable: str, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Programs that a variable lists, separated as PATH is."""
    text = (os.environ if environment is None else environment).get(variable, "") if variable else ""
    return tuple(part for part in text.split(os.pathsep) if part)


def _known(key: str, origin: str) -> str:
    if key in WorkerSettings.model_fields:
        return key
    near = difflib.get_close_matches(key, list(WorkerSettings.model_fields), n=1, cutoff=0.4)
    advice = f"Did you mean {near[0]!r}?" if near else "See `outfield worker --help`."
    raise SettingsInvalid(f"{origin} is not a setting of a worker. {advice}")


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
