"""Budgets: what may be spent, what was, what is left."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.context import OnFarm, guarded, tells
from scheduler.api.shapes import Shape
from scheduler.service.costing import list_budgets

router = guarded("budgets")


class BudgetShape(Shape):
    """A budget in its present period.

    `reserved_usd` is what instances that run or are about to could still cost; `free_usd` may still be reserved.
    `retries_usd` went into attempts without a result; `forecast_usd` will have been spent at the period's
    end if the rest is like what was; `runs_out_at` is when it is spent if what runs now runs on.
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
