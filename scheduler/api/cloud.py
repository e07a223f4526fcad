"""What the farm has launched: instances, launches, and the reaping of what nobody wants."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from pydantic import Field
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.bodies import json_object
from scheduler.api.context import OnFarm, Serving, guarded, page_size, takes, tells
from scheduler.api.requests import Reap, read
from scheduler.api.shapes import Shape
from scheduler.service.reaping import reap_pools
from scheduler.service.viewing_instances import show_instances, show_launches

router = guarded("cloud")

NAME_MAX = 100


class InstanceShape(Shape):
    """An instance. `ordered` false: the farm found it with its own label, and nobody had ordered it."""

    instance: str = Field(description="its provider's id")
    pool: str
    intent: str
    ordered: bool
    status: str
    reason: str
    preempted: bool
    machine: str
    place: str
    address: str
    worker: str | None
    worker_status: str | None
    price_usd_per_hour: float
    usd: float = Field(description="what it has cost, up to now while it is not gone")
    launched_at: str
    ends_at: str = Field(description="the end of its longest life")
    ended_at: str | None


class TroubleShape(Shape):
    """The last call to a provider that did not go well."""

    at: str
    code: str
    message: str


class StrangerShape(Shape):
    """An instance that nobody wants, or that is being ended."""

    pool: str
    instance: str
    intent: str
    reason: str


class LeftAloneShape(Shape):
    """An instance that nobody wants and that is left alone, because its pool's `reap` is off."""

    instance: str
    intent: str
    reason: str


class ProviderShape(Shape):
    """A pool that instances are launched in, and how its provider is doing."""

    pool: str
    backend: str
    reap: bool
    price_usd_per_hour: float = Field(description="the dearest that an instance of it may be")
    trouble: TroubleShape | None
    strangers: list[LeftAloneShape]


class InstancesShape(Shape):
    """Instances, newest first, and the pools that they are launched in."""

    instances: list[InstanceShape]
    pools: list[ProviderShape]


class LaunchShape(Shape):
    """An intent to launch `count` instances. `expected` of them are there, were there or may yet appear; `shares` says
    which project pays which part; `reasons` why it was decided, and why not more."""

    intent: str
    pool: str
    status: str
    count: int
    expected: int
    price_usd_per_hour: float
    life_s: float
    reserved_usd: float
    shares: dict[str, float]
    reasons: list[str]
    error: str
    created_at: str
    asked_at: str | None
    ended_at: str | None


PoolQuery = Annotated[str | None, Query(max_length=NAME_MAX, description="of this pool only")]
LimitQuery = Annotated[int | None, Query(description="how many")]


@router.get("/cloud/instances", responses=tells(InstancesShape, 422))
async def get_instances(
    services: Serving,
    pool: PoolQuery = None,
    gone: Annotated[bool, Query(description="with those that are gone")] = False,
    limit: LimitQuery = None,
) -> Response:
    """List the instances that the farm has launched or found, newest first, with what they cost."""
    size = page_size(services.farm, limit)
    found = await show_instances(services.farm, services.launcher, pool=pool, gone=gone, limit=size)
    return answer(found, f"{len(found['instances'])} instances.")


@router.get("/cloud/launches", responses=tells(list[LaunchShape], 422))
async def get_launches(farm: OnFarm, pool: PoolQuery = None, limit: LimitQuery = None) -> Response:
    """List the intents to launch, newest first, with what is reserved for them."""
    found = await show_launches(farm, pool=pool, limit=page_size(farm, limit))
    return answer(found, f"{len(found)} launches.")


@router.post("/cloud/reap", responses=tells(list[StrangerShape], 422, 503), openapi_extra=takes("Reap", required=False))
async def reap(request: Request, services: Serving) -> Response:
    """Look at every provider's list now and end what nobody wants; with `{"dry_run": true}` only say what that is."""
    wanted = read(Reap, await json_object(request, optional=True))
    found = await reap_pools(services.farm, services.launcher.desks, dry_run=wanted.dry_run)
    done = "would be ended" if wanted.dry_run else "are being ended"
    told = f"{len(found)} instances {done}." if found else "Nothing is to be ended: somebody wants every instance."
    return answer(found, told)
