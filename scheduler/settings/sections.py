"""The sections of `outfield.toml`: every key with its default, its bounds and what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, field_validator

from scheduler.settings.hours import known_zone
from scheduler.settings.pools import AnyPool
from scheduler.settings.section import Section
from scheduler.settings.storage import StorageSettings
from scheduler.settings.tls import TlsSettings
from scheduler.settings.tracking import ShotGridSettings


class ServerSettings(Section):
    """`[server]`: where it listens, where it keeps things, where frames may go."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("outfield")), description="data folder")
    database: str | None = Field(default=None, description="database URL; none: SQLite in the data folder")
    database_wait_s: float = Field(default=60.0, ge=0, description="how long a database server may take to answer")
    storage: str | None = Field(
        default=None, description="where blobs and frames are kept: file:, s3: or gs: URL; none: the data folder"
    )
    output_roots: tuple[Path, ...] = Field(default=(), description="folders that frames may be published in")
    allowed_hosts: tuple[str, ...] = Field(default=(), description="further Host names that are answered")
    workers: int = Field(default=0, ge=0, le=256, description="local workers that `up` starts")
    tls: TlsSettings = TlsSettings()
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
    picture_max_bytes: int = Field(default=512 * 1024, ge=1024, description="one progress picture of a running task")
    picture_interval_s: float = Field(default=2.0, ge=0, description="least time between two pictures of one task")
    requests_per_s_max: float = Field(default=200.0, gt=0, description="requests of one caller, steady rate")
    requests_burst_max: int = Field(default=1000, ge=1, description="requests of one caller at once")
    free_min_bytes: int = Field(default=256 * 2**20, ge=0, description="free disk below which nothing is staged")
    list_max: int = Field(default=1000, ge=1, description="rows of one list")


class FarmSettings(Section):
    """`[farm]`: the rhythm of leases and the patience with failures."""

    name: str = Field(default="outfield", max_length=100, description="the farm's name")
    time_zone: str | None = Field(
        default=None, description="the studio's time zone for rules, e.g. Europe/Berlin; none: this machine's"
    )
    lease_s: float = Field(default=20.0, gt=0, description="how long a lease lasts")
    renew_s: float = Field(default=6.0, gt=0, description="how often a worker renews")
    grace_s: float = Field(default=10.0, ge=0, description="grace given to a late renewal")
    tick_s: float = Field(default=1.0, gt=0, description="interval of the tick")
    scale_s: float = Field(default=15.0, gt=0, description="how often it is decided how many workers the pools have")
    look_s: float = Field(
        default=10.0, gt=0, description="how often providers are asked what is there of what was launched"
    )
    failed_tasks_max: int = Field(default=20, ge=1, description="failed tasks after which a job fails at once")
    heartbeats_per_s_max: float = Field(default=1000.0, gt=0, description="syncs per second the farm aims at")
    keep_jobs_days: float = Field(default=90.0, gt=0, description="how long ended jobs are kept")
    keep_events_days: float = Field(default=14.0, gt=0, description="how long events are kept")
    keep_blobs_days: float = Field(default=30.0, gt=0, description="how long unused blobs are kept")
    keep_idempotency_days: float = Field(default=7.0, gt=0, description="how long idempotency keys are kept")
    join_code_s: float = Field(default=3600.0, gt=0, description="how long a join code is valid")

    _valid_zone = field_validator("time_zone")(known_zone)


class ImagingSettings(Section):
    """`[imaging]`: the child processes that decode pixels."""

    processes: int = Field(default=1, ge=1, le=64, description="decoders kept warm")
    files_max: int = Field(default=500, ge=1, description="files after which a decoder is replaced")
    memory_max_bytes: int = Field(default=4 * 2**30, ge=2**28, description="address space of one decoder")
    timeout_s: float = Field(default=60.0, gt=0, description="longest time for one file")
    preview_px: int = Field(default=640, ge=16, le=4096, description="width of a preview")


class PolicySettings(Section):
    """`[policy]`: the formula by which steps are ranked; see `docs/howto/ranking.md`. Points of the scale 0 to 100."""

    deadline_points: float = Field(
        default=0.9, ge=0, le=100, description="points for a job that will miss its deadline; below 1, priority is law"
    )
    deadline_horizon_s: float = Field(
        default=21_600.0, gt=0, description="slack at which a deadline has little weight left"
    )
    share_points: float = Field(
        default=100.0, ge=0, le=1000, description="points for a project that has nothing of its share of the farm"
    )
    share_half_life_s: float = Field(
        default=3600.0, gt=0, description="time after which past use of the farm counts half"
    )
    shares: dict[str, float] = Field(
        default_factory=dict, description="project to weight; a project that is not listed has none and is not shared"
    )
    age_points_per_day: float = Field(default=0.001, ge=0, le=10, description="points for each day of waiting")
    boost_weight: float = Field(default=1.0, ge=0, le=10, description="what one bought point of priority counts")


class EconomySettings(Section):
    """`[economy]`: points that users earn with their machines and spend on priority, as in DistRen. Off by default."""

    enabled: bool = Field(default=False, description="may users earn and spend points")
    earn_points_per_hour: float = Field(
        default=1.0, ge=0, description="points for an hour of one vCPU of the reference machine's power"
    )
    boost_cost_points: float = Field(default=1.0, gt=0, description="points that one point of priority costs")
    boost_max: float = Field(default=20.0, gt=0, le=100, description="most points of priority that a job may be given")


class EstimateSettings(Section):
    """`[estimates]`: what is remembered of frame times, and how finish times are foretold."""

    samples_max: int = Field(default=200, ge=10, le=10_000, description="frame times kept of each kind of frame")
    interval_s: float = Field(default=15.0, gt=0, description="how often finish times are foretold")
    record_interval_s: float = Field(
        default=600.0, gt=0, description="how often a job's forecast is kept, to be judged later"
    )


class BudgetSettings(Section):
    """`[budgets.NAME]`: money that may be spent beyond the studio's own machines; `farm` is everybody's."""

    usd: float = Field(ge=0, description="money for one period")
    period: Literal["day", "week", "month", "total"] = Field(default="month", description="when it begins anew")
    at_cap: Literal["stop_launching", "drain", "stop"] = Field(
        default="stop_launching", description="what happens when it is spent"
    )
    alerts: tuple[float, ...] = Field(
        default=(0.8, 1.0), max_length=20, description="parts of it that raise an event once they are spent"
    )

    @field_validator("alerts")
    @classmethod
    def _parts(cls, parts: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < part <= 1 for part in parts):
            raise ValueError("alerts are parts of the budget, above 0 and up to 1")
        return tuple(sorted(set(parts)))


class Settings(Section):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    storage: StorageSettings = StorageSettings()
    limits: LimitSettings = LimitSettings()
    farm: FarmSettings = FarmSettings()
    imaging: ImagingSettings = ImagingSettings()
    shotgrid: ShotGridSettings = ShotGridSettings()
    policy: PolicySettings = PolicySettings()
    economy: EconomySettings = EconomySettings()
    estimates: EstimateSettings = EstimateSettings()
    pools: dict[str, AnyPool] = Field(default_factory=dict, description="the pools beyond the studio's own")
    budgets: dict[str, BudgetSettings] = Field(default_factory=dict, description="what may be spent")
    rules: tuple[dict[str, Any], ...] = Field(
        default=(), description="routing rules; taken as the first version where the farm has none yet"
    )
