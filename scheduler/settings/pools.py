"""`[pools.NAME]`: the pools of a farm, by what makes their workers appear.

The keys that every pool has stand in `PoolSettings`; a backend adds its own. `backend` says which of them a table is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, SecretStr, Tag

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


class OnpremPool(PoolSettings):
    """`[pools.NAME]` with `backend = "onprem"`: machines of the studio that start a worker by themselves."""

    backend: Backend = Field(default="onprem", description=BACKEND)
    reap: bool = Field(default=False, description="end machines that the farm has started and does not want any more")


class AwsPool(PoolSettings):
    """`[pools.NAME]` with `backend = "aws"`: instances of Amazon EC2."""

    backend: Backend = Field(default="aws", description=BACKEND)
    region: str = Field(description="AWS region, e.g. us-east-1")
    endpoint_url: str | None = Field(default=None, description="only for tests and private clouds")
    instance_types: tuple[str, ...] = Field(default=("c7i.2xlarge",), min_length=1, description="in order")
    market: Literal["spot", "on_demand"] = Field(default="spot", description="spot is cheaper and may be taken back")


class GcePool(PoolSettings):
    """`[pools.NAME]` with `backend = "gce"`: instances of Google Compute Engine."""

    backend: Backend = Field(default="gce", description=BACKEND)
    project: str = Field(description="Google Cloud project")
    zones: tuple[str, ...] = Field(min_length=1, description="zones in order of preference")
    machine_type: str = Field(default="c3-standard-8", description="machine type")
    provisioning: Literal["spot", "standard"] = Field(default="spot", description="spot may be taken back")
    endpoint: str | None = Field(default=None, description="only for tests and private clouds")


class SlurmPool(PoolSettings):
    """`[pools.NAME]` with `backend = "slurm"`: workers as jobs of a Slurm cluster."""

    backend: Backend = Field(default="slurm", description=BACKEND)
    partition: str | None = Field(default=None, description="partition; none: the cluster's default")


class OpencuePool(PoolSettings):
    """`[pools.NAME]` with `backend = "opencue"`: hosts of an OpenCue farm, through its host daemon RQD."""

    backend: Backend = Field(default="opencue", description=BACKEND)
    hosts: tuple[str, ...] = Field(min_length=1, description="hosts that run RQD, as HOST or HOST:PORT")


TrackingField = Literal["project", "sequence", "shot", "task", "task_id", "version"]


class SitePool(PoolSettings):
    """`[pools.NAME]` with `backend = "site"`: another Outfield scheduler that whole jobs are handed over to.

    Of the keys of every pool only `price_usd_per_hour` means something here: money for an hour of that farm's workers.
    """

    backend: Backend = Field(default="site", description=BACKEND)
    url: str = Field(pattern=r"^https?://[^/\s]+(/[^\s?#]*)?$", description="the other scheduler's URL")
    token: SecretStr | None = Field(default=None, description="a user's token of the other farm")
    token_file: Path | None = Field(default=None, description="file that holds the token")
    ca_file: Path | None = Field(default=None, description="PEM file to check its certificate by; none: the system's")
    verify: bool = Field(default=True, description="is its certificate checked; off only for a trial on one machine")
    default: bool = Field(
        default=False, description="every job goes there unless a rule or the job itself says otherwise: a workstation"
    )
    in_house: bool | None = Field(
        default=None, description="is it the studio's own, so that cloud = never permits it; none: the same as default"
    )
    onward: bool = Field(default=True, description="may the other farm let jobs leave it again")
    jobs_max: int = Field(default=100, ge=1, description="jobs that may be there side by side")
    overflow_s: float | None = Field(
        default=None, ge=0, description="a job that may go there and has waited so long at home goes; none: never"
    )
    give_up_s: float | None = Field(
        default=None, ge=0, description="how long a job that has another place waits for a silent site; none: for ever"
    )
    refused_retry_s: float = Field(default=600.0, gt=0, description="when a job is offered again that was not taken")
    priority_max: int = Field(default=100, ge=0, le=100, description="highest priority that jobs are given there")
    tracking: tuple[TrackingField, ...] | None = Field(
        default=None,
        description="tracking fields that go along; none: project, sequence and shot, to a farm in the house all",
    )
    paths: dict[str, str] = Field(
        default_factory=dict, description="folder here to the same folder there; other scenes are sent along"
    )
    poll_s: float = Field(default=2.0, gt=0, description="how often jobs there are looked at")
    backoff_max_s: float = Field(default=60.0, gt=0, description="longest pause before a silent site is tried again")
    connect_timeout_s: float = Field(default=10.0, gt=0, description="longest wait for a connection")
    timeout_s: float = Field(default=30.0, gt=0, description="longest silence of the other farm in one call")
    bytes_per_s_max: int | None = Field(default=None, ge=1024, description="speed limit for scenes and frames")

    @property
    def is_house(self) -> bool:
        """Whether work there has not left the studio."""
        return self.default if self.in_house is None else self.in_house


def _backend(value: Any) -> str:
    return str(value.get("backend", "onprem")) if isinstance(value, dict) else value.backend


AnyPool = Annotated[
    Annotated[OnpremPool, Tag("onprem")]
    | Annotated[AwsPool, Tag("aws")]
    | Annotated[GcePool, Tag("gce")]
    | Annotated[SlurmPool, Tag("slurm")]
    | Annotated[OpencuePool, Tag("opencue")]
    | Annotated[SitePool, Tag("site")],
    Discriminator(_backend),
]

POOL_KINDS: tuple[type[PoolSettings], ...] = (OnpremPool, AwsPool, GcePool, SlurmPool, OpencuePool, SitePool)
