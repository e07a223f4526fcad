"""What an artist's tool sends with `POST /new_job`, short form. Unknown fields are refused (`extra="forbid"`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scheduler.protocol.renderers import Format

TEXT_MAX = 1024
TAGS_MAX = 64


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

    name: str = Field(min_length=1, max_length=200)
    renderer: str | None = Field(default=None, max_length=64)
    scene: str | None = Field(default=None, max_length=4096)
    frames: str | None = Field(default=None, max_length=10_000)
    chunk: int = Field(default=1, ge=1, le=100_000)
    split: Split | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    output: str | None = Field(default=None, max_length=4096)
    format: Format | None = None
    tracking: Tracking = Field(default_factory=Tracking)
    priority: int = Field(default=50, ge=0, le=100)
    deadline: datetime | None = None
    pools: list[str] | None = Field(default=None, max_length=TAGS_MAX)
    cloud: Literal["allow", "prefer", "never"] = "allow"
    requires: Requires = Field(default_factory=Requires)
    depends_on: list[str] = Field(default_factory=list, max_length=1000)
    max_attempts: int = Field(default=3, ge=1, le=100)
    timeout_s: float = Field(default=3600.0, gt=0.0, le=30 * 86_400.0)
    preview_first: bool = False
    paused: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)
