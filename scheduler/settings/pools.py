"""`[pools.NAME]`: the pools of a farm, by what makes their workers appear.

The keys that every pool has stand in `PoolSettings`; a backend adds its own. `backend` says which of them a table is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, SecretStr, Tag, field_validator, model_validator

from scheduler.settings.hours import checked_hours, known_zone
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


class Machine(Section):
    """One of `machines` of an `onprem` pool: a machine that the farm may wake over the network."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^@]+$", description="name, unique in the pool")
    mac: str = Field(
        pattern=r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", description="address of its network card, 01:23:45:67:89:ab"
    )
    address: str = Field(min_length=1, description="host name or IP address, by which one sees whether it is awake")
    port: int = Field(default=22, ge=1, le=65535, description="TCP port that is tried; a refusal is an answer too")
    hours: tuple[str, ...] | None = Field(default=None, description="when it may be used; none: the pool's hours")

    _valid_hours = field_validator("hours")(checked_hours)


class OnpremPool(PoolSettings):
    """`[pools.NAME]` with `backend = "onprem"`: machines of the studio that start a worker by themselves."""

    backend: Backend = Field(default="onprem", description=BACKEND)
    reap: bool = Field(default=False, description="end machines that the farm has started and does not want any more")
    machines: tuple[Machine, ...] = Field(
        default=(),
        description="machines that may be woken: tables with name, mac, address and, if need be, port, hours",
    )
    hours: tuple[str, ...] = Field(
        default=(), description='when they may be used, e.g. ["Mon-Fri 19:00-07:00", "Sat-Sun"]; none: always'
    )
    time_zone: str | None = Field(default=None, description="time zone of the hours; none: this machine's")
    broadcast: str = Field(default="255.255.255.255", description="address that magic packets are sent to")
    wake_port: int = Field(default=9, ge=1, le=65535, description="UDP port that magic packets are sent to")
    wake_s: float = Field(default=300.0, gt=0, description="time within which a woken machine must answer")
    lost_s: float = Field(default=60.0, gt=0, description="silence after which a machine counts as asleep")
    probe_s: float = Field(default=1.0, gt=0, le=30, description="how long an answer of a machine is waited for")
    sleep_command: tuple[str, ...] = Field(
        default=(), description="what sends a machine to sleep; {name} and {address} are replaced; none: left to itself"
    )
    sleep_command_s: float = Field(default=120.0, gt=0, description="longest run of sleep_command")
    state_file: Path | None = Field(
        default=None, description="file that remembers what was woken; none: in the user's state folder"
    )
    vcpus: int = Field(default=8, ge=1, description="cores of a typical machine")
    memory_gib: float = Field(default=16.0, gt=0, description="memory of a typical machine")
    gpus: int = Field(default=0, ge=0, description="GPUs of a typical machine")

    _valid_hours = field_validator("hours")(checked_hours)
    _valid_zone = field_validator("time_zone")(known_zone)

    @field_validator("machines")
    @classmethod
    def _unique_names(cls, machines: tuple[Machine, ...]) -> tuple[Machine, ...]:
        names = [machine.name for machine in machines]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is the name of two machines")
        return machines


Price = Annotated[float, Field(ge=0)]


class CloudPool(PoolSettings):
    """`[pools.NAME]` of a cloud: what AWS and GCE have in common."""

    prices_usd_per_hour: dict[str, Price] = Field(
        default={}, description="price by machine type; on GCE also by ZONE/TYPE, REGION/TYPE, ZONE or REGION"
    )
    price_age_s: float = Field(default=600.0, ge=60, description="how long a price that was asked for is good")
    loss_per_hour: float = Field(default=0.05, ge=0, le=1, description="chance that spot is taken back in an hour")
    labels: dict[str, str] = Field(default={}, description="further labels or tags, e.g. for the bill")
    public_address: bool = Field(default=False, description="whether instances get a public address")
    disk_gib: int = Field(default=60, ge=10, le=65_536, description="boot disk, which is also the scratch space")
    timeout_s: float = Field(default=20.0, ge=0.1, le=300, description="how long one call of the provider may take")

    @field_validator("labels")
    @classmethod
    def _leaves_ours_alone(cls, labels: dict[str, str]) -> dict[str, str]:
        ours = next((name for name in labels if name.startswith(("outfield-", "aws:"))), None)
        if ours is not None:
            raise ValueError(f"the label {ours!r} is not yours to set; choose a name without that beginning")
        return labels

    @model_validator(mode="after")
    def _reserves_enough(self) -> CloudPool:
        own, dearest = self.price_usd_per_hour, max(self.prices_usd_per_hour.values(), default=0.0)
        if 0 < own < dearest:
            raise ValueError(
                f"price_usd_per_hour ({own}) is what a budget reserves for each instance, and prices_usd_per_hour has "
                f"{dearest}; raise it, or leave it out"
            )
        return self


AwsSpotStrategy = Literal[
    "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized", "lowest-price", "diversified"
]


class AwsPool(CloudPool):
    """`[pools.NAME]` with `backend = "aws"`: instances of Amazon EC2."""

    backend: Backend = Field(default="aws", description=BACKEND)
    region: str = Field(description="AWS region, e.g. us-east-1")
    endpoint_url: str | None = Field(default=None, description="only for tests and private clouds")
    profile: str | None = Field(default=None, description="profile of the AWS configuration; none: the usual chain")
    instance_types: tuple[str, ...] = Field(
        default=("c7i.2xlarge",), min_length=1, max_length=40, description="instance types in order of preference"
    )
    market: Literal["spot", "on_demand"] = Field(default="spot", description="spot is cheaper and may be taken back")
    spot_strategy: AwsSpotStrategy = Field(default="capacity-optimized", description="how EC2 chooses among the types")
    spot_price_max_usd_per_hour: float | None = Field(
        default=None, gt=0.001, description="most that is paid for a spot instance; none: the on-demand price"
    )
    image: str | None = Field(
        default=None,
        pattern=r"^(ami-[0-9a-f]{8,17}|resolve:ssm:\S+)$",
        description="AMI, or resolve:ssm:PARAMETER; none: the launch template's, else Ubuntu 24.04",
    )
    launch_template: str | None = Field(default=None, description="template (name or lt-…) that ours is laid over")
    launch_template_version: str = Field(default="$Default", description="version of that template")
    subnets: tuple[str, ...] = Field(default=(), max_length=20, description="subnets; none: the default ones")
    security_groups: tuple[str, ...] = Field(default=(), max_length=16, description="sg-…; none: the default one")
    instance_profile: str | None = Field(default=None, description="name or ARN; none: instances have no role")
    key_name: str | None = Field(default=None, description="key pair for SSH; none: nobody logs in")
    disk_type: Literal["gp3", "gp2"] = Field(default="gp3", description="type of the boot disk")
    disk_encrypted: bool = Field(default=True, description="whether the boot disk is encrypted")


class GcePool(CloudPool):
    """`[pools.NAME]` with `backend = "gce"`: instances of Google Compute Engine."""

    backend: Backend = Field(default="gce", description=BACKEND)
    project: str = Field(description="Google Cloud project")
    zones: tuple[str, ...] = Field(min_length=1, max_length=60, description="zones in order of preference")
    machine_type: str = Field(default="c3-standard-8", description="machine type")
    machine_types_else: tuple[str, ...] = Field(
        default=(), max_length=10, description="machine types to take where the first cannot be had"
    )
    provisioning: Literal["spot", "standard"] = Field(default="spot", description="spot may be taken back")
    endpoint: str | None = Field(default=None, description="only for tests and private clouds")
    credentials_file: Path | None = Field(default=None, description="key of a service account; none: the machine's own")
    cheapest_first: bool = Field(default=True, description="whether the cheapest place is tried first")
    stock_out_s: float = Field(default=600.0, ge=0, description="how long a place without stock is tried last")
    operation_s: float = Field(default=180.0, ge=1, le=3600, description="how long a launch is waited for")
    image: str | None = Field(
        default=None, description="image or image family; none: the instance template's, else Debian 12"
    )
    instance_template: str | None = Field(default=None, description="global template that ours is laid over")
    network: str | None = Field(default=None, description="VPC network; none: the subnetwork's, else default")
    subnetwork: str | None = Field(default=None, description="subnetwork of each region, by name")
    network_tags: tuple[str, ...] = Field(default=(), max_length=64, description="tags that firewall rules go by")
    service_account: str | None = Field(default=None, description="account of the instances; none: they have none")
    scopes: tuple[str, ...] = Field(
        default=("https://www.googleapis.com/auth/cloud-platform",), description="scopes of that account"
    )
    disk_type: str = Field(default="pd-balanced", description="type of the boot disk")
    gpu_type: str | None = Field(default=None, description="e.g. nvidia-l4; none: what the machine type has")
    gpus: int = Field(default=0, ge=0, le=16, description="GPUs of gpu_type per instance")

    @field_validator("labels")
    @classmethod
    def _label_safe(cls, labels: dict[str, str]) -> dict[str, str]:
        for name, value in labels.items():
            if not (re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) and re.fullmatch(r"[a-z0-9_-]{0,63}", value)):
                raise ValueError(f"Google Cloud takes no label {name}={value}: use a-z, 0-9, _ and -, at most 63")
        return labels

    @field_validator("zones")
    @classmethod
    def _zones(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        region = next((zone for zone in zones if re.fullmatch(r"[a-z]+-[a-z]+\d+", zone)), None)
        if region is not None:
            raise ValueError(f"{region!r} is a region; its zones look like {region}-b")
        return zones

    @model_validator(mode="after")
    def _gpus_of_a_type(self) -> GcePool:
        if (self.gpus > 0) != (self.gpu_type is not None):
            raise ValueError("gpus and gpu_type belong together: give both or neither")
        return self


class SlurmPool(PoolSettings):
    """`[pools.NAME]` with `backend = "slurm"`: workers as array jobs of a Slurm cluster."""

    backend: Backend = Field(default="slurm", description=BACKEND)
    partition: str | None = Field(default=None, description="partition; none: the cluster's default")
    account: str | None = Field(default=None, description="account that the work is booked to; none: the user's")
    qos: str | None = Field(default=None, description="quality of service; none: the account's")
    vcpus: int = Field(default=4, ge=1, description="cores of one worker")
    memory_gib: float = Field(default=8.0, gt=0, description="memory of one worker")
    gpus: int = Field(default=0, ge=0, description="GPUs of one worker")
    gpu_type: str | None = Field(default=None, description="kind of GPU as the cluster calls it, e.g. a100")
    time_limit_s: float | None = Field(
        default=None, ge=60, description="longest job that the partition takes; none: life_s alone counts"
    )
    leave_s: float = Field(
        default=60.0, ge=0, description="how long before the job's time limit a worker must have left"
    )
    kill_wait_s: float = Field(default=30.0, ge=1, description="the cluster's KillWait, from SIGTERM to SIGKILL")
    queue_s: float = Field(default=1800.0, ge=60, description="longest wait in Slurm's queue; then it is called off")
    array_max: int = Field(default=1000, ge=1, le=4_000_000, description="workers of one array job (MaxArraySize - 1)")
    scratch: Path = Field(default=Path("/tmp"), description="folder on a node for what a worker keeps while it runs")  # noqa: S108 - made 0700 and checked
    log_folder: Path | None = Field(default=None, description="folder that nodes can write logs to; none: no logs")
    sbatch_options: tuple[str, ...] = Field(default=(), description="further options of sbatch, e.g. --constraint=avx2")
    programs: Path | None = Field(default=None, description="folder of sbatch; none: the usual ones are searched")
    slurm_conf: Path | None = Field(default=None, description="slurm.conf; none: where Slurm itself looks")
    call_s: float = Field(default=20.0, gt=0, le=300, description="longest run of one of Slurm's programs")


class OpencuePool(PoolSettings):
    """`[pools.NAME]` with `backend = "opencue"`: hosts of an OpenCue farm, through its host daemon RQD."""

    backend: Backend = Field(default="opencue", description=BACKEND)
    hosts: tuple[str, ...] = Field(min_length=1, description="hosts that run RQD, as HOST or HOST:PORT")
    listen: str = Field(
        pattern=r"^\S+:\d+$", description="HOST:PORT on which RQD's reports are taken; OVERRIDE_CUEBOT of the hosts"
    )
    vcpus: int = Field(default=4, ge=1, description="cores of one worker")
    memory_gib: float = Field(default=8.0, gt=0, description="memory of one worker")
    gpus: int = Field(default=0, ge=0, description="GPUs of one worker")
    user: str = Field(default="render", min_length=1, description="user that frames run as, where RQD changes users")
    uid: int | None = Field(default=None, ge=1, description="its number, where RQD makes users; none: it does not")
    gid: int | None = Field(default=None, ge=1, description="its group; none: the same number")
    ignore_nimby: bool = Field(default=False, description="start workers on machines at which somebody works")
    scratch: Path = Field(default=Path("/var/tmp"), description="folder on a host for what a worker keeps")  # noqa: S108 - made 0700 by mktemp
    log_folder: Path = Field(default=Path("/var/tmp"), description="folder on a host, or shared, for RQD's logs")  # noqa: S108 - only the log
    leave_s: float = Field(default=30.0, ge=0, description="time for a worker to leave, between SIGTERM and SIGKILL")
    lost_s: float = Field(default=120.0, gt=0, description="silence after which a host's workers count as gone")
    call_s: float = Field(default=5.0, gt=0, le=60, description="longest wait for an answer of RQD")


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
