"""`/docs`: Swagger UI and everything it needs, from this package's own files. Works without a network.

The page's own policy allows pictures in `data:` addresses besides, which Swagger UI's style sheet uses for its arrows.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from scheduler.api import openapi
from scheduler.api.context import guarded
from scheduler.api.headers import POLICY

router = guarded()

STATIC = Path(__file__).parent / "static"
PAGE_POLICY = f"{POLICY[1].decode()}; img-src 'self' data:"


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """The page."""
    page = await asyncio.to_thread((STATIC / "docs-page" / "index.html").read_bytes)
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@router.get("/openapi.json", include_in_schema=False)
async def document(request: Request) -> Response:
    """What can be asked: no secret, so that the page can load it before anybody has logged in."""
    app = request.app
    if app.state.openapi_json is None:
        # Half a second of work that a scheduler's start need not wait for.
        app.state.openapi_json = msgspec.json.encode(await asyncio.to_thread(openapi.document, app))
    return Response(app.state.openapi_json, media_type="application/json")


def mount_static(app: FastAPI) -> None:
    """Serve the vendored files."""
    app.mount("/docs/static", StaticFiles(directory=STATIC))
