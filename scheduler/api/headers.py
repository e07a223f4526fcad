"""Headers that every answer carries, so that a browser does nothing with it that was not meant."""

from __future__ import annotations

from typing import Any

from starlette.types import Message, Send

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
POLICY = (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'")
NO_STORE = (b"cache-control", b"no-store")

OF_JSON = ((b"content-type", b"application/json"), *HEADERS, POLICY, NO_STORE)
"""All the headers of a JSON answer but its length, for the hot road."""

_NOT_KEPT = (b"application/json", b"text/plain")


def with_security(headers: Any) -> list[tuple[bytes, bytes]]:
    """A response's headers with those that protect it. What a route has set itself stays."""
    own = {bytes(name).lower(): bytes(value) for name, value in headers}
    more = [*HEADERS]
    if POLICY[0] not in own:
        more.append(POLICY)
    if NO_STORE[0] not in own and own.get(b"content-type", b"").startswith(_NOT_KEPT):
        more.append(NO_STORE)
    return [*headers, *more]


class Guarded:
    """A `send` that adds the security headers, and knows how far the answer has come."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = self.finished = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = with_security(message.get("headers", ()))
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.finished = True
        await self._send(message)
