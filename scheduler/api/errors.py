"""From the error tree to HTTP status codes: here and nowhere else.

A code of its own decides first, then the kind of the error. An exception that is no error of the tree is a bug: the
caller gets 500 and an id, the log gets the same id and the traceback.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from scheduler.api.answers import answer
from scheduler.domain.frames import FrameSyntaxError
from scheduler.domain.states import InvalidTransition
from scheduler.errors import Conflict, Denied, NotFound, OutfieldError, Refused, Unavailable

STATUS_BY_CODE: dict[str, int] = {
    "not_json": 400,
    "invalid_path": 400,
    "unauthenticated": 401,
    "join_code_invalid": 401,
    "body_too_large": 413,
    "range_not_satisfiable": 416,
    "rate_limited": 429,
    "storage_full": 507,
}

STATUS_BY_KIND: tuple[tuple[type[OutfieldError], int], ...] = (
    (Refused, 422),
    (NotFound, 404),
    (Conflict, 409),
    (Denied, 403),
    (Unavailable, 503),
)

RETRY_AFTER_S = 5
"""What a caller is told to wait after 503 and 507."""

log = structlog.get_logger("scheduler.api")


def status_of(error: OutfieldError) -> int:
    """The HTTP status code of an error."""
    if error.code in STATUS_BY_CODE:
        return STATUS_BY_CODE[error.code]
    return next((status for kind, status in STATUS_BY_KIND if isinstance(error, kind)), 500)


def error_answer(error: OutfieldError) -> Response:
    """An error of the tree as an answer."""
    status = status_of(error)
    return answer(error_data(error), error.message, status=status, headers=_headers(error, status))


def error_data(error: OutfieldError) -> dict[str, Any]:
    """The `data` of an error."""
    return {"code": error.code, "details": error.details, "hint": error.hint}


def unexpected_answer(error: BaseException, *, method: str, path: str) -> Response:
    """A bug, as the caller sees it; the log gets the whole of it under the same number."""
    error_id = secrets.token_hex(6)
    log.error("request.failed", error_id=error_id, method=method, path=path, exc_info=error)
    data = {
        "code": "internal_error",
        "details": {"error_id": error_id},
        "hint": f"Tell the farm's admin the number {error_id}; it stands in the scheduler's log.",
    }
    return answer(data, "Something went wrong inside the scheduler.", status=500)


def install(app: FastAPI) -> None:
    """Make the app answer every error in the envelope."""
    app.add_exception_handler(OutfieldError, _of_the_tree)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(FrameSyntaxError, _bad_frames)
    app.add_exception_handler(InvalidTransition, _bad_move)
    app.add_exception_handler(ClientDisconnect, _hung_up)
    app.add_exception_handler(Exception, _unexpected)


async def _of_the_tree(_request: Request, error: Exception) -> Response:
    return error_answer(error if isinstance(error, OutfieldError) else OutfieldError(str(error)))


async def _of_the_framework(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    hint = "GET /openapi.json lists every call; /docs shows them."
    if status == 404:
        code, message = "route_unknown", f"There is no {request.url.path} here."
    elif status == 405:
        code, message = "method_not_allowed", f"{request.method} is not possible on {request.url.path}."
        headers = {"Allow": ", ".join(_methods_of(request))}
    else:
        code, message = HTTPStatus(status).name.lower(), HTTPStatus(status).description or HTTPStatus(status).phrase
    data = {"code": code, "details": None, "hint": hint}
    return answer(data, message, status=status, headers=headers)


def _methods_of(request: Request) -> list[str]:
    """Every method that the address knows; the framework names only those of the first route that matches."""
    found: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= set(getattr(route, "methods", None) or ())
    return sorted(found)


async def _invalid(_request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    details = [{"field": ".".join(str(part) for part in item["loc"][1:]), "problem": item["msg"]} for item in found]
    first = f"{details[0]['field']}: {details[0]['problem']}." if details else "The request is not valid."
    return error_answer(Refused(first, code="invalid_request", details=details))


async def _bad_frames(_request: Request, error: Exception) -> Response:
    position = error.position if isinstance(error, FrameSyntaxError) else 0
    details = {"field": "frames", "position": position}
    hint = "Write whole frames as in 1-100x2,150 or 1-100:5."
    return error_answer(Refused(f"frames: {error}.", code="invalid_frames", details=details, hint=hint))


async def _bad_move(_request: Request, error: Exception) -> Response:
    return error_answer(Conflict(f"{error}."))


async def _hung_up(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it; it only must not count as a bug


async def _unexpected(request: Request, error: Exception) -> Response:
    return unexpected_answer(error, method=request.method, path=request.url.path)


def _headers(error: OutfieldError, status: int) -> dict[str, str]:
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if status == 416 and isinstance(error.details, dict):
        return {"Content-Range": f"bytes */{error.details['size']}"}
    if status in (429, 503, 507):
        wanted = error.details.get("retry_after_s", RETRY_AFTER_S) if isinstance(error.details, dict) else RETRY_AFTER_S
        return {"Retry-After": str(max(1, round(float(wanted))))}
    return {}
