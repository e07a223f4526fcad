"""Blobs: files known by their SHA-256, uploaded by people's tools, fetched by workers."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import Request
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.context import Caller, OnFarm, guarded, sends, tells
from scheduler.api.files import BYTES, FOR_EVER, Told, file_answer, stream_answer
from scheduler.api.shapes import BlobShape
from scheduler.errors import NotFound, Refused
from scheduler.objects.port import Signed
from scheduler.protocol.work import DIRECT_HEADER, SEAL_HEADER
from scheduler.service.farm import Farm
from scheduler.service.identity import Role
from scheduler.store.blobs import is_hash
from scheduler.store.tables import Blob
from scheduler.store.transaction import Transaction

router = guarded("blobs")

STORED = {**tells(BlobShape, 413, 422, 507, status=201, words="Stored"), **tells(BlobShape, words="Known already")}
MOVED = {"description": "A worker that sent X-Outfield-Direct may fetch it from the farm's object store"}
UPLOAD = {"requestBody": {"required": True, "content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}}}


@router.put("/blobs/{hash}", status_code=201, openapi_extra=UPLOAD, responses=STORED)
async def put_blob(request: Request, farm: OnFarm, hash: str) -> Response:  # noqa: A002 - the name in the address
    """Upload a file under its SHA-256, which is verified. A file that is known already is not stored again."""
    digest = _checked(hash)
    if await asyncio.to_thread(farm.store.blobs.has, digest):
        size = await asyncio.to_thread(farm.store.blobs.size, digest)
        await record_blob(farm, digest, size)
        return answer({"hash": digest, "size": size}, "This file was here already.")
    limits = farm.settings.limits
    incoming = farm.store.blobs.incoming(size_max=limits.blob_max_bytes, free_min=limits.free_min_bytes)
    try:
        async for chunk in request.stream():
            incoming.write(chunk)
        found = await asyncio.to_thread(incoming.finish)
        _verify(digest, found)
        await asyncio.to_thread(farm.store.blobs.adopt, incoming.path, digest)
    except BaseException:
        incoming.abandon()
        raise
    await record_blob(farm, digest, incoming.size)
    return answer({"hash": digest, "size": incoming.size}, "The file was stored.", status=201)


@router.get("/blobs/{hash}", responses={**sends(BYTES, 404, 416, words="The file"), 307: MOVED})
async def get_blob(request: Request, farm: OnFarm, caller: Caller, hash: str) -> Response:  # noqa: A002
    """Download a file by its SHA-256. It answers to Range. A worker that asks for it is sent to the store itself."""
    if caller.role is Role.WORKER and farm.direct and DIRECT_HEADER in request.headers:
        signed = await asyncio.to_thread(_signed, farm, hash.lower())
        if signed is not None:
            headers = {"Location": signed.url, "Cache-Control": "no-store"}
            seal = farm.store.blobs.seal(hash.lower())
            return Response(status_code=307, headers=headers | ({SEAL_HEADER: seal} if seal else {}))
    return await _send(request, farm, hash)


@router.head("/blobs/{hash}", responses=sends(BYTES, 404, words="The file is here"))
async def head_blob(request: Request, farm: OnFarm, hash: str) -> Response:  # noqa: A002
    """Ask whether a file is here, and how large it is."""
    return await _send(request, farm, hash)


async def record_blob(farm: Farm, digest: str, size: int) -> None:
    """Write down that the blob is here and was used now, so that retention keeps it."""
    now_s = farm.now_s()

    def change(tx: Transaction) -> None:
        row = tx.session.get(Blob, digest)
        if row is None:
            tx.session.add(Blob(hash=digest, size=size, created_at=now_s, used_at=now_s))
        else:
            row.used_at = now_s

    await farm.store.awrite(change)


async def _send(request: Request, farm: Farm, text: str) -> Response:
    digest, blobs = text.lower(), farm.store.blobs
    try:
        told = Told(digest, await asyncio.to_thread(blobs.size, digest), BYTES, FOR_EVER)
        if blobs.remote:
            return await stream_answer(request, partial(blobs.open, digest), told)
    except FileNotFoundError as error:
        hint = "Upload it with PUT /blobs/{hash}."
        raise NotFound("This file is not on this farm.", code="blob_unknown", hint=hint) from error
    return file_answer(request, blobs.path(digest), told)


def _signed(farm: Farm, digest: str) -> Signed | None:
    """A URL of the store for a blob that is there."""
    blobs = farm.store.blobs
    return blobs.signed(digest, farm.settings.storage.url_s) if blobs.has(digest) else None


def _checked(text: str) -> str:
    digest = text.lower()
    if not is_hash(digest):
        hint = "Its SHA-256 in hex, 64 digits: sha256sum FILE"
        raise Refused(f"{text[:80]!r} is not a SHA-256.", code="invalid_hash", hint=hint)
    return digest


def _verify(announced: str, found: str) -> None:
    if announced != found:
        raise Refused(
            "The file arrived with another SHA-256 than announced.",
            code="hash_mismatch",
            details={"announced": announced, "found": found},
            hint="Send it again; it was damaged on the way, or the hash is of another file.",
        )
