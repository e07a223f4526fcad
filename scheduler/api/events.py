"""`GET /events`: what happens, as it happens, as server-sent events.

An event's id is its row's; with `Last-Event-ID` the stream goes on behind it, first from the table, then live. Whoever
is too slow is cut off and resumes like that. See https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import Header, Query
from starlette.responses import Response, StreamingResponse

from scheduler.api.context import Serving, guarded, sends
from scheduler.errors import Refused, Unavailable
from scheduler.service.farm import Farm, job_number
from scheduler.service.ledger import EventNote
from scheduler.service.viewing import event_bounds, event_view, find_job, list_events, number_of_job, reading

router = guarded("events")

KEEP_ALIVE_S = 15.0
"""A comment is sent after so long a silence, so that proxies keep the line and a dead one is noticed."""

CATCH_UP_EVENTS = 500
"""Events read from the table at once."""

TOGETHER_MAX = 200
"""Live events that are sent as one piece when they come fast."""

RETRY_MS = 2000

Queue = asyncio.Queue[EventNote | None]
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/events", responses=sends("text/event-stream", 404, 422, 503, words="The stream"))
async def get_events(
    services: Serving,
    job: Annotated[str | None, Query(max_length=20, description="only of this job")] = None,
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
    last_event_id: Annotated[
        str | None, Query(max_length=20, description="for clients that cannot set headers")
    ] = None,
) -> Response:
    """Listen to what happens. Without Last-Event-ID the stream begins now."""
    farm, number = services.farm, None if job is None else number_of_job(job)
    if number is not None:
        wanted = number
        await reading(farm, lambda session: find_job(session, wanted))
    if services.stopping:
        raise Unavailable("The scheduler is shutting down.", code="shutting_down")
    stream = _stream(farm, number, _last_id(last or last_event_id))
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


async def _stream(farm: Farm, job: int | None, last: int | None) -> AsyncIterator[bytes]:
    # Subscribed before the table is read: an event is in the one, in the other, or in both, but never in neither.
    queue = farm.live.subscribe()
    try:
        yield b": Outfield events\nretry: %d\n\n" % RETRY_MS
        seen = 0 if last is None else last
        if last is not None and (newest := await _too_far_behind(farm, last)) is not None:
            seen = newest
            yield b"id: %d\nevent: resync\ndata: {}\n\n" % newest
        while last is not None and (events := await _missed(farm, job, seen)):
            seen = events[-1]["id"]
            yield b"".join(_piece(event) for event in events)
        while (notes := await _next(queue)) is not None:
            fresh = [note for note in notes if note.id > seen and job in (None, note.job)]
            yield b"".join(_piece(event_view(note)) for note in fresh) or b":\n\n"
    finally:
        farm.live.unsubscribe(queue)


async def _missed(farm: Farm, job: int | None, seen: int) -> list[dict[str, Any]]:
    """The next events behind `seen` from the table."""
    return await reading(farm, lambda session: list_events(session, job=job, after=seen, limit=CATCH_UP_EVENTS))


async def _too_far_behind(farm: Farm, last: int) -> int | None:
    """The newest event's id if those behind `last` are forgotten, or `last` is of another life of the farm; else None.

    Whoever listens must then load afresh what it shows.
    """
    oldest, newest = await reading(farm, event_bounds)
    return newest if last > newest or (oldest and last < oldest - 1) else None


async def _next(queue: Queue) -> list[EventNote] | None:
    """The next events; an empty list after a long silence, None when the stream is over."""
    try:
        async with asyncio.timeout(KEEP_ALIVE_S):
            first = await queue.get()
    except TimeoutError:
        return []
    if first is None:
        return None
    notes = [first]
    while len(notes) < TOGETHER_MAX and not queue.empty():
        note = queue.get_nowait()
        if note is None:
            queue.put_nowait(None)
            break
        notes.append(note)
    return notes


def _piece(event: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event["id"], event["kind"].encode(), msgspec.json.encode(event))


def _last_id(text: str | None) -> int | None:
    if not text:
        return None
    number = job_number(text)
    if number is None:
        raise Refused(
            "Last-Event-ID must be the id of an event.", code="invalid_field", details=[{"field": "Last-Event-ID"}]
        )
    return number
