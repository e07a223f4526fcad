"""The ASGI app: the routes, the errors, the gate around them.

`make_app` wires it to a running scheduler; `openapi_document` describes it without one.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from scheduler.api import (
    addons,
    attempts,
    blobs,
    budgets,
    cloud,
    cloud_plan,
    errors,
    estimates,
    events,
    exports,
    farm,
    frames,
    jobs,
    openapi,
    outbox,
    pages,
    priorities,
    rules,
    submission,
    tasks,
    tokens,
    tracking,
    users,
    workers,
)
from scheduler.api.edge import Edge
from scheduler.api.hosts import EVERYWHERE, allowed_hosts, own_names
from scheduler.api.permissions import PERMISSIONS
from scheduler.api.sync import PATH, SyncRoad
from scheduler.service.idempotency import Idempotency
from scheduler.service.services import Services

# Submission, jobs/export and jobs/cancel stand before jobs, whose /jobs/{job} would take their place.
ROUTERS = (
    *(farm, submission, exports, jobs, tasks, frames, events, workers, attempts, blobs, tokens),
    *(priorities, estimates, tracking, users, outbox, budgets, cloud, cloud_plan, rules, addons, pages),
)


def make_app(services: Services) -> Edge:
    """The ASGI app of a running scheduler; its `api` is the FastAPI app inside."""
    app = _routes()
    app.state.scheduler = services
    app.state.idempotency = Idempotency(services.farm)
    app.state.openapi_json = None
    road = SyncRoad(services)
    app.router.routes.append(Route(PATH, endpoint=road, methods=["POST"]))
    server = services.farm.settings.server
    own = own_names() if server.host in EVERYWHERE else ()
    hosts = allowed_hosts(server.host, server.allowed_hosts, own)
    # Around FastAPI, not among its middleware: its own layers (telemetry, errors) cost the hot road half its time.
    return Edge(app, services=services, hosts=hosts, road=road)


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of an API that is wired to nothing."""
    return openapi.document(_routes())


def _routes() -> FastAPI:
    app = FastAPI(title="Outfield", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    errors.install(app)
    for module in ROUTERS:
        # As they are: an included router would be one more layer to search through on every request.
        app.router.routes.extend(module.router.routes)
    pages.mount_static(app)
    _check_permissions(app)
    return app


def _check_permissions(app: FastAPI) -> None:
    """Every route is in the table of permissions, or the scheduler does not start."""
    open_routes = [key for key in route_keys(app) if key not in PERMISSIONS]
    if open_routes:
        raise RuntimeError(f"not in scheduler.api.permissions: {', '.join(open_routes)}")


def route_keys(app: FastAPI) -> list[str]:
    """Every FastAPI route as `METHOD /path`."""
    return [
        f"{method} {route.path}"
        for route in app.router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]
