"""`[pools.NAME]` of a cloud: instances of Amazon EC2 or Google Compute Engine, and what is the same for both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from scheduler.settings.pool import BACKEND, Backend, PoolSettings

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
