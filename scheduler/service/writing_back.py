"""What people see of the outbox to production's tracker, and what they may do about a message."""

from __future__ import annotations

from typing import Any, Literal

from scheduler.domain.outbox import MessageStatus
from scheduler.errors import Refused
from scheduler.priorities.outbox import drop_message, list_messages, retry_message
from scheduler.service.farm import Farm, iso
from scheduler.service.ledger import Ledger
from scheduler.service.viewing import reading
from scheduler.store.production import Outgoing
from scheduler.store.transaction import Transaction

Action = Literal["retry", "drop"]


def message_statuses(text: str) -> frozenset[str]:
    """Statuses as they are asked for, separated by commas; none: all.

    Raises:
        Refused: one of them is none.
    """
    wanted = frozenset(part.strip().upper() for part in text.split(",") if part.strip())
    unknown = wanted - frozenset(MessageStatus)
    if unknown:
        known = ", ".join(MessageStatus)
        raise Refused(f"status: {min(unknown)[:40]!r} is none of {known}.", code="invalid_field")
    return wanted


async def list_outbox(
    farm: Farm, *, status: frozenset[str], job: int | None, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Messages, newest first, and the cursor of the next page (None: the last)."""
    rows = await reading(
        farm, lambda session: list_messages(session, status=status, job=job, before=before, limit=limit + 1)
    )
    page = rows[:limit]
    return [message_view(row) for row in page], str(page[-1].id) if len(rows) > limit else None


async def settle_message(farm: Farm, number: int, action: Action, by: str) -> dict[str, Any]:
    """Deliver a message again, or never; who said so stands in the job's events.

    Raises:
        NotFound, Conflict: there is no such message, or nothing is left to be done about it.
    """
    settle = retry_message if action == "retry" else drop_message

    def change(tx: Transaction, ledger: Ledger) -> dict[str, Any]:
        row = settle(tx, number, ledger.now_s)
        ledger.event(tx, f"outbox.{action}", job=row.job_id, message=row.key, by=by)
        return message_view(row)

    return await farm.change(change)


def message_view(row: Outgoing) -> dict[str, Any]:
    """A message as people see it."""
    return {
        "id": row.id,
        "kind": row.kind,
        "key": row.key,
        "jobID": f"{row.job_id:05d}",
        "status": row.status,
        "error": row.error,
        "tries": row.tries,
        "wanted": row.payload.get("status"),
        "conflict": row.steps.get("conflict"),
        "version_id": row.steps.get("version"),
        "task_id": row.steps.get("task") or row.payload.get("reference", {}).get("task_id"),
        "created_at": iso(row.created_at),
        "next_at": iso(row.next_at) if row.status == MessageStatus.PENDING else None,
        "done_at": iso(row.done_at),
    }
