"""The rows beside the queue: production's wishes, the rules, what was learned, and the users' points.

As in `scheduler.store.tables`: times are UTC seconds since the epoch, and rows are neither the domain nor the wire.
"""

# pyright: reportAssignmentType=false
# SQLModel declares `__tablename__` as a descriptor, and lets it be a plain string.

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column
from sqlmodel import Field, SQLModel


class TrackedEntity(SQLModel, table=True):
    """A cached entity of production's tracker. `data` holds the fields that the mapping asks for, as the wire has them.

    `gone` entities were deleted there; a project also when it was archived.
    """

    __tablename__ = "tracked_entity"

    kind: str = Field(primary_key=True)
    id: int = Field(primary_key=True)
    name: str = ""
    project_id: int | None = Field(default=None, index=True)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    gone: bool = False
    fetched_at: float


class PriorityOverride(SQLModel, table=True):
    """A person's priority for a job, over what the tracker says: with reason, author and, where set, an end."""

    __tablename__ = "priority_override"

    job_id: int = Field(primary_key=True, foreign_key="job.id")
    priority: int
    reason: str
    author: str
    created_at: float
    expires_at: float | None = Field(default=None, index=True)


class Outgoing(SQLModel, table=True):
    """The outbox: what is to be written to the tracker. `key` is unique: the same thing is never queued twice.

    `status` is PENDING, SENT, CONFLICT (the tracker holds something else; shown, never overwritten) or REFUSED.
    `steps` remembers what has been done of a message that takes several calls, so that it goes on where it was.
    """

    __tablename__ = "outgoing"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    kind: str
    job_id: int = Field(foreign_key="job.id", index=True)
    status: str = Field(default="PENDING", index=True)
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    steps: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    tries: int = 0
    next_at: float = 0.0
    error: str = ""
    created_at: float
    done_at: float | None = None


class FrameTimes(SQLModel, table=True):
    """What frames of one kind took: recent samples in seconds on the reference machine, oldest first."""

    __tablename__ = "frame_times"

    project: str = Field(primary_key=True)
    renderer: str = Field(primary_key=True)
    scene: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    samples: list[float] = Field(sa_column=Column(JSON, nullable=False))
    count: int = 0
    updated_at: float


class Forecast(SQLModel, table=True):
    """A finish time that was foretold for a job, and what became of it: by these, estimates are judged.

    `share` is the part of the job's tasks that had succeeded when it was made.
    """

    __tablename__ = "forecast"

    id: int | None = Field(default=None, primary_key=True)
    job_id: int = Field(foreign_key="job.id", index=True)
    made_at: float
    share: float
    finish: float
    low: float
    high: float
    basis: str
    actual: float | None = None


class RuleSet(SQLModel, table=True):
    """One version of the routing rules; the newest is in force. `text` is what was written, `rules` what it says."""

    __tablename__ = "rule_set"
    __table_args__ = {"sqlite_autoincrement": True}

    version: int | None = Field(default=None, primary_key=True)
    rules: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    text: str
    syntax: str
    author: str
    note: str = ""
    created_at: float


class PointsAccount(SQLModel, table=True):
    """A user's points. The balance is never negative: the table itself refuses it."""

    __tablename__ = "points_account"
    __table_args__ = (CheckConstraint("balance >= 0", name="balance_not_negative"),)

    user: str = Field(primary_key=True)
    balance: float = 0.0


class PointsEntry(SQLModel, table=True):
    """One booking: `kind` is EARNED, GRANTED, SPENT or REFUNDED; `balance` is what was left after it."""

    __tablename__ = "points_entry"

    id: int | None = Field(default=None, primary_key=True)
    user: str = Field(index=True)
    at: float
    kind: str
    points: float
    balance: float
    job_id: int | None = None
    worker: str | None = None
    note: str = ""
