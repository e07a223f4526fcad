"""The shapes of answers about workers and pools, and to workers, for OpenAPI and for the tests."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scheduler.api.shapes import Shape


class RunningShape(Shape):
    """A task that a worker holds."""

    task: int
    attempt: int
    jobID: str
    progress: float
    note: str


class WorkerShape(Shape):
    """A registered worker. `rating` is the power of one of its vCPUs (1: the reference machine's), `reliability` the
    chance that its next attempt does not fail through its own fault."""

    worker: str
    name: str
    pool: str
    host: str
    status: str
    drain: bool
    slots: int
    running: list[RunningShape]
    load: float | None
    blocked: str
    leaving: str
    owner: str
    rating: float | None
    rated_at: str | None
    succeeded: int
    failed: int
    reliability: float
    capabilities: dict[str, Any]
    instance: str | None = Field(description="the rented machine that it runs on, by its provider's id")
    intent: str | None = Field(description="the intent that launched that machine")
    registered_at: str
    last_seen_at: str


class SiteShape(Shape):
    """A pool that is another farm: `jobs` of this farm are there; `trouble`: why it is left alone at present."""

    url: str
    jobs: int
    jobs_max: int
    trouble: str | None


class PoolShape(Shape):
    """A pool at this moment; `ready` tasks may go there."""

    pool: str
    backend: str
    workers: int
    workers_by_status: dict[str, int]
    slots: int
    running: int
    ready: int
    members: list[str]
    site: SiteShape | None = None


class WelcomeShape(Shape):
    """A worker's id and token, and the farm's rhythm in seconds; `certificate` (PEM) if it has asked for one."""

    worker: str
    token: str
    lease_s: float
    renew_s: float
    grace_s: float
    farm: str
    certificate: str | None = None


class CertificateShape(Shape):
    """A worker's certificate (PEM)."""

    certificate: str


class StagedShape(Shape):
    """A file that an attempt has staged."""

    name: str
    size: int
    hash: str


class DirectShape(Shape):
    """Where an output file may be put without the scheduler, with which headers; `url` null: nowhere."""

    url: str | None
    headers: dict[str, str]


class PictureShape(Shape):
    """Whether a progress picture was kept; not if it came too soon after the last one."""

    taken: bool


class LogShape(Shape):
    """How long an attempt's log is now, in bytes."""

    length: int


class AckShape(Shape):
    """A report was taken; `status` 202: its files are being verified."""

    task: int
    attempt: int
    status: int
    code: str
