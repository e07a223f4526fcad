"""Priorities: what production wants against what the farm does, and the end of an override."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.context import Caller, OnFarm, Serving, guarded, next_page, page_size, tells
from scheduler.api.job_shapes import JobShape
from scheduler.api.points_shapes import PrioritiesShape
from scheduler.errors import Refused
from scheduler.service.farm import job_number
from scheduler.service.overriding import clear_override
from scheduler.service.viewing import number_of_job, reading
from scheduler.service.viewing_jobs import show_job
from scheduler.service.viewing_priorities import PriorityPage, list_priorities

router = guarded("priorities")

CURSOR_MAX = 20


@router.get(
    "/priorities", responses=tells(PrioritiesShape, 422, words="The page; X-Next-Cursor and Link lead to the next")
)
async def get_priorities(
    request: Request,
    farm: OnFarm,
    services: Serving,
    limit: Annotated[int | None, Query(description="jobs of one page")] = None,
    cursor: Annotated[str, Query(max_length=CURSOR_MAX, description="from X-Next-Cursor of the page before")] = "",
    drift: Annotated[
        bool, Query(description="only jobs with which the farm does not do what production wants")
    ] = False,
) -> Response:
    """List the unfinished jobs in the farm's order, each with what production wants for it, and where that differs."""
    start = job_number(cursor or "0")
    if start is None:
        raise Refused("cursor: take it from the X-Next-Cursor header of the page before.", code="invalid_field")
    page = PriorityPage(start, page_size(farm, limit), drift)
    data, following = await list_priorities(farm, page)
    data["tracker"]["state"] = services.following.view() if services.following.tracker is not None else None
    headers = next_page(request, None if following is None else str(following))
    message = f"{len(data['jobs'])} of {data['total']} jobs; {data['drifting']} differ from production's wish."
    return answer(data, message, headers=headers)


@router.delete("/jobs/{job}/priority", responses=tells(JobShape, 404, words="The job as it is now"))
async def delete_priority(farm: OnFarm, caller: Caller, job: str) -> Response:
    """End the override of a job's priority: production's wish counts again, or the job's own number."""
    number = number_of_job(job)
    await clear_override(farm, number, caller.name)
    shown = await reading(farm, lambda session: show_job(session, number))
    return answer(shown, f"The override of job {number:05d} was removed.")
