"""What a worker hands over while it holds a lease: files, log lines, how the attempt ended. Each behind the fence."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import Header, Query, Request
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.bodies import json_object
from scheduler.api.context import Caller, Serving, guarded, takes, tells
from scheduler.api.files import BYTES
from scheduler.api.reports import check_report
from scheduler.api.requests import Announcement, Completion, Ending, Failure, read
from scheduler.api.worker_shapes import AckShape, DirectShape, LogShape, PictureShape, StagedShape
from scheduler.errors import Refused, StaleAttempt
from scheduler.objects.port import Announced
from scheduler.protocol.work import OutputFile, Report
from scheduler.service.identity import Principal
from scheduler.service.services import Services
from scheduler.service.staging import parse_attempt

router = guarded("attempts")

Secret = Annotated[str, Header(alias="X-Lease-Secret", max_length=200, description="from the lease")]
OFFSET_MAX = 2**53

_BINARY = {"schema": {"type": "string", "format": "binary"}}
UPLOAD = {"requestBody": {"required": True, "content": {BYTES: _BINARY}}}
LINES = {"requestBody": {"required": True, "content": {"text/plain": _BINARY}}}


@router.put("/attempts/{attempt}/files/{name}", status_code=201, openapi_extra=UPLOAD,
            responses=tells(StagedShape, 404, 409, 413, 422, 507, status=201, words="Staged"))  # fmt: skip
async def put_file(
    request: Request,
    services: Serving,
    attempt: str,
    name: str,
    secret: Secret,
    sha256: Annotated[str | None, Header(alias="X-Content-SHA256", max_length=200)] = None,
) -> Response:
    """Stage one output file of an attempt, written TASK.ATTEMPT. Nobody sees it before it is verified and published."""
    task, number = parse_attempt(attempt)
    staged = await services.staging.stage_file(task, number, secret, name, request.stream(), sha256)
    return answer({"name": staged.name, "size": staged.size, "hash": staged.hash}, "The file is staged.", status=201)


@router.post("/attempts/{attempt}/files/{name}/url", openapi_extra=takes("Announcement"),
             responses=tells(DirectShape, 404, 409, 413, 422))  # fmt: skip
async def direct_url(request: Request, services: Serving, attempt: str, name: str, secret: Secret) -> Response:
    """Ask for a URL by which one output file can be put into the farm's object store; null: PUT it here."""
    body = read(Announcement, await json_object(request))
    task, number = parse_attempt(attempt)
    announced = Announced(body.size, body.hash.lower())
    signed = await services.staging.direct_url(task, number, secret, name, announced)
    if signed is None:
        return answer({"url": None, "headers": {}}, "Send the file to the scheduler.")
    return answer({"url": signed.url, "headers": signed.headers}, "Put the file there, then report it as ever.")


@router.put("/attempts/{attempt}/picture", openapi_extra=UPLOAD, responses=tells(PictureShape, 404, 409, 413, 422, 507))
async def put_picture(request: Request, services: Serving, attempt: str, secret: Secret) -> Response:
    """Show what a running attempt looks like so far: a small PNG or WebP, in place of the last one."""
    task, number = parse_attempt(attempt)
    taken = await services.pictures.take(task, number, secret, request.stream())
    return answer({"taken": taken}, "The picture is shown." if taken else "Too soon after the last one.")


@router.post("/attempts/{attempt}/log", openapi_extra=LINES, responses=tells(LogShape, 404, 409, 413, 422))
async def post_log(
    request: Request,
    services: Serving,
    attempt: str,
    secret: Secret,
    offset: Annotated[int, Query(ge=0, le=OFFSET_MAX, description="bytes already sent")],
) -> Response:
    """Append to an attempt's log at a byte offset; bytes that are already there are passed over."""
    task, number = parse_attempt(attempt)
    length = await services.staging.append_log(task, number, secret, offset, await request.body())
    return answer({"length": length}, "The log was taken.")


@router.post("/attempts/{attempt}/complete", openapi_extra=takes("Completion"), responses={
    **tells(AckShape, 404, 409, 422), **tells(AckShape, status=202, words="Its files are being verified")})  # fmt: skip
async def complete(request: Request, services: Serving, caller: Caller, attempt: str) -> Response:
    """Report that an attempt is done, with the files that it staged."""
    body = read(Completion, await json_object(request))
    files = [OutputFile(**file.model_dump()) for file in body.files]
    return await _report(services, caller, attempt, body, outcome="done", files=files)


@router.post("/attempts/{attempt}/fail", openapi_extra=takes("Failure"), responses=tells(AckShape, 404, 409, 422))
async def fail(request: Request, services: Serving, caller: Caller, attempt: str) -> Response:
    """Report that an attempt has failed, and whose fault it was."""
    body = read(Failure, await json_object(request))
    words = body.model_dump(include={"failure", "message", "exit_code", "retry_after_s"})
    return await _report(services, caller, attempt, body, outcome="failed", **words)


async def _report(services: Services, caller: Principal, text: str, body: Ending, **words: Any) -> Response:
    """Hand the report to the same fence that guards `sync`.

    Raises:
        StaleAttempt: the attempt does not hold its task any more.
    """
    task, number = _fence(text, body)
    report = Report(task=task, attempt=number, secret=body.secret, seconds=body.seconds, **words)
    check_report(report)
    ack = await services.leasing.report(caller.worker or "", report)
    if ack.status == 409:
        raise StaleAttempt
    return answer(msgspec.to_builtins(ack) | {"code": ack.code}, "The report was taken.", status=ack.status)


def _fence(text: str, body: Ending) -> tuple[int, int]:
    """Task and attempt: both from the address (TASK.ATTEMPT), or the task from it and the attempt from the body.

    Raises:
        Refused: the attempt is not named. StaleAttempt: the address and the body name different ones.
    """
    if "." not in text:
        if body.attempt is None:
            raise Refused("attempt is missing.", code="invalid_field", details=[{"field": "attempt"}])
        text = f"{text}.{body.attempt}"
    task, number = parse_attempt(text)
    if body.attempt not in (None, number) or body.task not in (None, task):
        raise StaleAttempt
    return task, number
