"""The hot road: `POST /workers/{id}/sync`, one call that is heartbeat, report and request for work.

A plain ASGI app that `edge` enters directly, decoding and encoding with msgspec: no pydantic, no dependency, no
session. Nothing else may join this road without a measurement (`docs/architecture.md`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from scheduler.api.bodies import parse_json
from scheduler.api.headers import OF_JSON
from scheduler.api.permissions import PERMISSIONS, check
from scheduler.api.reports import check_report
from scheduler.errors import Denied, Refused
from scheduler.protocol.work import SyncEnvelope, SyncReply, SyncRequest
from scheduler.service.identity import Principal
from scheduler.service.services import Services

PATH = "/workers/{worker}/sync"
_BEFORE, _AFTER = "/workers/", "/sync"

WATCH_AFTER_S = 0.05
"""A call that waits longer than this is watched: if its worker hangs up, it must not be given work any more."""


def is_sync(scope: Scope) -> bool:
    """Whether the request belongs on the hot road."""
    path = scope["path"]
    return path.endswith(_AFTER) and path.startswith(_BEFORE) and scope["method"] == "POST"


class SyncRoad:
    """The ASGI app of the hot road."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._decoder = msgspec.json.Decoder(SyncRequest)
        self._encoder = msgspec.json.Encoder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call. Errors are raised, for `edge` to answer."""
        worker = scope["path"][len(_BEFORE) : -len(_AFTER)]
        check_worker(scope["state"]["principal"], worker)
        request = self._decode(await _body(receive))
        reply = await self._exchange(worker, request, receive)
        body = self._encoder.encode(SyncEnvelope(reply, "ok"))
        headers = [*OF_JSON, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _decode(self, body: bytes) -> SyncRequest:
        """The request, with everything in it fit to be stored."""
        try:
            request = self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise Refused(f"sync: {error}.", code="invalid_request") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(f"The body is not JSON: {error}.", code="not_json") from error
        if b"\\u0000" in body:
            parse_json(body)  # refuses NUL, which no text of ours may hold
        for report in request.reports:
            check_report(report)
        return request

    async def _exchange(self, worker: str, request: SyncRequest, receive: Receive) -> SyncReply:
        leasing = self._services.leasing
        if request.wait_s <= 0 or request.want <= 0:
            return await leasing.sync(worker, request)
        live, watchers = self._services.farm.live, list[asyncio.Task[None]]()

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            # Never cancel the exchange itself, its transaction may be under way: the caller just wants nothing more.
            request.want, request.wait_s = 0, 0.0
            live.wake(worker)

        timer = asyncio.get_running_loop().call_later(
            WATCH_AFTER_S, lambda: watchers.append(asyncio.ensure_future(watch()))
        )
        try:
            return await leasing.sync(worker, request)
        finally:
            timer.cancel()
            for watcher in watchers:
                watcher.cancel()


def check_worker(principal: Principal | None, worker: str) -> None:
    """Only the worker itself may speak for itself.

    Raises:
        Denied: `unauthenticated`, `wrong_role`, `other_worker`.
    """
    check(principal, PERMISSIONS[f"POST {PATH}"])
    if principal is None or principal.worker != worker:
        raise Denied("This token belongs to another worker.", code="other_worker", hint="Join again with a join code.")


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        return cast(bytes, message.get("body", b""))
    parts: list[bytes] = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
    raise ClientDisconnect
