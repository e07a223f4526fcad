"""Bad input gets a clear answer at the edge: pydantic's findings as sentences, with the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from scheduler.domain.frames import FrameSyntaxError, parse_frames
from scheduler.errors import Refused
from scheduler.protocol.renderers import RENDERERS, RendererSettings
from scheduler.protocol.submission import NewJob, Requires, Split, Tracking

_NESTED: dict[str, type[BaseModel]] = {"tracking": Tracking, "requires": Requires, "split": Split}


def validate_payload(data: Any) -> NewJob:
    """A submission in the short form, checked field by field.

    Raises:
        Refused: `unknown_field` (naming the nearest known one) or `invalid_field`; all findings in `details`.
    """
    if not isinstance(data, dict):
        raise Refused('A job is a JSON object, e.g. {"name": "hello"}.', code="invalid_request")
    try:
        return NewJob.model_validate(data)
    except ValidationError as error:
        raise refusal(error, _known_fields(error)) from error


def validate_settings(renderer: str, settings: dict[str, Any]) -> RendererSettings:
    """A renderer's settings.

    Raises:
        Refused: as `validate_payload`.
    """
    model = RENDERERS[renderer].settings
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise refusal(error, list(model.model_fields), prefix="settings.") from error


def frames_or_refuse(text: str, *, frames_max: int) -> tuple[int, ...]:
    """A frame range.

    Raises:
        Refused: `invalid_frames`, with the position of the fault.
    """
    try:
        return parse_frames(text, frames_max=frames_max)
    except FrameSyntaxError as error:
        raise Refused(
            f"frames: {error}.",
            code="invalid_frames",
            details={"field": "frames", "position": error.position},
            hint="Write whole frames as in 1-100x2,150 or 1-100:5.",
        ) from error


def refusal(error: ValidationError, known: Sequence[str], *, prefix: str = "") -> Refused:
    """Pydantic's findings as one error; unknown fields first, because they are mostly typing errors."""
    details = [_finding(item, known, prefix) for item in error.errors(include_url=False, include_input=False)[:20]]
    details.sort(key=lambda item: item["problem"] != "unknown field")
    first = details[0]
    if first["problem"] == "unknown field":
        near = first.get("nearest")
        hint = f"Did you mean {near!r}?" if near else f"Known fields: {', '.join(known)}."
        return Refused(f"{first['field']} is not a known field.", code="unknown_field", details=details, hint=hint)
    return Refused(f"{first['field']}: {first['problem']}.", code="invalid_field", details=details)


def _finding(item: Any, known: Sequence[str], prefix: str) -> dict[str, str]:
    field = prefix + ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        return {"field": field or "body", "problem": str(item["msg"])}
    near = difflib.get_close_matches(str(item["loc"][-1]), list(known), n=1, cutoff=0.5)
    return {"field": field, "problem": "unknown field"} | ({"nearest": near[0]} if near else {})


def _known_fields(error: ValidationError) -> list[str]:
    """The fields of the object that the first unknown field stands in."""
    for item in error.errors(include_url=False, include_input=False):
        if item["type"] == "extra_forbidden" and len(item["loc"]) > 1 and item["loc"][0] in _NESTED:
            return list(_NESTED[str(item["loc"][0])].model_fields)
    return list(NewJob.model_fields)
