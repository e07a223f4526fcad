"""Budgets: what may be spent, what was, what is left; and what work has cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.context import OnFarm, guarded, page_size, tells
from scheduler.api.shapes import Shape
from scheduler.errors import Refused
from scheduler.service.costing import list_budgets, list_costs
from scheduler.service.viewing import number_of_job
from scheduler.store.usage import Group

router = guarded("budgets")


class BudgetShape(Shape):
    """A budget in its present period.

    `reserved_usd` is what instances that run or are about to could still cost; `free_usd` may still be reserved.
    `retries_usd` went into attempts without a result; `forecast_usd` will have been spent at the period's
    end if the rest is like what was; `runs_out_at` is when it is spent if what runs now runs on (none: not within the
    period).
    """

    budget: str
    project: str | None = Field(description="whose work counts; none: everybody's")
    usd: float
    period: Literal["day", "week", "month", "total"]
    period_starts_at: str | None
    period_ends_at: str | None
    at_cap: str
    spent_usd: float
    reserved_usd: float
    retries_usd: float
    left_usd: float
    free_usd: float
    usd_per_hour: float
    forecast_usd: float | None
    runs_out_at: str | None
    core_hours: float
    by_pool_usd: dict[str, float]


@router.get("/budgets", responses=tells(list[BudgetShape]))
async def get_budgets(farm: OnFarm) -> Response:
    """List the budgets with what was spent and reserved on pools that have a price, running work included."""
    budgets = await list_budgets(farm)
    return answer(budgets, f"{len(budgets)} budgets.")


class CostShape(Shape):
    """What work has cost. `name` is a pool, project, shot, jobID or attempt (`task.attempt`), as `by` says.

    `retries_usd` and `retries` are the part that went into attempts without a result.
    """

    by: Group
    name: str
    usd: float
    retries_usd: float
    core_hours: float
    attempts: int
    retries: int


@router.get("/costs", responses=tells(list[CostShape], 404, 422))
async def get_costs(
    farm: OnFarm,
    by: Annotated[Group, Query(description="what to sum by; attempt needs a job")] = "project",
    job: Annotated[str, Query(max_length=20, description="of this job only")] = "",
    since: Annotated[datetime | None, Query(description="from then on; without an offset UTC")] = None,
    limit: Annotated[int | None, Query(description="how many, dearest first")] = None,
) -> Response:
    """What work has cost: the time that attempts held their slots, at their machine's price.

    Machines that boot or stand idle are in no job's costs, only in the budgets.
    """
    if by == "attempt" and not job:
        raise Refused("Costs by attempt need a job.", code="invalid_field", details=[{"field": "job"}])
    number = number_of_job(job) if job else None
    since_s = since.replace(tzinfo=since.tzinfo or UTC).timestamp() if since is not None else 0.0
    found = await list_costs(farm, by=by, job=number, since_s=since_s, limit=page_size(farm, limit))
    return answer(found, f"{len(found)} costs.")
