"""Workers and pools: who is there, who joins, who drains."""

from __future__ import annotations

import asyncio
import hashlib

from fastapi import Request
from starlette.responses import Response

from scheduler.api.answers import answer, envelope, raw_answer
from scheduler.api.bodies import json_body, json_object
from scheduler.api.context import Answers, Caller, OnFarm, Serving, guarded, takes, tells
from scheduler.api.requests import Rating, read
from scheduler.api.submission import KeyHeader
from scheduler.api.worker_shapes import CertificateShape, PoolShape, WelcomeShape, WorkerShape
from scheduler.errors import Denied, NotFound
from scheduler.protocol.workers import CertificateRequest, WorkerHello
from scheduler.service.certifying import certify
from scheduler.service.idempotency import Answered, Note, make_key
from scheduler.service.identity import Role
from scheduler.service.rating import rate_worker
from scheduler.service.registering import drain_worker, enable_worker, register_worker
from scheduler.service.viewing import list_pools, list_workers, show_worker

router = guarded("workers")


@router.get("/workers", responses=tells(list[WorkerShape]))
async def get_workers(farm: OnFarm) -> Response:
    """List the registered workers, by name."""
    workers = await list_workers(farm)
    return answer(workers, f"{len(workers)} workers.")


@router.post("/workers", status_code=201, openapi_extra=takes("WorkerHello"),
             responses=tells(WelcomeShape, 400, 409, 422, status=201, words="The worker's id and token"))  # fmt: skip
async def join(request: Request, services: Serving, idempotency: Answers, key: KeyHeader = None) -> Response:
    """Trade a join code for a worker's id and token. The code is the credential; no token is needed."""
    hello = read(WorkerHello, await json_body(request))

    async def make(_note: Note | None) -> Answered:
        welcome = await register_worker(services.farm, services.identity, hello)
        body = envelope(welcome.model_dump(), f"Welcome, {hello.name}.")
        return Answered(201, body.decode())

    if key is None:
        done = await make(None)
    else:
        owner = "join " + hashlib.sha256(hello.join.encode()).hexdigest()[:16]
        content = hello.model_dump_json().encode()
        done = await idempotency.once(make_key(owner, key, b"/workers", content), make, secret=True)
    return raw_answer(done.body, status=done.status)


@router.get("/workers/{worker}", responses=tells(WorkerShape, 404))
async def get_worker(farm: OnFarm, worker: str) -> Response:
    """One worker with what it runs."""
    view = await show_worker(farm, worker)
    return answer(view, f"Worker {view['name']}.")


@router.post("/workers/{worker}/drain", responses=tells(WorkerShape, 404))
async def drain(farm: OnFarm, worker: str) -> Response:
    """Let a worker finish what it has and take nothing new."""
    await drain_worker(farm, worker)
    view = await show_worker(farm, worker)
    return answer(view, f"Worker {view['name']} takes nothing new.")


@router.post("/workers/{worker}/enable", responses=tells(WorkerShape, 404))
async def enable(farm: OnFarm, worker: str) -> Response:
    """Let a worker take work again; also ends its probation."""
    await enable_worker(farm, worker)
    view = await show_worker(farm, worker)
    return answer(view, f"Worker {view['name']} takes work again.")


@router.post("/workers/{worker}/rating", responses=tells(WorkerShape, 404, 422), openapi_extra=takes("Rating"))
async def rate(request: Request, farm: OnFarm, caller: Caller, worker: str) -> Response:
    """Take over a measured power: a worker's own, or any worker's from an admin."""
    if caller.role is Role.WORKER and caller.worker != worker:
        raise Denied("A worker can only rate itself.", code="wrong_worker")
    wanted = read(Rating, await json_object(request))
    await rate_worker(farm, worker, wanted.rating, wanted.bench)
    view = await show_worker(farm, worker)
    return answer(view, f"Worker {view['name']} has a rating of {wanted.rating:g}.")


@router.post("/workers/{worker}/certificate", responses=tells(CertificateShape, 409, 422),
             openapi_extra=takes("CertificateRequest"))  # fmt: skip
async def renew_certificate(request: Request, farm: OnFarm, caller: Caller, worker: str) -> Response:
    """Give a worker a new certificate in the place of its older one."""
    if caller.worker != worker:
        raise Denied("A worker can only ask for its own certificate.", code="wrong_worker")
    wanted = read(CertificateRequest, await json_object(request))
    return answer({"certificate": certify(farm, worker, wanted.csr)}, "Here is the certificate.")


@router.get("/ca.pem", include_in_schema=False)
async def authority(farm: OnFarm) -> Response:
    """The certificate of the farm's authority, for callers that know its pin."""
    if farm.authority is None:
        raise NotFound("This farm has no certificate authority.", code="no_authority")
    text = await asyncio.to_thread(farm.authority.ca_file.read_bytes)
    return Response(text, media_type="application/x-pem-file")


@router.get("/pools", responses=tells(list[PoolShape]))
async def get_pools(farm: OnFarm) -> Response:
    """List the pools with what they hold at this moment."""
    pools = list_pools(farm)
    return answer(pools, f"{len(pools)} pools.")
