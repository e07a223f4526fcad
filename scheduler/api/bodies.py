"""How large a body may be, and how it becomes JSON that is safe to store.

Refused are: what is not JSON, numbers beyond 64 bits, text with NUL, nesting and sizes that only serve to hurt. Lone
surrogates, NaN and Infinity are not JSON, and the parser says so.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request

from scheduler.errors import Refused
from scheduler.settings import LimitSettings

DEPTH_MAX = 32
"""Objects and lists inside one another."""

VALUES_MAX = 200_000
"""Values in one body."""

IN_THREAD_BYTES = 64 * 1024
"""Larger bodies are parsed in a thread, so that nobody else waits for it."""

FORM_EXTRA_BYTES = 1024 * 1024
"""What a multipart form may add to the file that it carries."""

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


def body_limit_bytes(method: str, path: str, limits: LimitSettings) -> int:
    """The largest body of a call, in bytes."""
    if method == "PUT" and path.startswith("/blobs/"):
        return limits.blob_max_bytes
    if method == "PUT" and path.startswith("/attempts/") and path.endswith("/picture"):
        return limits.picture_max_bytes
    if method == "PUT" and path.startswith("/attempts/"):
        return limits.output_max_bytes
    if method == "POST" and path == "/jobs/new":
        return limits.blob_max_bytes + FORM_EXTRA_BYTES
    return limits.body_max_bytes


def body_too_large(limit_bytes: int) -> Refused:
    """The error for a body over the limit."""
    return Refused(
        f"The request is larger than this farm takes ({limit_bytes} bytes).",
        code="body_too_large",
        hint="Send less, or ask the farm's admin to raise the limit. Scenes go to PUT /blobs/{hash}.",
    )


async def json_body(request: Request, *, optional: bool = False) -> Any:
    """The request's body as checked JSON; `optional`: an empty body is `{}`.

    Raises:
        Refused: see `parse_json`.
    """
    body = await request.body()
    if optional and not body.strip():
        return {}
    if len(body) > IN_THREAD_BYTES:
        return await asyncio.to_thread(parse_json, body)
    return parse_json(body)


async def json_object(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """The same, where only an object makes sense."""
    data = await json_body(request, optional=optional)
    if not isinstance(data, dict):
        raise Refused("The request must be a JSON object.", code="invalid_request")
    return data


def parse_json(body: bytes) -> Any:
    """JSON that can be stored and told again.

    Raises:
        Refused: `not_json`, `too_deep`, `too_many_values`, `number_out_of_range`, `invalid_text`.
    """
    try:
        data = msgspec.json.decode(body)
    except msgspec.ValidationError as error:
        raise _number(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = 'Send a JSON object in UTF-8, e.g. {"name": "hello"}.'
        raise Refused(f"The body is not JSON: {error}.", code="not_json", hint=hint) from error
    except RecursionError as error:
        raise _too_deep() from error
    _check(data)
    return data


def _check(data: Any) -> None:
    waiting: list[tuple[Any, int]] = [(data, 1)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > VALUES_MAX:
            raise Refused(f"The body holds more than {VALUES_MAX} values.", code="too_many_values")
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX:
            raise _number(f"{value!s:.40} has more than 64 bits")
        elif isinstance(value, (dict, list)):
            if depth > DEPTH_MAX:
                raise _too_deep()
            waiting.extend((inner, depth + 1) for inner in (value.values() if isinstance(value, dict) else value))
            if isinstance(value, dict):
                for key in value:
                    _check_text(key)


def _check_text(text: str) -> None:
    if "\0" in text:
        shown = text.replace("\0", "␀")[:60]
        raise Refused(f"The text {shown!r} holds a NUL character.", code="invalid_text", hint="Leave it out.")


def _number(problem: str) -> Refused:
    return Refused(f"A number is out of range: {problem}.", code="number_out_of_range", hint="Use numbers of 64 bits.")


def _too_deep() -> Refused:
    return Refused(f"The body is nested more than {DEPTH_MAX} levels deep.", code="too_deep")
