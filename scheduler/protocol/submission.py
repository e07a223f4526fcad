"""What an artist's tool sends with `POST /new_job`, short form. Unknown fields are refused (`extra="forbid"`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scheduler.protocol.renderers import Format

TEXT_MAX = 1024
TAGS_MAX = 64
USD_MAX = 1e9
"""The highest cost cap."""

HOPS_MAX = 8
"""Farms that a job may come through, one handing it over to the next."""


class Split(BaseModel):
    """How one frame is shared out: `{"tiles": [cols, rows]}` or `{"samples": n}`."""

    model_config = ConfigDict(extra="forbid")

    tiles: tuple[int, int] | None = Field(default=None)
    samples: int | None = Field(default=None, ge=1, le=4096)


class Tracking(BaseModel):
    """What production's tracker calls this work."""

    model_config = ConfigDict(extra="forbid")

    project: str | None = Field(default=None, max_length=TEXT_MAX)
    sequence: str | None = Field(default=None, max_length=TEXT_MAX)
    shot: str | None = Field(default=None, max_length=TEXT_MAX)
    task: str | None = Field(default=None, max_length=TEXT_MAX)
    task_id: int | None = None
    version: str | None = Field(default=None, max_length=TEXT_MAX)


class Requires(BaseModel):
    """What a worker must have for one task of this job."""

    model_config = ConfigDict(extra="forbid")

    vcpus: int = Field(default=1, ge=1, le=4096)
    memory_gib: float = Field(default=0.0, ge=0.0, le=65_536.0)
    gpus: int = Field(default=0, ge=0, le=64)
    tags: list[str] = Field(default_factory=list, max_length=TAGS_MAX)


class NewJob(BaseModel):
    """A generic job. `{"name": "hello"}` alone is valid and renders the built-in scene."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, description="what people call it")
    renderer: str | None = Field(
        default=None, max_length=64, description="none: it follows from the ending of the scene"
    )
    scene: str | None = Field(
        default=None,
        max_length=4096,
        description="a path that workers can see, blob:SHA-256[/name], archive:SHA-256[/scene] or bundle:SHA-256",
    )
    frames: str | None = Field(
        default=None, max_length=10_000, description="as in fileseq, e.g. 1-100x2,150; none: frame 1"
    )
    chunk: int = Field(default=1, ge=1, le=100_000, description="frames that one task renders")
    split: Split | None = Field(default=None, description="how each frame is shared out")
    settings: dict[str, Any] = Field(default_factory=dict, description="settings of the renderer, see GET /info")
    output: str | None = Field(
        default=None, max_length=4096, description="absolute path, #### is the frame; none: kept by the farm"
    )
    format: Format | None = Field(default=None, description="none: from the ending of output, else png")
    tracking: Tracking = Field(default_factory=Tracking)
    priority: int = Field(default=50, ge=0, le=100, description="0 to 100, the higher goes first")
    deadline: datetime | None = Field(default=None, description="when it must be done")
    pools: list[str] | None = Field(
        default=None, max_length=TAGS_MAX, description="pools it may run in; none: as the farm decides"
    )
    cloud: Literal["allow", "prefer", "never"] = Field(default="allow", description="may it leave the studio")
    cost_cap_usd: float | None = Field(
        default=None,
        ge=0.0,
        le=USD_MAX,
        allow_inf_nan=False,
        description="the most that it may cost in pools with a price; 0: only where it is free; none: no bound",
    )
    requires: Requires = Field(default_factory=Requires)
    depends_on: list[str] = Field(default_factory=list, max_length=1000, description="jobs that must succeed first")
    max_attempts: int = Field(
        default=3, ge=1, le=100, description="attempts that a task may spend on failures of its own"
    )
    timeout_s: float = Field(default=3600.0, gt=0.0, le=30 * 86_400.0, description="longest time of one attempt")
    preview_first: bool = Field(default=False, description="first, last and middle frame before the others")
    paused: bool = Field(default=False, description="accepted, but not started")
    metadata: dict[str, Any] = Field(default_factory=dict, description="kept and shown, not read")
    hops: list[str] = Field(
        default_factory=list,
        max_length=HOPS_MAX,
        description="ids of the farms that it came through; they fill it in",
    )
