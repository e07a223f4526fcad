"""`docs/reference/rest.md`: every call of the REST API, from the OpenAPI document that the scheduler serves."""

from __future__ import annotations

from typing import Any

from tools.reference.markdown import code, page, paragraphs, table

METHODS = ("get", "post", "put", "patch", "delete")

INTRODUCTION = """Every JSON answer is `{"data": …, "message": "what happened"}`; [errors](errors.md) have the same
shape. Send `Authorization: Bearer TOKEN` or `X-API-Token: TOKEN` with everything but `/healthz`. A POST that creates
honours `Idempotency-Key`: the same key and body give the same answer, the same key with another body 422. The farm
itself serves this as OpenAPI at `/openapi.json` and as Swagger UI at `/docs`."""


def render() -> str:
    """The page."""
    paths: dict[str, dict[str, Any]] = openapi()["paths"]
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, calls in paths.items():
        for method in METHODS:
            if method in calls:
                call = calls[method]
                groups.setdefault((call.get("tags") or ["farm"])[0], []).append((method.upper(), path, call))
    parts = [f"## {tag.capitalize()}\n\n{calls_table(calls)}" for tag, calls in groups.items()]
    return page("REST API", "the OpenAPI document", INTRODUCTION, *parts)


def openapi() -> dict[str, Any]:
    """The OpenAPI document of an API that is wired to nothing."""
    from scheduler.api.app import openapi_document

    return openapi_document()


def calls_table(calls: list[tuple[str, str, dict[str, Any]]]) -> str:
    """Method and path, parameters, answers, what it does."""
    rows = [(code(f"{method} {path}"), parameters(call), answers(call), text(call)) for method, path, call in calls]
    return table(("Call", "Parameters", "Answers", "What it does"), rows)


def parameters(call: dict[str, Any]) -> str:
    """Query parameters; those of the path are seen in it."""
    return ", ".join(code(p["name"]) for p in call.get("parameters", []) if p["in"] == "query")


def answers(call: dict[str, Any]) -> str:
    """The status codes that are documented for the call."""
    return ", ".join(call.get("responses", {}))


def text(call: dict[str, Any]) -> str:
    """The docstring's first paragraph, or the summary."""
    return paragraphs(call.get("description")) or call.get("summary", "")
