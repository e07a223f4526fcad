"""How a worker introduces itself (`POST /workers`) and what it is told."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Capabilities(BaseModel):
    """What a machine has. `renderers` maps a renderer to the versions found, e.g. {"kernel": ["0.1.0"],
    "blender": ["3.4.1"]}; `details` holds what the probe found besides (build options, devices, paths)."""

    model_config = ConfigDict(extra="forbid")

    vcpus: int = Field(ge=1)
    memory_gib: float = Field(ge=0)
    gpus: int = Field(default=0, ge=0)
    tags: list[str] = Field(default_factory=list)
    renderers: dict[str, list[str]] = Field(default_factory=dict)
    details: dict[str, Any] = Field(default_factory=dict)


class WorkerHello(BaseModel):
    """A worker's first words: the join code, its name, its pool, how many tasks it runs side by side.

    `instance` and `intent` say which machine of a cloud it runs on, and by which order that was started.
    """

    model_config = ConfigDict(extra="forbid")

    join: str = Field(max_length=200)
    name: str = Field(min_length=1, max_length=200)
    pool: str = Field(default="onprem", max_length=100)
    slots: int = Field(default=1, ge=1, le=1024)
    protocol: int = 1
    instance: str = Field(default="", max_length=200)
    intent: str = Field(default="", max_length=200)
    capabilities: Capabilities
    csr: str | None = Field(default=None, max_length=8192)
    """A certificate signing request (PEM) for the worker's own key, where the farm serves HTTPS."""


class WorkerWelcome(BaseModel):
    """The worker's id and token (told once), and the farm's rhythm in seconds."""

    worker: str
    token: str
    lease_s: float
    renew_s: float
    grace_s: float
    farm: str
    certificate: str | None = None
    """The worker's certificate (PEM), if it has asked for one and the farm gives them."""


class CertificateRequest(BaseModel):
    """`POST /workers/{id}/certificate`: a signing request (PEM) for a certificate in the place of an older one."""

    model_config = ConfigDict(extra="forbid")

    csr: str = Field(max_length=8192)
