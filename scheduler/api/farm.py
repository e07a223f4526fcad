"""The farm itself: is it alive, what is it, what can it do."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from scheduler import __version__
from scheduler.api.answers import answer
from scheduler.api.context import Caller, Serving, guarded, tells
from scheduler.api.shapes import Health, InfoShape
from scheduler.errors import Unavailable
from scheduler.protocol import PROTOCOL_VERSION
from scheduler.protocol.renderers import RENDERERS, renderer_fields
from scheduler.protocol.submission import NewJob
from scheduler.routing.route import HOME_POOL
from scheduler.service.farm import iso
from scheduler.service.preparing import output_roots

router = guarded("farm")

FEATURES = (
    "addons", "archives", "blobs", "bundles", "chunks", "contact_sheets", "dependencies", "events", "idempotency_keys",
    "previews",
    "priorities", "rules", "sample_slices", "tiles", "why",
)  # fmt: skip
"""What clients may rely on beyond the bare calls; add-ons show or hide their fields by it."""


@router.get("/healthz", responses=tells(Health, 503, words="It serves"))
async def healthz(services: Serving) -> Response:
    """Say that the scheduler is alive; 503 while it stops. Needs no token."""
    if services.stopping:
        raise Unavailable("The scheduler is shutting down.", code="shutting_down")
    return answer({"status": "ok"}, "The scheduler is alive.")


@router.get("/info", responses=tells(InfoShape))
async def info(services: Serving, caller: Caller) -> Response:
    """What the farm is and takes: version, renderers with the schemas of their settings, a job's fields, limits."""
    settings = services.farm.settings
    data = {
        "farm": settings.farm.name,
        "farm_id": services.farm_id,
        "version": __version__,
        "protocol": PROTOCOL_VERSION,
        "you": {"name": caller.name, "role": caller.role.value},
        "started_at": iso(services.started_at),
        "renderers": [renderer_view(name) for name in RENDERERS],
        "job": NewJob.model_json_schema(),
        "pools": list(dict.fromkeys([HOME_POOL, *settings.pools])),
        "output_roots": [str(root) for root in output_roots(settings, None)],
        "limits": settings.limits.model_dump(),
        "features": list(FEATURES),
        "tracker": services.following.view() if services.following.tracker is not None else None,
    }
    return answer(data, f"{settings.farm.name}, Outfield {__version__}.")


def renderer_view(name: str) -> dict[str, Any]:
    """A renderer as add-ons see it: they can draw fields that they have never heard of."""
    known = RENDERERS[name]
    return {
        "name": known.name,
        "title": known.title,
        "endings": list(known.endings),
        "scene": known.scene,
        "formats": list(known.formats),
        "tiles": known.tiles,
        "samples": known.samples,
        "settings": renderer_fields(name),
    }
