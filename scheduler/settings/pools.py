"""`[pools.NAME]`: all kinds of pools. `backend` says which of them a table is."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from scheduler.settings.cloud_pools import AwsPool, GcePool
from scheduler.settings.cluster_pools import OpencuePool, SlurmPool
from scheduler.settings.onprem_pools import OnpremPool
from scheduler.settings.site_pools import SitePool


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
