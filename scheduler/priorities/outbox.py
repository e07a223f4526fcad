"""The outbox: what the farm wants to tell production's tracker, written in the transaction in which it happened.

Queueing reads one row and writes one or two, and knows nothing of the network. `delivering` sends what is here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from scheduler.domain.outbox import (
    OPEN_FOR_PEOPLE,
    MessageKind,
    MessageStatus,
    Waiting,
    due,
    task_key,
    version_key,
)
from scheduler.domain.states import JobStatus
from scheduler.errors import Conflict, NotFound
from scheduler.priorities.chains import Reference
from scheduler.settings.tracking import ShotGridSettings, WriteBackSettings
from scheduler.store.production import Outgoing, TrackedEntity
from scheduler.store.transaction import Query, Transaction

STATUS_FIELD = "sg_status_list"

JOB_TRACKING = Query("SELECT tracking FROM job WHERE id = ?")
"""Bare, because every job that ends pays for it; PostgreSQL's driver decodes the JSON itself."""

KEPT_STEPS = ("links", "version")
"""What is remembered of a Version that is delivered anew: what it hangs on, and that it is there."""


@dataclass(frozen=True)
class Outbox:
    """Queues messages; `farm_id` makes their keys unique among the farms that write to one site."""

    farm_id: str
    write: WriteBackSettings

    def job_moved(self, tx: Transaction, now_s: float, job: int, after: JobStatus) -> None:
        """Queue what the tracker is to hear of a job that has come into a state, in the transaction of the move."""
        version = self.write.versions and after is JobStatus.SUCCEEDED
        status = self.write.task_status.get(after.value)
        if not (version or status):
            return
        said = tx.rows(JOB_TRACKING, (job,))[0][0]
        tracking: dict[str, Any] = json.loads(said) if isinstance(said, str) else said
        reference = Reference.of(tracking)
        if reference is None:
            return
        if version:
            self._queue_version(tx.session, now_s, job, tracking)
        if status and (reference.task_id or reference.task):
            self._queue_status(tx.session, now_s, job, {"reference": tracking, "status": status}, reference)

    def _queue_version(self, session: Session, now_s: float, job: int, tracking: Mapping[str, Any]) -> None:
        """A job has one Version: what succeeds again brings the same one up to date."""
        key = version_key(self.farm_id, job)
        row = session.exec(select(Outgoing).where(Outgoing.key == key)).first()
        if row is None:
            payload = {"reference": dict(tracking)}
            session.add(_message(key, MessageKind.VERSION, job, payload, now_s))
            return
        row.status, row.tries, row.next_at, row.error, row.done_at = MessageStatus.PENDING.value, 0, now_s, "", None
        row.steps = {name: row.steps[name] for name in KEPT_STEPS if name in row.steps}
        row.payload = {**row.payload, "round": int(row.payload.get("round", 0)) + 1}

    def _queue_status(
        self, session: Session, now_s: float, job: int, payload: dict[str, Any], reference: Reference
    ) -> None:
        told = session.exec(
            select(Outgoing.payload)
            .where(Outgoing.job_id == job, Outgoing.kind == MessageKind.TASK_STATUS)
            .order_by(col(Outgoing.id))
        ).all()
        if told and told[-1]["status"] == payload["status"]:
            return  # a job that was paused and goes on has nothing new to tell
        cached = session.get(TrackedEntity, ("Task", reference.task_id)) if reference.task_id else None
        if cached is not None and not cached.gone:
            payload["expected"] = cached.data.get(STATUS_FIELD)
        key = task_key(self.farm_id, job, len(told) + 1)
        session.add(_message(key, MessageKind.TASK_STATUS, job, payload, now_s))


def make_outbox(settings: ShotGridSettings, farm_id: str) -> Outbox | None:
    """The outbox of a farm that has a tracker and something to tell it; None otherwise."""
    if settings.url is None or not (settings.write.versions or settings.write.task_status):
        return None
    return Outbox(farm_id, settings.write)


def due_messages(session: Session, now_s: float) -> list[int]:
    """Ids of the messages whose turn it is."""
    rows = session.exec(
        select(Outgoing.id, Outgoing.job_id, Outgoing.next_at).where(Outgoing.status == MessageStatus.PENDING)
    ).all()
    return due((Waiting(row[0] or 0, row[1], row[2]) for row in rows), now_s)


def last_written(session: Session, task_id: int, since_s: float) -> str | None:
    """The status that this farm gave a Task last, if it did since then."""
    rows = session.exec(
        select(Outgoing.steps)
        .where(
            Outgoing.kind == MessageKind.TASK_STATUS,
            Outgoing.status == MessageStatus.SENT,
            col(Outgoing.done_at) >= since_s,
            col(Outgoing.steps)["task"].as_integer() == task_id,
        )
        .order_by(col(Outgoing.done_at).desc(), col(Outgoing.id).desc())
        .limit(1)
    ).first()
    return rows.get("wrote") if rows else None


def list_messages(
    session: Session, *, status: frozenset[str], job: int | None, before: int | None, limit: int
) -> list[Outgoing]:
    """Messages, newest first."""
    query = select(Outgoing).order_by(col(Outgoing.id).desc()).limit(limit)
    if status:
        query = query.where(col(Outgoing.status).in_(sorted(status)))
    if job is not None:
        query = query.where(Outgoing.job_id == job)
    if before is not None:
        query = query.where(col(Outgoing.id) < before)
    return list(session.exec(query).all())


def retry_message(tx: Transaction, number: int, now_s: float) -> Outgoing:
    """Deliver a message again at once. A conflict that was seen is settled: what was found then may be overwritten.

    Raises:
        NotFound, Conflict: there is no such message, or nothing is left to be done about it.
    """
    row = _open_message(tx, number)
    conflict = row.steps.get("conflict")
    if row.status == MessageStatus.CONFLICT and conflict:
        row.payload = {**row.payload, "accepted": conflict["found"]}
    row.steps = {name: value for name, value in row.steps.items() if name != "conflict"}
    row.status, row.tries, row.next_at, row.error = MessageStatus.PENDING.value, 0, now_s, ""
    return row


def drop_message(tx: Transaction, number: int, now_s: float) -> Outgoing:
    """Never deliver a message; it stays in the list.

    Raises:
        NotFound, Conflict: as `retry_message`.
    """
    row = _open_message(tx, number)
    row.status, row.done_at = MessageStatus.DROPPED.value, now_s
    return row


def _open_message(tx: Transaction, number: int) -> Outgoing:
    row = tx.session.get(Outgoing, number)
    if row is None:
        raise NotFound(
            f"There is no message {number} in the outbox.", code="message_unknown", hint="GET /priorities/outbox."
        )
    if row.status not in OPEN_FOR_PEOPLE:
        raise Conflict(
            f"Message {number} is {row.status}: nothing is left to be done about it.",
            code="message_state",
            details={"status": row.status},
        )
    return row


def _message(key: str, kind: MessageKind, job: int, payload: dict[str, Any], now_s: float) -> Outgoing:
    return Outgoing(
        key=key, kind=kind.value, job_id=job, payload=payload, steps={}, next_at=now_s, created_at=now_s
    )  # fmt: skip
