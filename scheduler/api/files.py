"""Files as answers: with their hash as ETag, in ranges, and 304 for whoever has them already."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from fastapi import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from scheduler.errors import Refused
from scheduler.objects.port import CHUNK_BYTES

MEDIA = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".exr": "image/x-exr", ".webp": "image/webp"}
BYTES = "application/octet-stream"

REVALIDATE = "private, no-cache"
"""For what may be made anew under the same address."""

FOR_EVER = "private, max-age=31536000, immutable"
"""For what is named by its hash."""

_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")


class Told(NamedTuple):
    """What an answer says of a file: its ETag, its size in bytes, its media type, how to cache it, its name."""

    digest: str
    size: int
    media: str
    cache: str
    name: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """ETag and caching."""
        return {"ETag": f'"{self.digest}"', "Cache-Control": self.cache}


Opener = Callable[[int, int | None], BinaryIO]
"""(offset, length) → the bytes from there on, as `ObjectStore.open`."""


def media_of(name: str) -> str:
    """The media type of an image file."""
    return MEDIA.get(PurePosixPath(name).suffix.lower(), BYTES)


def file_answer(request: Request, path: Path, told: Told) -> Response:
    """A file as an answer.

    Raises:
        Refused: `range_not_satisfiable`.
    """
    if _is_known(request, told):
        return Response(status_code=304, headers=told.headers)
    _settle_range(request, told.size)
    return FileResponse(
        path, headers=told.headers, media_type=told.media, filename=told.name, content_disposition_type="inline"
    )


async def stream_answer(request: Request, opener: Opener, told: Told) -> Response:
    """The same for an object of a store: it is passed on while it arrives.

    Raises:
        Refused: `range_not_satisfiable`. FileNotFoundError: it is gone. Unavailable: `storage_…`.
    """
    if _is_known(request, told):
        return Response(status_code=304, headers=told.headers)
    _settle_range(request, told.size)
    offset, end = _wanted(request, told.size)
    length = end - offset
    headers = {**told.headers, "Content-Length": str(length), "Accept-Ranges": "bytes"}
    if told.name is not None:
        headers["Content-Disposition"] = f'inline; filename="{told.name}"'
    status = 200
    if length != told.size:
        status, headers["Content-Range"] = 206, f"bytes {offset}-{end - 1}/{told.size}"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=told.media)
    partial = (offset, length) if status == 206 else (0, None)
    stream = await asyncio.to_thread(opener, *partial)
    return StreamingResponse(_chunks(stream), status_code=status, headers=headers, media_type=told.media)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _is_known(request: Request, told: Told) -> bool:
    return f'"{told.digest}"' in request.headers.get("if-none-match", "")


def _wanted(request: Request, size: int) -> tuple[int, int]:
    """The bytes that a settled Range header asks for: from, and up to but without."""
    match = _RANGE.match(request.headers.get("range", "").replace(" ", ""))
    if match is None:
        return 0, size
    if not match[1]:
        return max(0, size - int(match[2])), size
    return int(match[1]), min(size, int(match[2]) + 1) if match[2] else size


def _settle_range(request: Request, size: int) -> None:
    """Refuse a range outside the file; pass over a Range header that makes no sense, as RFC 9110 (14.2) asks."""
    text = request.headers.get("range")
    if text is None:
        return
    match = _RANGE.match(text.replace(" ", ""))
    if match is None or match[1] == match[2] == "" or (match[1] and match[2] and int(match[1]) > int(match[2])):
        request.scope["headers"] = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
    elif int(match[1]) >= size if match[1] else int(match[2]) == 0:
        raise Refused(
            f"The file has {size} bytes; {text[:60]!r} lies outside.",
            code="range_not_satisfiable",
            details={"size": size},
            hint="Ask for bytes that are there.",
        )
