"""Jobs come in: as JSON (`POST /new_job`), or as a zip with a scene (`POST /jobs/new`, as in Finca)."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import Header, Request
from starlette.responses import Response

from scheduler.api.answers import envelope, raw_answer
from scheduler.api.blobs import record_blob
from scheduler.api.bodies import json_body
from scheduler.api.context import Answers, Caller, Serving, guarded, takes, tells
from scheduler.api.forms import receive_form, submission_fields
from scheduler.api.job_shapes import JobShape
from scheduler.protocol.submission import NewJob
from scheduler.scenes.archive import inspect
from scheduler.service.farm import Farm
from scheduler.service.idempotency import Answered, Idempotency, Key, Note, make_key
from scheduler.service.identity import Principal
from scheduler.service.submitting import submit_job
from scheduler.service.validating import validate_payload
from scheduler.service.viewing_jobs import show_job
from scheduler.store.transaction import Transaction

router = guarded("submission")

KeyHeader = Annotated[str | None, Header(alias="Idempotency-Key", description="same key and body, same answer")]

_SORTED = msgspec.json.Encoder(order="sorted")

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "a zip of a scene"},
                        "name": {"type": "string"},
                        "renderer": {"type": "string"},
                        "scene": {"type": "string", "description": "the scene's path in the zip, if it holds several"},
                        "frames": {"type": "string"},
                        "priority": {"type": "integer"},
                    },
                }
            }
        },
    }
}


@router.post("/new_job", status_code=201, responses=tells(JobShape, 400, 413, 422, 507, status=201, words="The job"),
             openapi_extra=takes("NewJob"))  # fmt: skip
async def new_job(
    request: Request, services: Serving, caller: Caller, idempotency: Answers, key: KeyHeader = None
) -> Response:
    """Submit a job. `{"name": "hello"}` alone is valid: it renders the built-in scene."""
    data = await json_body(request)
    known = None if key is None else make_key(caller.token, key, b"/new_job", _SORTED.encode(data))
    payload = validate_payload(data)
    return await _create(services.farm, idempotency, caller, payload, known)


@router.post("/jobs/new", status_code=201, openapi_extra=FORM,
             responses=tells(JobShape, 400, 413, 422, 507, status=201, words="The job"))  # fmt: skip
async def new_job_from_archive(
    request: Request, services: Serving, caller: Caller, idempotency: Answers, key: KeyHeader = None
) -> Response:
    """Submit a zip of a scene and what it needs, as the form field `file`; its scene chooses the renderer."""
    farm = services.farm
    form = await receive_form(request, farm)
    try:
        content = _SORTED.encode(form.fields)
        known = None if key is None else make_key(caller.token, key, b"/jobs/new", form.hash.encode(), content)
        fields = submission_fields(form)
        wanted = {"scene": fields.get("scene"), "renderer": fields.get("renderer")}
        found = await asyncio.to_thread(inspect, form.path, **wanted)
        payload = validate_payload({**fields, "scene": found.scene, "renderer": found.renderer})
        await asyncio.to_thread(farm.store.blobs.adopt, form.path, form.hash)
        await record_blob(farm, form.hash, form.size)
        return await _create(farm, idempotency, caller, payload, known, archive=form.hash)
    finally:
        form.path.unlink(missing_ok=True)


async def _create(
    farm: Farm,
    idempotency: Idempotency,
    caller: Principal,
    payload: NewJob,
    key: Key | None,
    *,
    archive: str | None = None,
) -> Response:
    """Store the job, with its answer under the key in the same transaction."""
    said: list[Answered] = []

    async def make(note: Note | None) -> Answered:
        def then(tx: Transaction, job: int) -> None:
            body = envelope(show_job(tx.session, job), f"Job {job:05d} was queued.").decode()
            said.append(Answered(201, body))
            if note is not None:
                note(tx, said[-1])

        await submit_job(farm, caller.name, payload, archive=archive, then=then)
        return said[-1]

    done = await make(None) if key is None else await idempotency.once(key, make)
    return raw_answer(done.body, status=done.status)
