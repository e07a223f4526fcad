"""Estimates: when a job will finish, what its frames take, and how good such forecasts have been."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import Field
from sqlmodel import Session
from starlette.responses import Response

from scheduler.api.answers import answer
from scheduler.api.context import OnFarm, Serving, guarded, tells
from scheduler.api.shapes import Shape
from scheduler.service.cost_outlook import job_cost
from scheduler.service.farm import iso
from scheduler.service.forecasting import Forecaster, StepOutlook
from scheduler.service.judging import accuracy_report
from scheduler.service.viewing import find_job, number_of_job, reading

router = guarded("estimates")


class FrameTimeShape(Shape):
    """Seconds of one frame on the reference machine."""

    mid_s: float = Field(description="half of the frames take less")
    low_s: float = Field(description="low_s to high_s hold 80 % of the frames")
    high_s: float
    count: int = Field(description="frames that it rests on")
    basis: str


class StepEstimateShape(Shape):
    """What a step has left."""

    step: int
    kind: str
    waiting: int
    running: int
    frames_per_task: float = Field(description="10 for a chunk of ten frames, 0.25 for one of four tiles")
    frame: FrameTimeShape


class UsdShape(Shape):
    """US dollars: low to high hold with a probability of 80 %."""

    low: float
    likely: float
    high: float


class CostShareShape(Shape):
    """What a pool is expected to do of a job."""

    pool: str
    tasks: float
    machine_hours: float | None = Field(description="hours of whole machines; null: nobody has seen such frames")
    usd: float | None = Field(description="what that costs, expected; 0 where it is free")


class CostShape(Shape):
    """What a job costs in all. Without a number, `note` says why there is none."""

    usd: UsdShape | None = Field(description="with what was spent already, and never over the cost cap")
    spent_usd: float
    cost_cap_usd: float | None
    tasks: int = Field(description="tasks that are left")
    machine_hours: float | None = Field(description="hours of whole machines that they take")
    pools: list[CostShareShape] = Field(description="where they are expected to be done, most first")
    note: str


class EstimateShape(Shape):
    """When a job will finish. Without a finish, `basis` says why there is none."""

    jobID: str
    status: str
    made_at: str | None = Field(description="when this was foretold")
    finish: str | None
    low: str | None = Field(description="low to high hold with a probability of 80 %")
    high: str | None
    basis: str
    deadline: str | None = Field(description="the earlier of the job's own and production's")
    cost: CostShape
    slack_s: float | None = Field(description="from the finish to the deadline; negative: it will be late")
    steps: list[StepEstimateShape]


class AccuracyShape(Shape):
    """Of `count` forecasts: their error, and the share of intervals that held (0.8 is meant)."""

    count: int
    median_error: float | None = Field(description="median error of the remaining time, relative to what it was")
    coverage: float | None


class ShareAccuracyShape(AccuracyShape):
    """Forecasts that were made while this share of the job was done."""

    from_: float = Field(alias="from")
    to: float


class RendererAccuracyShape(AccuracyShape):
    """Forecasts of one renderer's jobs."""

    renderer: str


class AccuracyReportShape(AccuracyShape):
    """How good the latest forecasts were."""

    by_share: list[ShareAccuracyShape]
    by_renderer: list[RendererAccuracyShape]


@router.get("/jobs/{job}/estimate", responses=tells(EstimateShape, 404))
async def get_estimate(services: Serving, job: str) -> Response:
    """When a job will finish and what it will cost, in intervals that hold 80 %, where, and what its frames take."""
    number = number_of_job(job)
    status, deadline_s = await reading(services.farm, lambda session: _standing(session, number))
    cost = await job_cost(services.farm, services.forecaster, services.capper, number)
    return answer(
        _view(services.forecaster, number, status, deadline_s) | {"cost": cost}, f"The estimate of job {number:05d}."
    )


@router.get("/estimates/accuracy", responses=tells(AccuracyReportShape))
async def get_accuracy(farm: OnFarm) -> Response:
    """How good forecasts of jobs that have succeeded since were: all, by share done, and by renderer."""
    report = await reading(farm, accuracy_report)
    return answer(report, f"{report['count']} forecasts have been judged.")


def _standing(session: Session, job: int) -> tuple[str, float | None]:
    """A job's status and its effective deadline."""
    row = find_job(session, job)
    deadlines = [at for at in (row.deadline, row.tracked_deadline) if at is not None]
    return row.status, min(deadlines, default=None)


def _view(forecaster: Forecaster, job: int, status: str, deadline_s: float | None) -> dict[str, Any]:
    last, told = forecaster.last, forecaster.told(job, status)
    slack_s = forecaster.slack_s(job, deadline_s) if told["finish"] else None
    return {
        "jobID": f"{job:05d}",
        "status": status,
        "made_at": iso(last.made_at) if job in last.seen else None,
        **told,
        "deadline": iso(deadline_s),
        "slack_s": slack_s,
        "steps": [_step_view(step) for step in last.steps.get(job, ())] if told["finish"] else [],
    }


def _step_view(step: StepOutlook) -> dict[str, Any]:
    frame = asdict(step.time)
    return {
        "step": step.step,
        "kind": step.kind,
        "waiting": step.waiting,
        "running": step.running,
        "frames_per_task": step.frames_per_task,
        "frame": {name: frame[name] for name in FrameTimeShape.model_fields},
    }
