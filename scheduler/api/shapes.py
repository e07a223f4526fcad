"""The shapes of answers, for OpenAPI and for the tests that compare every answer with them. Answers are plain data.

Times are ISO 8601 in UTC, sizes bytes, durations seconds.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Data = TypeVar("Data")


class Shape(BaseModel):
    """A closed shape: what is not listed is not answered."""

    model_config = ConfigDict(extra="forbid")


class Envelope(Shape, Generic[Data]):
    """Every JSON answer."""

    data: Data
    message: str


class ErrorData(Shape):
    """What went wrong, for programs (`code`, `details`) and for people (`hint`: what to do next)."""

    code: str
    details: Any = None
    hint: str


class ErrorEnvelope(Shape):
    """Every error."""

    data: ErrorData
    message: str


class TaskNumbers(Shape):
    """Tasks by what they are doing; `waiting` for a worker, or for the parts that they merge."""

    total: int
    done: int
    running: int
    failed: int
    waiting: int
    canceled: int


class JobEntry(Shape):
    """A job in a list."""

    jobID: str
    name: str
    jobs_status: str = Field(alias="jobs-status", description="the first design's spelling of status")
    status: str
    reason: str
    priority: int
    user: str
    shot: str
    project: str | None
    renderer: str
    frames: str
    frame_count: int
    progress: TaskNumbers
    submitted_at: str
    started_at: str | None
    ended_at: str | None
    deadline: str | None
    away: str | None = Field(description="the site that has the job; none: it is here")


class StepShape(Shape):
    """A step of a job: its level 0 renders, higher ones merge."""

    step: int
    name: str
    kind: str
    level: int
    progress: TaskNumbers


class Need(Shape):
    """A job that another one waits for."""

    jobID: str
    met: bool


class HandoverShape(Shape):
    """A job's newest handover to another farm, and how the job stands there."""

    site: str
    state: str
    outcome: str | None
    words: str
    jobID: str | None
    status: str | None
    published: int
    frames: int
    reason: str
    finish: str | None
    worked_s: float
    left_at: str
    admitted_at: str | None
    seen_at: str | None
    closed_at: str | None


class SiteShape(Shape):
    """A pool that is another farm: `jobs` of this farm are there; `trouble`: why it is left alone at present."""

    url: str
    jobs: int
    jobs_max: int
    trouble: str | None


class JobShape(JobEntry):
    """Everything about a job."""

    frames_published: int
    scene: str | None
    scene_version: str | None
    format: str
    output: str | None
    settings: dict[str, Any]
    requires: dict[str, Any]
    tracking: dict[str, Any]
    metadata: dict[str, Any]
    pools: list[str]
    cloud: str
    split: dict[str, Any] | None
    chunk: int
    max_attempts: int
    timeout_s: float
    depends_on: list[Need]
    steps: list[StepShape]
    worked_s: float = Field(description="time that workers of this farm spent on it, useful or not, in seconds")
    hops: list[str] = Field(description="ids of the farms that it came through")
    site: HandoverShape | None = Field(description="its newest handover to another farm")


class TaskShape(Shape):
    """A task; `tile` is [col, row, cols, rows], `slice` [index, count]."""

    task: int
    jobID: str
    step: str
    kind: str
    seq: int
    status: str
    attempt: int
    frames: list[int]
    tile: list[int] | None
    slice: list[int] | None
    worker: str | None
    failures: int
    message: str | None
    not_before: str | None
    progress: float
    note: str
    pictured_at: str | None
    """When the task showed a progress picture, see GET /tasks/{task}/preview; null: not since it was leased."""


class AttemptShape(Shape):
    """One execution of a task."""

    attempt: int
    worker: str
    status: str
    leased_at: str
    ended_at: str | None
    seconds: float | None
    failure: str | None
    message: str | None
    exit_code: int | None


class TaskWithAttempts(TaskShape):
    """A task and how often it was tried."""

    attempts: list[AttemptShape]


class FrameShape(Shape):
    """A frame: published, rendering, waiting, failed or canceled. A published one has the rest."""

    frame: int
    status: str
    path: str | None = None
    size: int | None = None
    hash: str | None = None
    width: int | None = None
    height: int | None = None
    channels: list[str] | None = None
    black: bool | None = None
    task: int | None = None
    attempt: int | None = None
    published_at: str | None = None


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


class EventShape(Shape):
    """Something that happened; ids only grow."""

    id: int
    at: str
    kind: str
    jobID: str | None
    task: int | None
    attempt: int | None
    worker: str | None
    data: dict[str, Any]


class RendererShape(Shape):
    """A renderer; `settings` is the JSON schema of its settings."""

    name: str
    title: str
    endings: list[str]
    scene: str
    formats: list[str]
    tiles: bool
    samples: bool
    settings: dict[str, Any]


class YouShape(Shape):
    """Who is asking, as the token says."""

    name: str
    role: str


class InfoShape(Shape):
    """The farm introduces itself."""

    farm: str
    farm_id: str
    version: str
    protocol: int
    you: YouShape
    started_at: str
    renderers: list[RendererShape]
    job: dict[str, Any] = Field(description="the JSON schema of POST /new_job")
    pools: list[str] = Field(description="where jobs may run, as far as the rules allow it")
    output_roots: list[str] = Field(description="folders in which frames may be published, as the farm sees them")
    limits: dict[str, Any]
    features: list[str]
    tracker: dict[str, Any] | None = Field(description="as POST /priorities/sync answers; none: no tracker is set up")


class AddonShape(Shape):
    """An add-on; `hash` is the SHA-256 of its zip."""

    program: str
    title: str
    version: str
    path: str
    size: int
    hash: str


class RepositoryShape(Shape):
    """A Blender extension repository; not in the envelope, because Blender reads it."""

    version: str
    blocklist: list[Any]
    data: list[dict[str, Any]]


class Health(Shape):
    """It is alive."""

    status: str


class BlobShape(Shape):
    """A file in the farm's storage, known by its SHA-256."""

    hash: str
    size: int


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


class TokenShape(Shape):
    """A token or join code, without its secret."""

    id: str
    name: str
    role: str
    user: str
    worker: str | None
    created_at: str
    expires_at: str | None


class NewTokenShape(Shape):
    """A new token; `token` is shown this once."""

    id: str
    name: str
    role: str
    token: str
    expires_at: str | None
    ca_pin: str | None = Field(description="what a new machine recognises the farm by; none: it serves plain HTTP")


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
