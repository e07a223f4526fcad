"""The farm's history as a trace for `outfield simulate`, sent while it is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from scheduler.api.context import OnFarm, guarded, sends
from scheduler.errors import Refused
from scheduler.protocol.traces import MEDIA_TYPE
from scheduler.service.exporting import Export, export_trace

router = guarded("jobs")

TIME_MAX = 64


@router.get("/jobs/export", responses=sends(MEDIA_TYPE, 422, words="JSON Lines: the farm, its workers, its jobs"))
async def export_jobs(
    farm: OnFarm,
    since: Annotated[str, Query(max_length=TIME_MAX, description="ISO 8601; jobs submitted from then on")] = "",
    until: Annotated[str, Query(max_length=TIME_MAX, description="ISO 8601; jobs submitted before then")] = "",
    anonymous: Annotated[bool, Query(description="names and paths are replaced by numbers")] = False,
) -> Response:
    """Export the farm's history as a trace for the simulator."""
    since_s, until_s = _time_s("since", since), _time_s("until", until)
    if since_s is not None and until_s is not None and until_s <= since_s:
        raise Refused("until must lie after since.", code="invalid_field", details=[{"field": "until"}])
    headers = {"Content-Disposition": 'attachment; filename="trace.jsonl"', "Cache-Control": "no-store"}
    lines = export_trace(farm, Export(since_s, until_s, anonymous))
    return StreamingResponse(lines, media_type=MEDIA_TYPE, headers=headers)


def _time_s(field: str, text: str) -> float | None:
    """Seconds since the epoch; a time without an offset is UTC."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise Refused(
            f"{field}: {text!r} is no ISO 8601 time, such as 2026-01-31 or 2026-01-31T18:00:00Z.",
            code="invalid_field",
            details=[{"field": field, "problem": "no ISO 8601 time"}],
        ) from error
