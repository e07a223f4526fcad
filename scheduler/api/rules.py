"""Routing rules: those in force, those that were, new ones, and what they would do to a job that does not exist.

Rules come as JSON (`{"rules": […]}` or `{"text", "syntax"}`), or raw as TOML or YAML by their content type. Positions
in refusals are those of the text that was sent.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Header, Query, Request
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.bodies import json_body, parse_json
from scheduler.api.context import Caller, OnFarm, Serving, guarded, next_page, page_size, takes, tells
from scheduler.api.requests import read
from scheduler.api.rule_shapes import RollBack, RulesInText, RulesShape, RulesTextShape, RuleVersionShape
from scheduler.errors import NotFound, Refused
from scheduler.routing.reading_rules import Syntax, read_rules
from scheduler.routing.rule_faults import RuleError
from scheduler.service.farm import Farm, job_number
from scheduler.service.rulekeeping import (
    NewRules,
    list_versions,
    names_of,
    replace_rules,
    roll_back,
    show_rules,
    show_text,
)
from scheduler.service.submitting import draft_job
from scheduler.service.validating import validate_payload
from scheduler.service.viewing import reading
from scheduler.simulation.snapshots import finish_if

router = guarded("rules")

TEXT_MAX = 1024

RAW_SYNTAXES: dict[str, Syntax] = {
    "application/toml": "toml",
    "text/toml": "toml",
    "text/x-toml": "toml",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
    "text/x-yaml": "yaml",
}
"""Content types whose body is the rules themselves."""

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/NewRuleSet"}},
            "application/toml": {"schema": {"type": "string"}},
            "application/yaml": {"schema": {"type": "string"}},
        },
    }
}

MatchHeader = Annotated[
    str | None, Header(alias="If-Match", max_length=TEXT_MAX, description="the version that the change was made to")
]
NoteQuery = Annotated[str, Query(max_length=2000, description="why they were changed")]


@router.get("/rules", responses=tells(RulesShape))
async def get_rules(farm: OnFarm) -> Response:
    """The rules in force, with their version."""
    return await _in_force(farm, "Version {version} of the rules is in force.")


@router.put("/rules", responses=tells(RulesShape, 400, 409, 413, 422), openapi_extra=BODY)
async def put_rules(
    request: Request, farm: OnFarm, caller: Caller, if_match: MatchHeader = None, note: NoteQuery = ""
) -> Response:
    """Put new rules in force, all of them or none; those that were in force stay if one is refused.

    With `If-Match`, or a `version` beside the rules, they follow that version or not at all.
    """
    wanted = await _sent(request, caller.name, note, _version_in(if_match))
    await replace_rules(farm, wanted)
    return await _in_force(farm, "Version {version} of the rules is in force from now on.")


@router.get("/rules/history", responses=tells(list[RuleVersionShape], 422, words="The page; see X-Next-Cursor"))
async def get_rules_history(
    request: Request,
    farm: OnFarm,
    limit: int | None = None,
    cursor: Annotated[str, Query(max_length=TEXT_MAX)] = "",
) -> Response:
    """List the versions of the rules, newest first, with who wrote them and when."""
    size, before = page_size(farm, limit), job_number(cursor) if cursor else None
    if cursor and before is None:
        raise Refused("cursor: take it from the X-Next-Cursor header of the page before.", code="invalid_field")
    versions = await reading(farm, lambda session: list_versions(session, size, before))
    following = str(versions[-1]["version"]) if len(versions) == size else None
    return answer(versions, f"{len(versions)} versions.", headers=next_page(request, following))


@router.get("/rules/history/{version}", responses=tells(RulesTextShape, 404))
async def get_rules_version(farm: OnFarm, version: str) -> Response:
    """One version of the rules, as it was written."""
    number = _number(version)
    return answer(await reading(farm, lambda session: show_text(session, number)), f"Version {number} of the rules.")


@router.post("/rules/history/{version}", responses=tells(RulesShape, 404, 409, 422),
             openapi_extra=takes("RollBack", required=False))  # fmt: skip
async def roll_back_rules(
    request: Request, farm: OnFarm, caller: Caller, version: str, if_match: MatchHeader = None
) -> Response:
    """Put an old version in force again; it becomes a new version."""
    wanted = read(RollBack, await json_body(request, optional=True))
    expected = _version_in(if_match) if if_match is not None else wanted.expected
    await roll_back(farm, _number(version), caller.name, None if expected is None else {expected})
    return await _in_force(farm, "Version {version} of the rules is in force from now on.")


@router.post(
    "/rules/test",
    responses=tells(dict[str, object], 400, 422, words="As GET /jobs/{job}/why answers, with `cost` and `shifts`"),
    openapi_extra=takes("NewJob"),
)
async def try_rules(request: Request, services: Serving, caller: Caller) -> Response:
    """Explain what would become of a job under the rules in force, and what it would cost, its scene sent or not.

    Nothing is stored.
    """
    payload = validate_payload(await json_body(request))
    draft = await draft_job(services.farm, caller.name, payload, sketch=True)
    told = services.explainer.why_draft(draft)
    told |= await finish_if(
        services.farm, services.forecaster, services.estimator, services.surveyor, services.capper, draft=draft
    )
    return answer(told, "What would become of this job; nothing was stored.")


async def _in_force(farm: Farm, message: str) -> Response:
    version, troubles = farm.book.version, _troubles(farm)
    shown = await reading(farm, lambda session: show_rules(session, version))
    headers = {"ETag": f'"{version}"'}
    return answer({**shown, "troubles": troubles}, message.format(version=version), headers=headers)


def _troubles(farm: Farm) -> dict[str, str]:
    """Rules that name a pool or budget that this farm does not have (any more)."""
    names = names_of(farm)
    known = names.pools or frozenset[str]()
    return {
        rule.name: f"this farm has no pool {missing[0]!r}"
        for rule in farm.book.rules
        if (missing := sorted({*rule.allow, *rule.forbid, *rule.prefer, *(c.pool for c in rule.caps)} - known - {"*"}))
    }


async def _sent(request: Request, author: str, note: str, if_match: int | None) -> NewRules:
    """What was sent, as text with its syntax."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    expected = None if if_match is None else {if_match}
    if media in RAW_SYNTAXES:
        return NewRules(_decoded(body), RAW_SYNTAXES[media], author, note, expected)
    data = await asyncio.to_thread(_json, body)
    if isinstance(data, dict) and "text" in data:
        sent = read(RulesInText, data)
        return NewRules(sent.text, sent.syntax, author, sent.note or note, expected or _versions(sent.version))
    if isinstance(data, dict):
        told = data.get("note")
        note = told if isinstance(told, str) and not note else note
        expected = expected or _versions(data.get("version"))
    return NewRules(_decoded(body), "json", author, note[:TEXT_MAX], expected)


def _json(body: bytes) -> Any:
    """A JSON body. What is no JSON is refused like wrong rules, with its place.

    Raises:
        RuleError: it is not JSON. Refused: as `parse_json`.
    """
    try:
        return parse_json(body)
    except Refused as error:
        if error.code == "not_json":
            try:
                read_rules(_decoded(body), "json")
            except RuleError as fault:
                fault.hint = f"Send JSON, or name another syntax as the content type: {', '.join(RAW_SYNTAXES)}."
                raise fault from error
        raise


def _versions(version: Any) -> set[int] | None:
    """The versions that rules with this number may follow: they were made from it, or shall become it."""
    if version is None:
        return None
    if type(version) is not int or version < 0:
        raise Refused("version is the number of the rules that the change was made to.", code="invalid_field")
    return {version, version - 1}


def _version_in(header: str | None) -> int | None:
    """The version in an If-Match header (RFC 9110, 13.1.1); `*` asks for none in particular."""
    if header is None or header.strip() == "*":
        return None
    number = job_number(header.strip().removeprefix("W/").strip('"'))
    if number is None:
        raise Refused("If-Match: send the version of the rules, as in the ETag of GET /rules.", code="invalid_field")
    return number


def _number(text: str) -> int:
    number = job_number(text)
    if number is None:
        raise NotFound(f"There is no version {text[:40]} of the rules.", code="rules_unknown")
    return number


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("The rules are not UTF-8 text.", code="invalid_text") from error
