"""`/addons`: the add-ons of this very farm, and the list by which Blender keeps its one up to date.

Anyone may fetch them: they are public files without a secret, and an artist needs one before there is a token.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import msgspec
from fastapi import Request
from starlette.responses import Response

from scheduler import __version__
from scheduler.addons import packing
from scheduler.addons.repository import index
from scheduler.api.answers import JSON, answer
from scheduler.api.context import guarded, sends, tells
from scheduler.api.files import REVALIDATE
from scheduler.api.shapes import AddonShape, RepositoryShape
from scheduler.errors import NotFound

router = guarded("addons")

ZIP = "application/zip"


@router.get("/addons", responses=tells(list[AddonShape], words="By program"))
async def list_addons() -> Response:
    """List the add-ons for artists' programs. Needs no token."""
    addons = await asyncio.to_thread(lambda: [_built(addon.name) for addon in packing.available()])
    listed = [
        {
            "program": each.addon.name,
            "title": each.addon.title,
            "version": __version__,
            "path": f"/addons/{each.addon.file_name}",
            "size": len(each.content),
            "hash": each.hash,
        }
        for each in addons
    ]
    return answer(listed, f"{len(listed)} add-ons, version {__version__}.")


REPOSITORY: dict[int | str, dict[str, Any]] = {
    200: {"model": RepositoryShape, "description": "The list, as Blender reads it"}
}


@router.get("/addons/index.json", responses=REPOSITORY)
async def blender_repository() -> Response:
    """The list of a Blender extension repository; add its address in Blender's preferences. Needs no token."""
    built = await asyncio.to_thread(_built, "blender")
    return Response(msgspec.json.encode(index(built)), media_type=JSON)


@router.get("/addons/{file}", responses=sends(ZIP, 404, words="The zip"))
async def get_addon(request: Request, file: str) -> Response:
    """Download an add-on's zip. Needs no token."""
    addon = next((each for each in packing.available() if each.file_name == file), None)
    if addon is None:
        raise NotFound("There is no such add-on.", code="addon_unknown", hint="GET /addons lists them.")
    built = await asyncio.to_thread(_built, addon.name)
    headers = {"ETag": f'"{built.hash}"', "Cache-Control": REVALIDATE}
    if f'"{built.hash}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return Response(built.content, media_type=ZIP, headers=headers)


@cache
def _built(name: str) -> packing.BuiltAddon:
    """The zip, made once: its sources do not change while a scheduler runs."""
    return packing.build(name)
