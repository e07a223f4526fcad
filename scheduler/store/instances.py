"""The rows of what was launched: intents with the money that is reserved for them, instances, and alerts of budgets.

As in `scheduler.store.tables`: times are UTC seconds since the epoch, and rows are neither the domain nor the wire.
"""

# pyright: reportAssignmentType=false
# SQLModel declares `__tablename__` as a descriptor, and lets it be a plain string.

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class LaunchIntent(SQLModel, table=True):
    """The intent to launch `count` instances, written before the provider is asked.

    `reserved_usd` is what is held for the `expected` ones that are not gone yet; `expected` is `count` until the intent
    is `settled`, that is, until nothing more of it can appear. `asked_at` is when the provider was about to be asked,
    `lookup_at` the moment from which an unknown outcome is looked up. `shares` says which project pays which part.
    """

    __tablename__ = "launch_intent"

    id: str = Field(primary_key=True)
    pool: str = Field(index=True)
    status: str = Field(index=True)
    count: int
    expected: int
    settled: bool = False
    price_usd_per_hour: float
    billing_s: float
    life_s: float
    reserved_usd: float
    shares: dict[str, float] = Field(sa_column=Column(JSON, nullable=False))
    reasons: list[str] = Field(sa_column=Column(JSON, nullable=False))
    created_at: float
    asked_at: float | None = None
    lookup_at: float | None = None
    ended_at: float | None = None
    error: str = ""


class CloudInstance(SQLModel, table=True):
    """An instance that exists, or did. `id` is its provider's.

    `intent` is the intent that it belongs to; empty: it was found and nobody had ordered it, or more was there than
    ordered (`label` is what its label says then). `seen_at` is when a list last had it, `missing_since` is since when
    lists leave it out, `asked_at` when its provider was last asked to end it. `usd` is what it cost, once it is gone.
    """

    __tablename__ = "instance"

    pool: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    intent: str = Field(default="", index=True)
    label: str = ""
    status: str = Field(index=True)
    reason: str = ""
    preempted: bool = False
    machine: str = ""
    place: str = ""
    address: str = ""
    price_usd_per_hour: float
    billing_s: float
    life_s: float
    worker: str = Field(default="", index=True)
    launched_at: float
    running_at: float | None = None
    seen_at: float | None = None
    missing_since: float | None = None
    asked_at: float | None = None
    ended_at: float | None = Field(default=None, index=True)
    usd: float = 0.0


class BudgetAlert(SQLModel, table=True):
    """An alert that was given: once for each threshold of a budget in each of its periods."""

    __tablename__ = "budget_alert"

    budget: str = Field(primary_key=True)
    period_start: float = Field(primary_key=True)
    threshold: float = Field(primary_key=True)
    at: float
    details: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
