"""The envelope that every JSON answer has: `{"data": …, "message": "what happened"}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

JSON = "application/json"


def envelope(data: Any, message: str) -> bytes:
    """The body of an answer. What JSON cannot say is written as text, so that an answer never fails for its data."""
    return msgspec.json.encode({"data": data, "message": message}, enc_hook=str)


def answer(data: Any, message: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return raw_answer(envelope(data, message), status=status, headers=headers)


def raw_answer(body: bytes | str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer whose envelope is made already."""
    return Response(body, status_code=status, media_type=JSON, headers=dict(headers or {}))
