"""Frames come back: a list of them, one as it was published, small ones, a contact sheet, everything as a zip."""

from __future__ import annotations

import asyncio
import hashlib
import math
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response, StreamingResponse

from scheduler.api.answers import answer
from scheduler.api.archive import stream_zip
from scheduler.api.context import OnFarm, Serving, guarded, next_page, page_size, sends, tells
from scheduler.api.files import MEDIA, REVALIDATE, Told, file_answer, media_of, stream_answer
from scheduler.api.job_shapes import FrameShape
from scheduler.api.pictures import shown
from scheduler.errors import NotFound
from scheduler.imaging.facts import Verdict
from scheduler.imaging.pool import PreviewFormat
from scheduler.service.farm import Farm
from scheduler.service.viewing import number_of_job, reading
from scheduler.service.viewing_frames import (
    PUBLISHED,
    FrameFile,
    find_frame,
    frame_cursor,
    frame_missing,
    list_frames,
    number_of_frame,
    published_frames,
)

router = guarded("frames")

PREVIEW_WIDTHS_PX = (80, 160, 320, 640, 1280, 2560)
"""Widths that previews are made in; what is asked for is rounded up, so that few are kept."""

SHEET_FRAMES_MAX = 200
"""Frames on one contact sheet; of more, as many are picked evenly."""

SHEET_COLUMNS_MAX = 50

Pixels = Annotated[int | None, Query(ge=16, le=PREVIEW_WIDTHS_PX[-1], description="pixels")]


@router.get("/jobs/{job}/frames", responses=tells(list[FrameShape], 404, 422, words="The page; see X-Next-Cursor"))
async def get_frames(
    request: Request,
    farm: OnFarm,
    job: str,
    limit: int | None = None,
    cursor: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """List a job's frames in ascending order, with what each is doing."""
    number, size, after = number_of_job(job), page_size(farm, limit), frame_cursor(cursor)
    frames, following = await reading(farm, lambda session: list_frames(session, number, after=after, limit=size))
    there = sum(1 for frame in frames if frame["status"] == PUBLISHED)
    return answer(frames, f"{there} of {len(frames)} frames are published.", headers=next_page(request, following))


@router.get("/jobs/{job}/frames/{frame}", responses=sends("image/*", 404, 416, words="The image, byte for byte"))
async def get_frame(request: Request, farm: OnFarm, job: str, frame: str) -> Response:
    """Download a published frame. It answers to Range and If-None-Match."""
    found, frames = await _found(farm, job, frame), farm.store.frames
    if not await asyncio.to_thread(frames.is_there, found.where, found.size):
        raise frame_missing(found.job, found.frame, PUBLISHED)
    told = Told(found.hash, found.size, media_of(found.name), REVALIDATE, found.name)
    if found.path is not None:
        return file_answer(request, found.path, told)
    try:
        return await stream_answer(request, partial(frames.open, found.where, found.size), told)
    except FileNotFoundError as error:
        raise frame_missing(found.job, found.frame, PUBLISHED) from error


@router.get("/jobs/{job}/frames/{frame}/preview", responses=sends("image/*", 404, 503, words="A small picture"))
async def get_preview(
    request: Request,
    services: Serving,
    job: str,
    frame: str,
    width: Pixels = None,
    kind: Annotated[PreviewFormat, Query(alias="format", description="for programs that read no WebP")] = "webp",
) -> Response:
    """Download a small picture of a frame, a WebP unless `format` says otherwise, tone-mapped if it is an EXR."""
    farm = services.farm
    found = await _found(farm, job, frame)
    asked = width or farm.settings.imaging.preview_px
    width_px = next((each for each in PREVIEW_WIDTHS_PX if each >= asked), PREVIEW_WIDTHS_PX[-1])
    folder = farm.store.folders.previews / f"{found.job:05d}"
    out = folder / f"{found.frame}.{found.hash[:16]}.{width_px}.{kind}"
    if not await asyncio.to_thread(out.is_file):
        if not await asyncio.to_thread(farm.store.frames.is_there, found.where, found.size):
            raise frame_missing(found.job, found.frame, PUBLISHED)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        path = await asyncio.to_thread(_local, farm, found)
        _shown(await services.imaging.preview(path, out, width_px, kind), found)
    size = (await asyncio.to_thread(out.stat)).st_size
    return file_answer(request, out, Told(f"{found.hash}.{width_px}.{kind}", size, MEDIA[out.suffix], REVALIDATE))


@router.get("/jobs/{job}/sheet", responses=sends("image/png", 404, 422, 503, words="The contact sheet"))
async def get_sheet(
    request: Request,
    services: Serving,
    job: str,
    columns: Annotated[int | None, Query(ge=1, le=SHEET_COLUMNS_MAX)] = None,
    cell_px: Annotated[int, Query(ge=32, le=640, description="width of one picture in pixels")] = 240,
) -> Response:
    """Download a contact sheet of the published frames (of more than 200, as many picked evenly)."""
    number, farm = number_of_job(job), services.farm
    frames = _some(await _published(farm, number))
    across = columns or max(1, min(SHEET_COLUMNS_MAX, math.ceil(math.sqrt(len(frames)))))
    content = "\n".join(f"{frame.frame} {frame.hash}" for frame in frames)
    digest = hashlib.sha256(f"{across} {cell_px}\n{content}".encode()).hexdigest()
    folder = farm.store.folders.previews / f"{number:05d}"
    out = folder / f"sheet.{digest[:16]}.png"
    if not await asyncio.to_thread(out.is_file):
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        entries = [(str(frame.frame), await asyncio.to_thread(_local, farm, frame)) for frame in frames]
        _shown(await services.imaging.sheet(entries, out, across, cell_px), frames[0])
    size = (await asyncio.to_thread(out.stat)).st_size
    return file_answer(request, out, Told(digest, size, "image/png", REVALIDATE))


@router.get("/jobs/{job}/archive", responses=sends("application/zip", 404, words="A zip of every published frame"))
async def get_archive(farm: OnFarm, job: str) -> Response:
    """Download every published frame as one zip, made while it is sent."""
    number = number_of_job(job)
    frames = await _published(farm, number)
    headers = {"Content-Disposition": f'attachment; filename="job-{number:05d}.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(stream_zip(frames, farm.store.frames), media_type="application/zip", headers=headers)


async def _found(farm: Farm, job: str, frame: str) -> FrameFile:
    numbers = number_of_job(job), number_of_frame(frame)
    return await reading(farm, lambda session: find_frame(session, *numbers))


async def _published(farm: Farm, job: int) -> list[FrameFile]:
    frames = await reading(farm, lambda session: published_frames(session, job))
    if not frames:
        hint = f"GET /jobs/{job:05d}/why says what the job waits for."
        raise NotFound(f"No frame of job {job:05d} is published yet.", code="frame_missing", hint=hint)
    return frames


def _local(farm: Farm, frame: FrameFile) -> Path:
    """The frame as a file for the decoder. Blocking."""
    try:
        return farm.store.frames.copy(frame.where, frame.hash)
    except FileNotFoundError as error:
        raise frame_missing(frame.job, frame.frame, PUBLISHED) from error


def _some(frames: list[FrameFile]) -> list[FrameFile]:
    if len(frames) <= SHEET_FRAMES_MAX:
        return frames
    return [frames[index * len(frames) // SHEET_FRAMES_MAX] for index in range(SHEET_FRAMES_MAX)]


def _shown(verdict: Verdict, frame: FrameFile) -> None:
    missing = frame_missing(frame.job, frame.frame, PUBLISHED)
    shown(verdict, missing=missing, hint="The frame itself can still be downloaded.")
