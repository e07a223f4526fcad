"""Tokens and join codes: made, listed, revoked. A token's text is shown once."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.responses import Response

from scheduler.api.answers import answer, envelope, raw_answer
from scheduler.api.bodies import json_body
from scheduler.api.context import Answers, Caller, Serving, guarded, takes, tells
from scheduler.api.requests import NewToken, read
from scheduler.api.shapes import NewTokenShape, TokenShape
from scheduler.api.submission import KeyHeader
from scheduler.service.farm import iso
from scheduler.service.idempotency import Answered, Note, make_key
from scheduler.service.identity import Role
from scheduler.service.viewing import reading
from scheduler.store.tables import Token

router = guarded("tokens")


@router.get("/tokens", responses=tells(list[TokenShape]))
async def get_tokens(services: Serving) -> Response:
    """List the valid tokens and join codes, without their secrets."""
    tokens = await asyncio.to_thread(services.identity.list_tokens)
    return answer(tokens, f"{len(tokens)} tokens.")


@router.post("/tokens", status_code=201, openapi_extra=takes("NewToken"),
             responses=tells(NewTokenShape, 409, 422, status=201, words="The token, shown this once"))  # fmt: skip
async def new_token(
    request: Request, services: Serving, caller: Caller, idempotency: Answers, key: KeyHeader = None
) -> Response:
    """Make a token. Role `worker` (or `join`) makes a join code, which a worker trades for a token of its own."""
    wanted = read(NewToken, await json_body(request))

    async def make(_note: Note | None) -> Answered:
        return Answered(201, (await _made(services, wanted)).decode())

    if key is None:
        done = await make(None)
    else:
        known = make_key(caller.token, key, b"/tokens", wanted.model_dump_json().encode())
        done = await idempotency.once(known, make, secret=True)
    return raw_answer(done.body, status=done.status)


@router.delete("/tokens/{token}", responses=tells(str, 404, words="The token's id"))
async def delete_token(services: Serving, token: str) -> Response:
    """Revoke a token; it is refused from now on."""
    await services.identity.revoke(token)
    return answer(token, "The token was revoked.")


async def _made(services: Serving, wanted: NewToken) -> bytes:
    role = Role.JOIN if wanted.role in ("worker", "join") else Role(wanted.role)
    token, text = await services.identity.new_token(wanted.name, role, owner=wanted.user, expires_s=wanted.expires_s)
    row = await reading(services.farm, lambda session: session.get(Token, token))
    data = {
        "id": token,
        "name": wanted.name.strip(),
        "role": role.value,
        "token": text,
        "expires_at": iso(row.expires_at) if row else None,
        "ca_pin": services.farm.authority.pin if services.farm.authority else None,
    }
    return envelope(data, "Keep this token: it is not shown again.")
