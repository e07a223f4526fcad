"""The OpenAPI document: what FastAPI finds in the routes, and what it cannot find there.

Bodies are parsed by hand (`bodies`), the hot road is no FastAPI route, and every call but a few needs a token: this
module says so.
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from scheduler import __version__
from scheduler.api.permissions import PERMISSIONS
from scheduler.api.requests import BODIES
from scheduler.api.rule_shapes import RULE_BODIES
from scheduler.api.sync import PATH
from scheduler.protocol.submission import NewJob
from scheduler.protocol.work import SyncEnvelope, SyncRequest
from scheduler.protocol.workers import CertificateRequest, WorkerHello

REF = "#/components/schemas/{name}"
TAGS = (
    ("farm", "The farm itself."),
    ("submission", "Jobs come in."),
    ("jobs", "Jobs: list, look at, control."),
    ("tasks", "Tasks, their attempts and logs."),
    ("frames", "Frames come back."),
    ("events", "What happens, as it happens."),
    ("workers", "Workers and pools."),
    ("attempts", "What a worker hands over while it holds a lease."),
    ("blobs", "Files known by their SHA-256."),
    ("tokens", "Tokens and join codes."),
    ("priorities", "What production wants, and what the farm does."),
    ("rules", "Routing rules: where work may go."),
    ("estimates", "When jobs finish, and how good such forecasts have been."),
    ("budgets", "What may be spent, and what was."),
    ("cloud", "Workers that the farm rents: which are there, which are wanted, and why."),
    ("users", "Users and their points."),
    ("addons", "Add-ons for artists' programs."),
)
INTRODUCTION = """Every JSON answer is `{"data": …, "message": "what happened"}`. An error has the right status code and
`data = {"code", "details", "hint"}`; codes are stable, messages are for people.

Send `Authorization: Bearer TOKEN` or `X-API-Token: TOKEN`. Every POST that creates honours `Idempotency-Key`."""

_REFUSALS = {"401": "No valid token was sent", "403": "Your token's role may not do this", "429": "Too many requests"}
_OF_WRITES = {"503": "The farm cannot do it now", "507": "The farm's disk is full"}


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    found = get_openapi(
        title="Outfield",
        version=__version__,
        description=INTRODUCTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    schemas: dict[str, Any] = found["components"]["schemas"]
    schemas.update(_bodies())
    found["paths"][PATH] = {"post": _sync(schemas)}
    found["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "token": {"type": "apiKey", "in": "header", "name": "X-API-Token"},
    }
    for path, calls in found["paths"].items():
        for method, call in calls.items():
            _protect(call, f"{method.upper()} {path}")
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    return found


def _protect(call: dict[str, Any], key: str) -> None:
    """Which role the call needs, and what it answers to others."""
    allowed = PERMISSIONS[key]
    answers = call.setdefault("responses", {})
    if allowed is None:
        call["security"] = []
    else:
        call["security"] = [{"bearer": []}, {"token": []}]
        call["x-roles"] = sorted(allowed)
        answers.update({status: _refusal(text) for status, text in _REFUSALS.items()})
    if not key.startswith(("GET ", "HEAD ")):
        answers.update({status: _refusal(text) for status, text in _OF_WRITES.items()})
    if "422" in answers:
        answers["422"] = _refusal("The request is wrong; nothing was stored")
    call["responses"] = dict(sorted(answers.items()))


def _refusal(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": REF.format(name="ErrorEnvelope")}}},
    }


def _bodies() -> dict[str, Any]:
    """Schemas of the bodies that routes parse by hand."""
    models = [(model, "validation") for model in (NewJob, WorkerHello, CertificateRequest, *BODIES, *RULE_BODIES)]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # pyright: ignore[reportArgumentType]
    return definitions["$defs"]


def _sync(schemas: dict[str, Any]) -> dict[str, Any]:
    """The hot road, from its msgspec structs."""
    (asked, answered), structs = msgspec.json.schema_components((SyncRequest, SyncEnvelope), ref_template=REF)
    schemas.update(structs)
    return {
        "tags": ["workers"],
        "summary": "Sync",
        "operationId": "sync",
        "description": "Heartbeat, reports and request for work in one; waits up to `wait_s` seconds for work.",
        "parameters": [{"name": "worker", "in": "path", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {
            "200": {"description": "Leases, work to stop, acks", "content": {"application/json": {"schema": answered}}},
            "400": _refusal("Not JSON"),
            "404": _refusal("This worker is not registered"),
            "422": _refusal("The request is wrong"),
        },
    }
