"""Jobs: list, look at, and what people do to them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Query, Request
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.bodies import json_object
from scheduler.api.context import Caller, OnFarm, Serving, guarded, next_page, page_size, takes, tells
from scheduler.api.job_shapes import EventShape, JobEntry, JobShape, TaskShape
from scheduler.api.requests import CancelJob, CostCap, Priority, Retry, read
from scheduler.domain.costs import in_usd
from scheduler.domain.wishes import Source
from scheduler.errors import NotFound, Refused
from scheduler.service import controlling
from scheduler.service.capping_jobs import cap_job
from scheduler.service.cost_outlook import job_cost
from scheduler.service.farm import Farm, iso, job_number
from scheduler.service.overriding import prioritise_job
from scheduler.service.viewing import find_job, list_events, number_of_job, reading
from scheduler.service.viewing_jobs import JobFilter, list_jobs, oldest_running, show_job, statuses
from scheduler.service.viewing_tasks import list_tasks, task_cursor, task_statuses, with_progress

router = guarded("jobs")
FORM = "application/x-www-form-urlencoded"
TEXT_MAX = 1024


@router.get("/jobs", responses=tells(list[JobEntry], 422, words="The page; X-Next-Cursor and Link lead to the next"))
async def get_jobs(
    request: Request,
    farm: OnFarm,
    status: Annotated[str, Query(max_length=TEXT_MAX, description="e.g. QUEUED,RUNNING")] = "",
    user: Annotated[str, Query(max_length=TEXT_MAX)] = "",
    shot: Annotated[str, Query(max_length=TEXT_MAX)] = "",
    limit: Annotated[int | None, Query(description="entries of one page")] = None,
    cursor: Annotated[str, Query(max_length=TEXT_MAX, description="from X-Next-Cursor of the page before")] = "",
) -> Response:
    """List the jobs in the queue, newest first."""
    before = job_number(cursor) if cursor else None
    if cursor and before is None:
        raise Refused("cursor: take it from the X-Next-Cursor header of the page before.", code="invalid_field")
    wanted, size = JobFilter(statuses(status), user, shot, before), page_size(farm, limit)
    jobs, following = await reading(farm, lambda session: list_jobs(session, wanted, size))
    return answer(jobs, f"{len(jobs)} jobs.", headers=next_page(request, following))


@router.delete("/jobs", responses=tells(str, 404, 422, words="The jobID"))
async def delete_job_by_query(
    farm: OnFarm, caller: Caller, jobID: Annotated[str, Query(max_length=TEXT_MAX)]
) -> Response:
    """Cancel what runs of a job and remove it from the queue."""
    return await _remove(farm, jobID, caller.name)


@router.post("/jobs/cancel", responses=tells(JobShape, 404, 409, 422), openapi_extra=takes("CancelJob", required=False))
async def cancel_current_job(
    request: Request, farm: OnFarm, caller: Caller, jobID: Annotated[str | None, Query(max_length=TEXT_MAX)] = None
) -> Response:
    """Cancel a job: the one named in the query, a form or JSON, else the caller's job that has been running longest."""
    text = jobID or await _job_in_body(request)
    if text is None:
        job = await reading(farm, lambda session: oldest_running(session, caller.name))
        if job is None:
            raise NotFound(
                "No job of yours is running.", code="no_running_job", hint="Name one: POST /jobs/{id}/cancel."
            )
    else:
        job = number_of_job(text)
    await controlling.cancel_job(farm, job, caller.name)
    return await _shown(farm, job, "canceled")


@router.get("/jobs/{job}", responses=tells(JobShape, 404))
async def get_job(farm: OnFarm, job: str) -> Response:
    """Everything about one job."""
    number = number_of_job(job)
    return answer(await reading(farm, lambda session: show_job(session, number)), f"Job {number:05d}.")


@router.delete("/jobs/{job}", responses=tells(str, 404, words="The jobID"))
async def delete_job(farm: OnFarm, caller: Caller, job: str) -> Response:
    """Cancel what runs of a job and remove it from the queue."""
    return await _remove(farm, job, caller.name)


@router.get("/jobs/{job}/tasks", responses=tells(list[TaskShape], 404, 422, words="The page; see X-Next-Cursor"))
async def get_tasks(
    request: Request,
    farm: OnFarm,
    job: str,
    status: Annotated[str, Query(max_length=TEXT_MAX, description="e.g. READY,LEASED")] = "",
    limit: int | None = None,
    cursor: Annotated[str, Query(max_length=TEXT_MAX)] = "",
) -> Response:
    """List the tasks of a job in the order of its steps."""
    number, size = number_of_job(job), page_size(farm, limit)
    wanted, after = task_statuses(status), task_cursor(cursor)
    tasks, following = await reading(
        farm, lambda session: list_tasks(session, number, status=wanted, after=after, limit=size)
    )
    return answer(with_progress(farm, tasks), f"{len(tasks)} tasks.", headers=next_page(request, following))


@router.get("/jobs/{job}/events", responses=tells(list[EventShape], 404, 422, words="The page; see X-Next-Cursor"))
async def get_job_events(
    request: Request,
    farm: OnFarm,
    job: str,
    limit: int | None = None,
    cursor: Annotated[str, Query(max_length=TEXT_MAX, description="the id of the last event already seen")] = "",
) -> Response:
    """List what happened to a job, oldest first."""
    number, size = number_of_job(job), page_size(farm, limit)
    after = job_number(cursor or "0")
    if after is None:
        raise Refused("cursor: take it from the X-Next-Cursor header of the page before.", code="invalid_field")
    events = await reading(
        farm, lambda session: find_job(session, number) and list_events(session, job=number, after=after, limit=size)
    )
    following = str(events[-1]["id"]) if len(events) == size else None
    return answer(events, f"{len(events)} events.", headers=next_page(request, following))


@router.get("/jobs/{job}/why", responses=tells(dict[str, object], 404, words="Rank, route and what waits for what"))
async def get_why(services: Serving, job: str) -> Response:
    """Explain where a job stands, where it may run, and what each waiting task waits for."""
    number = number_of_job(job)
    farm = services.farm
    await reading(farm, lambda session: find_job(session, number))
    told = await services.explainer.why_job(number, undeliverable=services.publisher.waiting)
    told["cost"] = await job_cost(farm, services.forecaster, services.capper, number)
    return answer(told, f"Why job {number:05d} is where it is.")


@router.post("/jobs/{job}/pause", responses=tells(JobShape, 404, 409))
async def pause(farm: OnFarm, caller: Caller, job: str) -> Response:
    """Lease nothing more of a job; what runs may finish."""
    number = number_of_job(job)
    await controlling.pause_job(farm, number, caller.name)
    return await _shown(farm, number, "paused")


@router.post("/jobs/{job}/resume", responses=tells(JobShape, 404, 409))
async def resume(farm: OnFarm, caller: Caller, job: str) -> Response:
    """Let a paused job go on."""
    number = number_of_job(job)
    await controlling.resume_job(farm, number, caller.name)
    return await _shown(farm, number, "resumed")


@router.post("/jobs/{job}/cancel", responses=tells(JobShape, 404, 409))
async def cancel(farm: OnFarm, caller: Caller, job: str) -> Response:
    """End a job: what runs is stopped, what was published stays."""
    number = number_of_job(job)
    await controlling.cancel_job(farm, number, caller.name)
    return await _shown(farm, number, "canceled")


@router.post(
    "/jobs/{job}/retry", responses=tells(JobShape, 404, 409, 422), openapi_extra=takes("Retry", required=False)
)
async def retry(request: Request, farm: OnFarm, caller: Caller, job: str) -> Response:
    """Give failed and canceled tasks all their attempts back, of all frames or of those named."""
    number = number_of_job(job)
    wanted = read(Retry, await json_object(request, optional=True))
    await controlling.retry_job(farm, number, caller.name, wanted.frames)
    return await _shown(farm, number, "queued again")


@router.post("/jobs/{job}/priority", responses=tells(JobShape, 404, 422), openapi_extra=takes("Priority"))
async def priority(request: Request, farm: OnFarm, caller: Caller, job: str) -> Response:
    """Change a job's priority, 0 to 100; the higher goes first.

    With a reason or an end, or where production's tracker has a wish, it overrides that wish (see GET /priorities).
    """
    number = number_of_job(job)
    wanted = read(Priority, await json_object(request))
    ends_at = wanted.ends_at_s(farm.now_s())
    source = await prioritise_job(farm, number, wanted.priority, caller.name, reason=wanted.reason, ends_at=ends_at)
    until = f" until {iso(ends_at)}" if ends_at is not None else ""
    override = f", an override{until}" if source is Source.OVERRIDE else ""
    return await _shown(farm, number, f"given priority {wanted.priority}{override}")


@router.post("/jobs/{job}/cost_cap", responses=tells(JobShape, 404, 409, 422), openapi_extra=takes("CostCap"))
async def cost_cap(request: Request, farm: OnFarm, caller: Caller, job: str) -> Response:
    """Change the most that a job may cost in pools with a price; null removes the cap.

    Under what it has cost already it stops what runs there. See GET /jobs/{job}/why for what the cap closes.
    """
    number = number_of_job(job)
    usd = read(CostCap, await json_object(request)).cost_cap_usd
    await cap_job(farm, number, usd, caller.name)
    return await _shown(farm, number, "freed of its cost cap" if usd is None else f"capped at {in_usd(usd)} USD")


async def _remove(farm: Farm, text: str, by: str) -> Response:
    number = number_of_job(text)
    await controlling.remove_job(farm, number, by)
    return answer(f"{number:05d}", f"Job {number:05d} was removed from the queue.")


async def _shown(farm: Farm, job: int, done: str) -> Response:
    return answer(await reading(farm, lambda session: show_job(session, job)), f"Job {job:05d} was {done}.")


async def _job_in_body(request: Request) -> str | None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        fields = parse_qs((await request.body()).decode("utf-8", "replace"))
        named = fields.get("jobID", [])
        # curl -d '{"jobID": …}' says that it sends a form; what then has no such field is read as JSON.
        if named:
            return named[0]
    return read(CancelJob, await json_object(request, optional=True)).jobID
