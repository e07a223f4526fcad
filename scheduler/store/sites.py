"""The rows of handovers: jobs that were given whole to another farm.

As in `scheduler.store.tables`: times are UTC seconds since the epoch, and rows are neither the domain nor the wire.
"""

# pyright: reportAssignmentType=false
# SQLModel declares `__tablename__` as a descriptor, and lets it be a plain string.

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class Handover(SQLModel, table=True):
    """One handover; `scheduler.domain.handover` says what its states mean.

    `key` is the Idempotency-Key of its submission, for ever. `payload` is what was submitted, `manifest` the files that
    it needs (`hash`, `size`, `name`), `frames` those that are awaited. `let_go`: the job was taken back. `told_…` is
    what the other farm was last told, `far_…` what it has last said. `retry_at`: after a refusal, when it is asked
    again. An open handover that is not let go has its site in the job's `away`.
    """

    __tablename__ = "handover"

    id: int | None = Field(default=None, primary_key=True)
    job_id: int = Field(foreign_key="job.id", index=True)
    site: str
    key: str = Field(unique=True)
    state: str = Field(index=True)
    outcome: str = ""
    reason: str = ""
    let_go: bool = False
    frames: str
    manifest: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    shipped: bool = False
    told_paused: bool = True
    told_priority: int | None = None
    told_cancel: bool = False
    far_farm: str = ""
    far_job: str = ""
    far_status: str = ""
    far_published: int = 0
    far_frames: int = 0
    far_reason: str = ""
    far_finish: str = ""
    far_worked_s: float = 0.0
    created_at: float
    admitted_at: float | None = None
    seen_at: float | None = None
    closed_at: float | None = None
    retry_at: float | None = None
