"""The rows. They are neither the domain (frozen dataclasses) nor the wire (pydantic).

Times are UTC seconds since the epoch (REAL), sizes bytes. `Step` carries counters of its tasks' states, kept in the
transaction that moves the task, so that nothing ever counts a million rows.
"""

# pyright: reportAssignmentType=false
# SQLModel declares `__tablename__` as a descriptor, and lets it be a plain string.

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, text
from sqlmodel import Field, SQLModel


class Job(SQLModel, table=True):
    """A job as submitted, and where it stands. `removed` jobs were deleted from the queue.

    `tracked_*` is what production's tracker wishes, as it was last heard (`tracked_at`); None: it says nothing.
    `tracked_source` names the field that the priority came from, `tracked_hold` the status that holds the job back.
    `held_by` says who paused it ("tracking": the tracker, which may also resume it; "": a person).
    `boost` is the priority, in points of the scale 0 to 100, that its owner has bought. `cost_cap_usd` is the most that
    it may cost in pools with a price (None: no bound). `away` is the site that the job was handed over to: then no
    worker of this farm may lease of it.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index(
            "job_capped",
            "id",
            sqlite_where=text("cost_cap_usd IS NOT NULL"),
            postgresql_where=text("cost_cap_usd IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},  # a number is never given to a second job
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str
    status: str = Field(index=True)
    owner: str = Field(default="", index=True)
    priority: int = 50
    renderer: str
    frames: str
    frame_count: int
    format: str
    output: str | None = None
    output_root: str = ""
    scene: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    settings: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    requires: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    tracking: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    extra: dict[str, Any] = Field(sa_column=Column("metadata", JSON, nullable=False))
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    pools: list[str] = Field(sa_column=Column(JSON, nullable=False))
    shot: str = Field(default="", index=True)
    cloud: str = "allow"
    max_attempts: int = 3
    timeout_s: float = 3600.0
    deadline: float | None = None
    submitted_at: float
    started_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    removed: bool = False
    waiting_on: int = 0
    project: str = Field(default="", index=True)
    boost: float = 0.0
    tracked_priority: int | None = None
    tracked_deadline: float | None = None
    tracked_hold: str | None = None
    tracked_source: str | None = None
    tracked_at: float | None = None
    held_by: str = ""
    away: str | None = None
    cost_cap_usd: float | None = None


class JobDependency(SQLModel, table=True):
    """`job` may not start before `needs` has succeeded; `met` once it has."""

    __tablename__ = "job_dependency"

    job: int = Field(primary_key=True, foreign_key="job.id")
    needs: int = Field(primary_key=True, foreign_key="job.id", index=True)
    met: bool = False


class Step(SQLModel, table=True):
    """One step of a job with the counts of its tasks by state."""

    __tablename__ = "step"

    id: int | None = Field(default=None, primary_key=True)
    job_id: int = Field(foreign_key="job.id", index=True)
    name: str
    kind: str
    level: int = 0
    final: bool = True
    blocked: int = 0
    ready: int = 0
    leased: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0


class Task(SQLModel, table=True):
    """One task. `waiting` parts are still missing; `feeds` is the reducer that reads its output.

    `secret` and `attempt` are the fence: every write of a worker is conditional on both.
    """

    __tablename__ = "task"
    __table_args__ = (
        # The lease takes the first rows of this index; its cost does not grow with the number of pending tasks.
        Index(
            "task_ready",
            "step_id",
            "seq",
            sqlite_where=text("status = 'READY'"),
            postgresql_where=text("status = 'READY'"),
        ),
        Index("task_feeds", "feeds"),
        Index("task_job", "job_id", "step_id", "seq"),
    )

    id: int | None = Field(default=None, primary_key=True)
    job_id: int = Field(foreign_key="job.id")
    step_id: int = Field(foreign_key="step.id")
    seq: int
    status: str
    attempt: int = 0
    waiting: int = 0
    feeds: int | None = None
    frames: str
    tile: str | None = None
    slice: str | None = None
    worker: str | None = None
    secret: str | None = None
    failures: int = 0
    troubles: int = 0
    avoid: str | None = None
    avoid_until: float | None = None
    not_before: float | None = None
    message: str | None = None
    output: str | None = None


class Attempt(SQLModel, table=True):
    """One execution of a task. `manifest` names the files that it delivered."""

    __tablename__ = "attempt"
    __table_args__ = (
        Index(
            "attempt_publishing",
            "task_id",
            sqlite_where=text("status = 'PUBLISHING'"),
            postgresql_where=text("status = 'PUBLISHING'"),
        ),
        {"sqlite_with_rowid": False},
    )

    task_id: int = Field(primary_key=True, foreign_key="task.id")
    attempt: int = Field(primary_key=True)
    worker: str
    status: str
    leased_at: float
    ended_at: float | None = None
    seconds: float | None = None
    failure: str | None = None
    message: str | None = None
    exit_code: int | None = None
    manifest: str | None = None


class Frame(SQLModel, table=True):
    """A published, verified image. The row is the truth; a file without a row is garbage."""

    __tablename__ = "frame"

    job_id: int = Field(primary_key=True, foreign_key="job.id")
    frame: int = Field(primary_key=True)
    task_id: int
    attempt: int
    path: str
    size: int = Field(sa_type=BigInteger)
    hash: str
    width: int
    height: int
    channels: str
    black: bool = False
    published_at: float


class Blob(SQLModel, table=True):
    """An immutable file known by its SHA-256."""

    __tablename__ = "blob"

    hash: str = Field(primary_key=True)
    size: int = Field(sa_type=BigInteger)
    created_at: float
    used_at: float


class Worker(SQLModel, table=True):
    """A registered worker. `last_seen` is flushed in bulk; the live value is in memory.

    `owner` is the user whose machine it is and who earns points with it. `rating` is its measured power (1.0: the
    reference machine). `succeeded` and `failed` count its attempts, with those it lost among the failed. `instance` and
    `intent` are those of the rented machine that it runs on; empty: it runs on another.
    """

    __tablename__ = "worker"

    id: str = Field(primary_key=True)
    name: str
    pool: str = "onprem"
    host: str = ""
    status: str
    slots: int = 1
    capabilities: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    owner: str = ""
    rating: float | None = None
    rated_at: float | None = None
    succeeded: int = 0
    failed: int = 0
    drain: bool = False
    fast_failures: int = 0
    probations: int = 0
    canary_at: float | None = None
    registered_at: float
    last_seen: float
    instance: str = ""
    intent: str = Field(default="", index=True)


class Token(SQLModel, table=True):
    """A credential; only the hash of its secret is kept. Role `join` is a worker's join code.

    A join code is valid `uses_left` times: once, or once for each instance of the `intent` that it belongs to.
    """

    __tablename__ = "token"

    id: str = Field(primary_key=True)
    name: str
    role: str
    owner: str = ""
    worker: str | None = None
    pool: str | None = None
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, index=True))
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    used_at: float | None = None
    intent: str | None = Field(default=None, index=True)
    uses_left: int = 1


class Event(SQLModel, table=True):
    """What happened, for people and for programs; `id` only grows and is the resume point of event streams."""

    __tablename__ = "event"
    __table_args__ = (Index("event_job", "job_id", "id"), {"sqlite_autoincrement": True})

    id: int | None = Field(default=None, primary_key=True)
    at: float
    kind: str
    job_id: int | None = None
    task_id: int | None = None
    attempt: int | None = None
    worker: str | None = None
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class IdempotencyKey(SQLModel, table=True):
    """The answer that a key was given, and the hash of the request it was given for."""

    __tablename__ = "idempotency_key"

    owner: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_hash: str
    status: int
    answer: str
    created_at: float = Field(index=True)


class Meta(SQLModel, table=True):
    """Facts about this farm: its id, its name."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str
