"""`[pools.NAME]`: the keys that every pool has, whatever makes its workers appear."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from scheduler.settings.section import Section

BACKEND = "what makes the pool's workers appear"

Backend = Literal["onprem", "gce", "aws", "slurm", "opencue", "site"]
Autoscale = Literal["none", "static", "twostate", "demand", "deadline"]


class PoolSettings(Section):
    """`[pools.NAME]`: workers of one kind. The pool `onprem` is always there."""

    backend: Backend = Field(default="onprem", description=BACKEND)
    price_usd_per_hour: float = Field(default=0.0, ge=0, description="price of one worker")
    workers_max: int | None = Field(default=None, ge=0, description="most workers that there may be")
    workers_min: int = Field(default=0, ge=0, description="workers that are kept whatever happens")
    tags: tuple[str, ...] = Field(default=(), description="tags that every worker of the pool has")
    autoscale: Autoscale = Field(default="none", description="how the number of workers follows the work")
    idle_s: float = Field(default=300.0, gt=0, description="how long a worker may be idle before it is ended")
    life_s: float = Field(default=6 * 3600.0, ge=30, le=120 * 86_400, description="longest life of one instance")
    boot_s: float = Field(default=90.0, ge=0, description="time from a launch until the worker asks for work")
    billing_s: float = Field(default=1.0, ge=1, description="unit of time that is paid for even if only begun")
    prices_file: Path | None = Field(
        default=None, description="TOML file of machine types with their USD an hour, where the pool has no price"
    )
    lookup_s: float = Field(
        default=120.0, ge=10, description="how long a launch of unknown outcome is looked for before it is given up"
    )
    join_s: float = Field(
        default=900.0, ge=30, description="how long a running instance may be without a worker before it is ended"
    )
    reap: bool = Field(
        default=True, description="end instances that nobody ordered, that outlived their life_s or that have no worker"
    )
    worker_url: str | None = Field(
        default=None, description="the scheduler's URL as the pool's workers reach it; none: its own address"
    )
    agent_install: str = Field(
        default="", description="shell command that installs the agent on an instance; empty: its image has it"
    )
    transfer_s: float = Field(default=60.0, ge=0, description="time until a new worker has its first scene")
    renderers: tuple[str, ...] = Field(
        default=(),
        description="renderers of a new worker; none: those that the pool's workers had last, or all but maya",
    )
    settle_s: float = Field(default=120.0, ge=0, description="time between growing and shrinking, either way")
    workers_kept: int | None = Field(
        default=None, ge=0, description="what static keeps and twostate goes up to; none: workers_max"
    )
    twostate_low: int = Field(default=1, ge=0, description="workers that twostate keeps while the pool is not in use")
    twostate_window_s: float = Field(default=600.0, gt=0, description="how long twostate calls a pool in use after use")
    deadline_haste: float = Field(
        default=0.1, ge=0, le=1, description="deadline launches when this part of what it could have would just do"
    )
    deadline_caution: float = Field(
        default=1.0, ge=0, le=1, description="part of a forecast's doubt that deadline guards against"
    )
    deadline_margin_tasks: float = Field(
        default=25.0,
        ge=0,
        le=1000,
        description="deadline aims so much before the date, in times of one of the job's tasks",
    )
    deadline_grace_s: float = Field(
        default=4 * 3600.0,
        ge=0,
        description="deadline rents nothing for a job that would end later than this after its date",
    )
