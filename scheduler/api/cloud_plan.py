"""What autoscaling would do now: how many workers each pool has and should have, why, and for which jobs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.context import Serving, guarded, tells
from scheduler.api.shapes import Shape

router = guarded("cloud")


class PoolWorkersShape(Shape):
    """Instances of a pool that were launched."""

    present: int = Field(description="there or on their way, and to stay")
    starting: int
    busy: int
    idle: int
    retiring: int = Field(description="on their way out")


class PoolPlanShape(Shape):
    """What would be done about a pool. `reasons` are sentences."""

    pool: str
    autoscale: Literal["static", "twostate", "demand", "deadline"]
    workers: PoolWorkersShape
    wanted: int | None = Field(description="by its policy, before bounds; none: not known what could be launched there")
    launch: int
    retire: list[str] = Field(description="instances that would take nothing new and go")
    reasons: list[str]
    workers_min: int
    workers_max: int | None
    price_usd_per_hour: float
    usd_per_hour: float = Field(description="what the pool costs in an hour as it is")
    usd_per_hour_wanted: float = Field(description="and as it would be")


class CoveredJobShape(Shape):
    """A job that cannot make its date at home, and the pool that covers it."""

    jobID: str
    name: str
    pool: str
    stage: Literal["bursting", "later", "hopeless"] = Field(
        description="bursting: machines are rented for it; later: they will be at starts_at; hopeless: none will"
    )
    work_hours: float = Field(description="work that home cannot do in time, on the reference machine")
    starts_at: str | None
    reason: str


class CloudPlanShape(Shape):
    """The plan at one moment. Asking for it changes nothing."""

    made_at: str
    pools: list[PoolPlanShape]
    jobs: list[CoveredJobShape]


@router.get("/cloud/plan", responses=tells(CloudPlanShape))
async def get_cloud_plan(services: Serving) -> Response:
    """Say how many workers each pool would be given now, why, and which jobs cannot make their date at home."""
    plan = await services.scaler.plan()
    return answer(plan, f"{len(plan['pools'])} pools are scaled; {len(plan['jobs'])} jobs would be late at home.")
