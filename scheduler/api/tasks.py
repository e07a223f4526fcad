"""Tasks: one with its attempts, and what it wrote to its log."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.context import OnFarm, Serving, guarded, sends, tells
from scheduler.api.files import REVALIDATE, Told, file_answer
from scheduler.api.job_shapes import TaskWithAttempts
from scheduler.api.pictures import shown
from scheduler.service.picturing import picture_missing
from scheduler.service.viewing import reading
from scheduler.service.viewing_tasks import find_log, number_of_task, read_log, show_task, with_progress

router = guarded("tasks")

LOG_PART_BYTES = 1 << 20
"""The most of a log that one answer carries."""

OFFSET_MAX = 2**53
PICTURE_PX = 640
"""Widest progress picture that is shown; workers send smaller ones."""


@router.get("/tasks/{task}", responses=tells(TaskWithAttempts, 404))
async def get_task(farm: OnFarm, task: str) -> Response:
    """One task and all its attempts."""
    number = number_of_task(task)
    view = await reading(farm, lambda session: show_task(session, number))
    return answer(with_progress(farm, [view])[0], f"Task {number}.")


@router.get("/tasks/{task}/why", responses=tells(dict[str, object], 404, words="As GET /jobs/{job}/why, with the task"))
async def get_task_why(services: Serving, task: str) -> Response:
    """Explain what a task waits for or where it runs, with the explanation of its job."""
    number = number_of_task(task)
    told = await services.explainer.why_task(number, undeliverable=services.publisher.waiting)
    return answer(told, f"Why task {number} is where it is.")


@router.get("/tasks/{task}/preview", responses=sends("image/webp", 404, 503, words="What it looks like so far"))
async def get_task_preview(request: Request, services: Serving, task: str) -> Response:
    """Look at a progress picture of a running task, or of its last attempt if that failed."""
    number = number_of_task(task)
    found = await reading(services.farm, lambda session: services.pictures.find(session, number))
    if not found.is_fresh:
        verdict = await services.imaging.preview(found.raw, found.safe, PICTURE_PX, "webp")
        shown(verdict, missing=picture_missing(number), hint="The next picture may be better.")
    size = (await asyncio.to_thread(found.safe.stat)).st_size
    return file_answer(request, found.safe, Told(found.tag, size, "image/webp", REVALIDATE))


@router.get("/tasks/{task}/log", responses=sends("text/plain", 404, 422, words="At most 1 MiB from the offset on"))
async def get_log(
    farm: OnFarm,
    task: str,
    attempt: Annotated[int | None, Query(ge=0, le=10**9, description="none: the newest")] = None,
    offset: Annotated[int, Query(ge=0, le=OFFSET_MAX, description="bytes; to follow, ask again from X-Log-Next")] = 0,
) -> Response:
    """Read a task's log. X-Log-Length says how long it is, X-Log-Next where to go on, both in bytes."""
    number = number_of_task(task)
    path = await reading(farm, lambda session: find_log(session, farm, number, attempt))
    part = await asyncio.to_thread(read_log, path, offset, LOG_PART_BYTES)
    following = min(offset, part.length) + len(part.data)
    headers = {"X-Log-Length": str(part.length), "X-Log-Next": str(following), "Cache-Control": "no-store"}
    return Response(part.data, media_type="text/plain; charset=utf-8", headers=headers)
