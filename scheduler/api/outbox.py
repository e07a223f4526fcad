"""What the farm writes to production's tracker: the messages, their troubles, and what people do about them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.bodies import json_object
from scheduler.api.context import Caller, OnFarm, guarded, next_page, page_size, takes, tells
from scheduler.api.requests import SettleMessage, read
from scheduler.api.shapes import Shape
from scheduler.errors import NotFound, Refused
from scheduler.service.farm import job_number
from scheduler.service.viewing import number_of_job
from scheduler.service.writing_back import list_outbox, message_statuses, settle_message

router = guarded("priorities")

CURSOR_MAX = 20
TEXT_MAX = 200


class ConflictShape(Shape):
    """What the tracker held, what the farm had expected there, and what it would have written."""

    found: str
    expected: str | None
    wanted: str


class MessageShape(Shape):
    """A message to the tracker. `error` is why it was not sent, or what was left out of it."""

    id: int
    kind: str
    key: str
    jobID: str
    status: str
    error: str
    tries: int
    wanted: str | None
    conflict: ConflictShape | None
    version_id: int | None
    task_id: int | None
    created_at: str
    next_at: str | None
    done_at: str | None


@router.get(
    "/priorities/outbox",
    responses=tells(list[MessageShape], 404, 422, words="The page; X-Next-Cursor and Link lead to the next"),
)
async def get_outbox(
    request: Request,
    farm: OnFarm,
    status: Annotated[str, Query(max_length=TEXT_MAX, description="e.g. CONFLICT,REFUSED")] = "",
    job: Annotated[str, Query(max_length=CURSOR_MAX, description="messages about this job")] = "",
    limit: Annotated[int | None, Query(description="messages of one page")] = None,
    cursor: Annotated[str, Query(max_length=CURSOR_MAX, description="from X-Next-Cursor of the page before")] = "",
) -> Response:
    """List what the farm has told production's tracker, and what it could not tell it, newest first."""
    before = job_number(cursor) if cursor else None
    if cursor and before is None:
        raise Refused("cursor: take it from the X-Next-Cursor header of the page before.", code="invalid_field")
    number = number_of_job(job) if job else None
    page, following = await list_outbox(
        farm, status=message_statuses(status), job=number, before=before, limit=page_size(farm, limit)
    )
    return answer(page, f"{len(page)} messages.", headers=next_page(request, following))


@router.post(
    "/priorities/outbox/{message}/retry",
    responses=tells(MessageShape, 404, 409, 422),
    openapi_extra=takes("SettleMessage", required=False),
)
async def retry_outgoing(request: Request, farm: OnFarm, caller: Caller, message: str) -> Response:
    """Deliver a message again, or never again with `{"action": "drop"}`.

    A conflict that is retried is settled in the farm's favour, unless the tracker has changed once more.
    """
    wanted = read(SettleMessage, await json_object(request, optional=True))
    number = job_number(message)
    if number is None:
        raise NotFound(f"There is no message {message[:40]!r} in the outbox.", code="message_unknown")
    shown = await settle_message(farm, number, wanted.action, caller.name)
    done = "will be delivered again" if wanted.action == "retry" else "will never be delivered"
    return answer(shown, f"Message {number} {done}.")
