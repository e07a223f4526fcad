"""The shapes of answers about jobs, their tasks, frames and events, for OpenAPI and for the tests."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scheduler.api.shapes import Shape


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
    cost_cap_usd: float | None = Field(description="the most that it may cost in pools with a price; none: no bound")
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
