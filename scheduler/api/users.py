"""Users and their points: who has how many, who is granted some, and spending them on a job."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from scheduler.api.answers import answer, envelope, raw_answer
from scheduler.api.bodies import json_object
from scheduler.api.context import Answers, Caller, OnFarm, guarded, next_page, page_size, takes, tells
from scheduler.api.points_shapes import AccountShape, BoostShape, UserShape
from scheduler.api.requests import Boost, Grant, read
from scheduler.api.submission import KeyHeader
from scheduler.errors import Refused
from scheduler.service.economy import Boosted, boost_job, grant_points, list_users, require_economy, show_user
from scheduler.service.farm import job_number
from scheduler.service.idempotency import Answered, Note, make_key
from scheduler.service.viewing import number_of_job, reading
from scheduler.store.transaction import Transaction

router = guarded("users")

CURSOR_MAX = 20


@router.get("/users", responses=tells(list[UserShape], 409))
async def get_users(farm: OnFarm) -> Response:
    """List the users with their points, by name."""
    require_economy(farm.settings)
    users = await reading(farm, list_users)
    return answer(users, f"{len(users)} users.")


@router.get("/users/{user}", responses=tells(AccountShape, 404, 409, 422, words="The account; see X-Next-Cursor"))
async def get_user(
    request: Request,
    farm: OnFarm,
    user: str,
    limit: Annotated[int | None, Query(description="bookings of one page")] = None,
    cursor: Annotated[str, Query(max_length=CURSOR_MAX, description="from X-Next-Cursor of the page before")] = "",
) -> Response:
    """One user's account, the newest bookings first."""
    require_economy(farm.settings)
    before = job_number(cursor) if cursor else None
    if cursor and before is None:
        raise Refused("cursor: take it from the X-Next-Cursor header of the page before.", code="invalid_field")
    size = page_size(farm, limit)
    account, following = await reading(farm, lambda session: show_user(session, user, before=before, limit=size))
    headers = next_page(request, None if following is None else str(following))
    return answer(account, f"{user} has {account['balance']:g} points.", headers=headers)


@router.post("/users/{user}/grant", responses=tells(AccountShape, 404, 409, 422), openapi_extra=takes("Grant"))
async def grant(
    request: Request, farm: OnFarm, caller: Caller, idempotency: Answers, user: str, key: KeyHeader = None
) -> Response:
    """Give a user points."""
    wanted = read(Grant, await json_object(request))

    async def make(note: Note | None) -> Answered:
        said: list[Answered] = []

        def then(tx: Transaction) -> None:
            account, _following = show_user(tx.session, user, before=None, limit=page_size(farm, None))
            message = f"{user} was granted {wanted.points:g} points."
            said.append(Answered(200, envelope(account, message).decode()))
            if note is not None:
                note(tx, said[0])

        await grant_points(farm, user, wanted.points, caller.name, wanted.note, then)
        return said[0]

    ask = None if key is None else make_key(caller.token, key, request.url.path.encode(), _content(wanted))
    done = await make(None) if ask is None else await idempotency.once(ask, make)
    return raw_answer(done.body, status=done.status)


@router.post("/jobs/{job}/boost", responses=tells(BoostShape, 404, 409, 422), openapi_extra=takes("Boost"))
async def boost(
    request: Request, farm: OnFarm, caller: Caller, idempotency: Answers, job: str, key: KeyHeader = None
) -> Response:
    """Spend points of your own to raise a job's priority. They come back if it is canceled before it starts."""
    number = number_of_job(job)
    wanted = read(Boost, await json_object(request))

    async def make(note: Note | None) -> Answered:
        said: list[Answered] = []

        def then(tx: Transaction, done: Boosted) -> None:
            message = (
                f"Job {number:05d} has {done.boost:g} bought points of priority; {done.balance:g} points are left."
            )
            said.append(Answered(200, envelope(done.view(), message).decode()))
            if note is not None:
                note(tx, said[0])

        await boost_job(farm, caller.name, number, wanted.points, then)
        return said[0]

    ask = None if key is None else make_key(caller.token, key, request.url.path.encode(), _content(wanted))
    done = await make(None) if ask is None else await idempotency.once(ask, make)
    return raw_answer(done.body, status=done.status)


def _content(wanted: Grant | Boost) -> bytes:
    """What tells a request from another one under the same key."""
    return wanted.model_dump_json().encode()
