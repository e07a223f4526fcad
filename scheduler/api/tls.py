"""Who is at the other end of an HTTPS connection: the worker that its certificate names.

uvicorn knows the certificate and does not tell; a protocol of our own puts the name into the request's scope
(`extensions.tls.worker`), read once for each connection.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from starlette.types import Scope

from scheduler.api.coalescing import CoalescingProtocol
from scheduler.errors import Denied


class TlsProtocol(CoalescingProtocol):
    """HTTP/1.1 over TLS that remembers whom the caller's certificate names."""

    _worker: str = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Asyncio's call: a caller has connected, and its certificate was checked against the farm's authority."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self._worker = common_name(tls.getpeercert()) if tls is not None else ""

    def on_message_begin(self) -> None:
        """The parser's call: a request begins."""
        super().on_message_begin()
        scope = cast("dict[str, Any]", self.scope)
        scope.setdefault("extensions", {})["tls"] = {"worker": self._worker}


def common_name(certificate: dict[str, Any] | None) -> str:
    """The common name in a certificate as `ssl` shows it; empty without one."""
    for part in (certificate or {}).get("subject", ()):
        for key, value in part:
            if key == "commonName":
                return str(value)
    return ""


def check_certificate(scope: Scope, worker: str) -> None:
    """A worker's token counts only together with the worker's own certificate.

    Raises:
        Denied: `certificate_required`.
    """
    if scope.get("extensions", {}).get("tls", {}).get("worker") != worker:
        raise Denied(
            "This farm asks workers for a certificate, and the caller has shown none of this worker's.",
            code="certificate_required",
            hint="Let the worker join again: it gets its certificate with the join code.",
        )
