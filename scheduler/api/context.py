"""What a route is handed: the running scheduler's services and who is calling, and how its answer is described."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from scheduler.api.permissions import PERMISSIONS, check, unauthenticated
from scheduler.api.shapes import Envelope, ErrorEnvelope
from scheduler.errors import Refused
from scheduler.service.farm import Farm
from scheduler.service.idempotency import Idempotency
from scheduler.service.identity import Principal
from scheduler.service.services import Services

LIST_DEFAULT = 100
"""Entries of a list when the caller does not say how many."""


async def permit(request: Request) -> None:
    """Every route depends on this: it looks itself up in the table of permissions."""
    check(principal_of(request), PERMISSIONS[f"{request.method} {request.scope['route'].path}"])


def guarded(*tags: str) -> APIRouter:
    """A router whose every route is permitted by the table, and described under these tags."""
    return APIRouter(
        tags=list(tags), dependencies=[Depends(permit)], generate_unique_id_function=lambda route: route.name
    )


def principal_of(request: Request) -> Principal | None:
    """Who the edge found out is calling."""
    found = request.scope.get("state", {}).get("principal")
    return found if isinstance(found, Principal) else None


async def caller_of(request: Request) -> Principal:
    """Who is calling, where `permit` has let only known callers pass."""
    found = principal_of(request)
    if found is None:
        raise unauthenticated()
    return found


# Async, because FastAPI runs plain dependencies in a thread each.
async def services_of(request: Request) -> Services:
    """The running scheduler."""
    services: Services = request.app.state.scheduler
    return services


async def farm_of(request: Request) -> Farm:
    """The running scheduler's farm."""
    farm: Farm = request.app.state.scheduler.farm
    return farm


async def idempotency_of(request: Request) -> Idempotency:
    """The answers that were given, by key."""
    idempotency: Idempotency = request.app.state.idempotency
    return idempotency


Caller = Annotated[Principal, Depends(caller_of)]
Serving = Annotated[Services, Depends(services_of)]
OnFarm = Annotated[Farm, Depends(farm_of)]
Answers = Annotated[Idempotency, Depends(idempotency_of)]


def page_size(farm: Farm, limit: int | None) -> int:
    """How many entries a page has.

    Raises:
        Refused: less than one, or more than this farm lists.
    """
    most = farm.settings.limits.list_max
    if limit is None:
        return min(LIST_DEFAULT, most)
    if not 1 <= limit <= most:
        raise Refused(f"limit lies between 1 and {most}.", code="invalid_field", details=[{"field": "limit"}])
    return limit


def next_page(request: Request, cursor: str | None) -> dict[str, str]:
    """Headers that lead to the next page; none on the last."""
    if cursor is None:
        return {}
    url = request.url.include_query_params(cursor=cursor)
    return {"X-Next-Cursor": cursor, "Link": f'<{url.path}?{url.query}>; rel="next"'}


_MEANING = {
    400: "Not JSON, or an address that cannot be",
    404: "There is no such thing",
    409: "The present state does not allow it",
    413: "Larger than this farm takes",
    416: "The range lies outside the file",
    422: "The request is wrong; nothing was stored",
    503: "The farm cannot do it now",
    507: "The farm's disk is full",
}


def tells(shape: Any, *errors: int, status: int = 200, words: str = "Done") -> dict[int | str, dict[str, Any]]:
    """What a JSON route answers, for OpenAPI: its shape in the envelope, and the errors that it may give."""
    return {status: {"model": Envelope[shape], "description": words}, **_errors(*errors)}


def sends(media: str, *errors: int, words: str) -> dict[int | str, dict[str, Any]]:
    """What a route answers that sends bytes."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": words, "content": {media: {"schema": schema}}}, **_errors(*errors)}


def takes(name: str, *, required: bool = True) -> dict[str, Any]:
    """The JSON body of a route, for OpenAPI; `name` is one of `openapi.BODIES`."""
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def _errors(*errors: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ErrorEnvelope, "description": _MEANING[status]} for status in errors}
