"""`cloud plan`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fake_rest import FakeRest
from typer.testing import Result

from scheduler.cli.cloud_plan import change, job_row, pool_row

Run = Callable[..., Result]

POOL: dict[str, Any] = {
    "pool": "aws", "autoscale": "deadline",
    "workers": {"present": 3, "starting": 1, "busy": 2, "idle": 0, "retiring": 0},
    "wanted": 7, "launch": 4, "retire": [], "reasons": ["deadline: 7 workers do 9.0 h of work of 2 jobs", "x"],
    "workers_min": 0, "workers_max": 20, "price_usd_per_hour": 0.5, "usd_per_hour": 1.5, "usd_per_hour_wanted": 3.5,
}  # fmt: skip
JOB: dict[str, Any] = {
    "jobID": "00042", "name": "sh010", "pool": "aws", "stage": "later", "work_hours": 9.04,
    "starts_at": "2026-01-01T02:00:00.000Z", "reason": "it would end 2 h 05 min late at home",
}  # fmt: skip
PLAN: dict[str, Any] = {"made_at": "2026-01-01T00:00:00.000Z", "pools": [POOL], "jobs": [JOB]}


def test_a_plan_for_people(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /cloud/plan"] = PLAN
    shown = on("cloud", "plan").stdout

    for words in ("aws", "deadline", "3 (1 starting)", "+4", "1.50", "3.50", "7 workers do 9.0 h", "00042", "9.0 h"):
        assert words in shown


def test_a_plan_for_programs(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /cloud/plan"] = PLAN

    assert json.loads(on("cloud", "plan", "--json").stdout) == PLAN


def test_a_farm_that_scales_nothing_says_so(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /cloud/plan"] = PLAN | {"pools": [], "jobs": []}
    result = on("cloud", "plan")

    assert "No pool of this farm is scaled" in result.stdout + result.stderr


def test_rows() -> None:
    assert change(POOL) == "+4"
    assert change(POOL | {"launch": 0, "retire": ["i-1", "i-2"]}) == "-2"
    assert change(POOL | {"launch": 0}) == ""
    assert pool_row(POOL | {"wanted": None})[3] == ""
    assert job_row(JOB, 1_767_225_600.0)[4].startswith("2 h")  # type: ignore[union-attr]
    assert job_row(JOB | {"starts_at": None}, 0.0)[4] == ""
