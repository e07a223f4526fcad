"""Files as answers: with their hash as ETag, in ranges, and 304 for whoever has them already."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import Request
from starlette.responses import FileResponse, Response

from scheduler.errors import Refused

MEDIA = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".exr": "image/x-exr", ".webp": "image/webp"}
BYTES = "application/octet-stream"

REVALIDATE = "private, no-cache"
"""For what may be made anew under the same address."""

FOR_EVER = "private, max-age=31536000, immutable"
"""For what is named by its hash."""

_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")


def media_of(path: Path) -> str:
    """The media type of an image file."""
    return MEDIA.get(path.suffix.lower(), BYTES)


def file_answer(
    request: Request, path: Path, *, digest: str, media: str, cache: str, name: str | None = None, size: int
) -> Response:
    """A file of `size` bytes as an answer.

    Raises:
        Refused: `range_not_satisfiable`.
    """
    tag = f'"{digest}"'
    headers = {"ETag": tag, "Cache-Control": cache}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    _settle_range(request, size)
    return FileResponse(path, headers=headers, media_type=media, filename=name, content_disposition_type="inline")


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
