"""The farm's outer gate, a plain ASGI layer around everything: Host, Origin, size, rate, headers, the last catch.

Whoever passes it is identified (`scope["state"]["principal"]`) but not yet permitted: that is `permissions`. The hot
road leaves from here, before FastAPI's own layers. A worker's calls are exempt from request rates: its rhythm is set by
the scheduler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scheduler.api.bodies import body_limit_bytes, body_too_large
from scheduler.api.errors import error_answer, unexpected_answer
from scheduler.api.headers import Guarded
from scheduler.api.hosts import host_and_port, is_own_origin
from scheduler.api.rates import Buckets
from scheduler.api.sync import is_sync
from scheduler.api.tls import check_certificate
from scheduler.errors import Denied, OutfieldError, Refused, Unavailable
from scheduler.service.identity import Principal, Role
from scheduler.service.services import Services

HOSTS_SEEN_MAX = 1000
"""Good Host headers that are remembered as they came, so that each is taken apart once."""


@dataclass(slots=True)
class Visit:
    """What the gate reads from a request's headers."""

    hosts: int = 0
    host: str = ""
    origin: str | None = None
    length: str | None = None
    bearer: str | None = None
    api_token: str | None = None

    @property
    def token(self) -> str | None:
        """The token that was sent, by either header."""
        return self.bearer if self.bearer is not None else self.api_token


class Edge:
    """Wraps the FastAPI app. `hosts` are the Host names that are answered, `road` the hot road's ASGI app."""

    def __init__(self, api: FastAPI, *, services: Services, hosts: frozenset[str], road: ASGIApp) -> None:
        self.api, self._road, self._services, self._hosts = api, road, services, hosts
        limits = services.farm.settings.limits
        self._limits, self._buckets = limits, Buckets(limits.requests_per_s_max, limits.requests_burst_max)
        self._seen: set[str] = set()
        self._certified = services.farm.settings.server.tls.workers == "certificate"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.api(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded = Guarded(send)
        try:
            visit = read_headers(scope["headers"])
            self._check(scope, visit)
            principal = self._services.identity.principal(visit.token)
            scope.setdefault("state", {})["principal"] = principal
            if self._certified and principal is not None and principal.worker is not None:
                check_certificate(scope, principal.worker)
            limit = body_limit_bytes(scope["method"], scope["path"], self._limits)
            check_length(visit.length, limit)
            self._check_rate(scope, principal)
            if is_sync(scope):
                await self._road(scope, _counting(receive, limit), send)
            else:
                await self.api(scope, _counting(receive, limit), guarded.send)
        except OutfieldError as error:
            if guarded.started:
                raise
            await error_answer(error)(scope, receive, guarded.send)
        except ClientDisconnect:
            return
        except Exception as error:
            if guarded.finished:
                return  # answered and logged by `errors` already; Starlette raises it again for servers that want it
            if guarded.started:
                raise  # the answer broke off in the middle: the server must close the connection
            gone = unexpected_answer(error, method=scope["method"], path=scope["path"])
            await gone(scope, receive, guarded.send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            visit = read_headers(scope["headers"])
            self._check(scope, visit)
        except OutfieldError:
            await send({"type": "websocket.close", "code": 1008})
            return
        scope.setdefault("state", {})["principal"] = self._services.identity.principal(visit.token)
        await self.api(scope, receive, send)

    def _check(self, scope: Scope, visit: Visit) -> None:
        """Host, Origin and path.

        Raises:
            Denied: `bad_host`, `bad_origin`. Refused: `invalid_path`.
        """
        if visit.hosts != 1 or (visit.host not in self._seen and not self._is_known(visit.host)):
            raise Denied(
                f"This farm does not answer to the host {visit.host[:200]!r}.",
                code="bad_host",
                hint="Use the address that `outfield up` printed, or add the name to server.allowed_hosts.",
            )
        if visit.origin is not None and not is_own_origin(visit.origin, visit.host):
            raise Denied(
                f"Pages of {visit.origin[:200]!r} may not call this farm.",
                code="bad_origin",
                hint="Open the farm's own pages at the farm's own address.",
            )
        if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
            raise Refused("The address holds a NUL character.", code="invalid_path")

    def _is_known(self, host: str) -> bool:
        parts = host_and_port(host)
        if parts is None or parts[0] not in self._hosts:
            return False
        if len(self._seen) < HOSTS_SEEN_MAX:
            self._seen.add(host)
        return True

    def _check_rate(self, scope: Scope, principal: Principal | None) -> None:
        if principal is not None and principal.role is Role.WORKER:
            return
        client = scope.get("client")
        caller = f"token {principal.token}" if principal else f"address {client[0] if client else ''}"
        wait_s = self._buckets.wait_s(caller, self._services.farm.clock.monotonic())
        if wait_s > 0:
            raise Unavailable(
                "Too many requests.",
                code="rate_limited",
                details={"retry_after_s": round(wait_s, 3)},
                hint="Ask more slowly; for news, listen to GET /events instead of asking again and again.",
            )


def read_headers(headers: Any) -> Visit:
    """One pass over the request's headers."""
    visit = Visit()
    for name, value in headers:
        if name == b"host":
            visit.hosts += 1
            visit.host = value.decode("latin-1")
        elif name == b"authorization":
            kind, _, token = value.decode("latin-1").partition(" ")
            visit.bearer = token.strip() if kind.lower() == "bearer" else ""
        elif name == b"x-api-token":
            visit.api_token = value.decode("latin-1").strip()
        elif name == b"origin":
            visit.origin = value.decode("latin-1")
        elif name == b"content-length":
            visit.length = value.decode("latin-1")
    return visit


def check_length(length: str | None, limit: int) -> None:
    """Refuse a body that is announced as too large before a byte of it is read.

    Raises:
        Refused: `body_too_large`.
    """
    if length is not None and length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise body_too_large(limit)


def _counting(receive: Receive, limit: int) -> Receive:
    """A `receive` that stops a body that grows over the limit, whatever was announced."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > limit:
                raise body_too_large(limit)
        return message

    return counted
