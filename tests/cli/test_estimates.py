"""`estimate` and `estimates`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_rest import FakeRest
from typer.testing import Result

from scheduler.cli.estimates import moment, seconds, slack

Run = Callable[..., Result]

ESTIMATE: dict[str, Any] = {
    "jobID": "00007", "status": "RUNNING", "made_at": "2026-01-01T00:00:00.000Z",
    "finish": "2099-01-01T12:00:00.000Z", "low": "2099-01-01T11:00:00.000Z", "high": "2099-01-01T14:00:00.000Z",
    "basis": "12 frames of this scene", "deadline": "2099-01-01T18:00:00.000Z", "slack_s": 21600.0,
    "steps": [
        {"step": 1, "kind": "render", "waiting": 30, "running": 4, "frames_per_task": 1.0,
         "frame": {"mid_s": 90.0, "low_s": 60.0, "high_s": 150.0, "count": 12, "basis": "12 frames of this scene"}},
    ],
}  # fmt: skip
NONE = ESTIMATE | {"finish": None, "low": None, "high": None, "slack_s": None, "steps": [], "basis": "no estimate: x"}
ACCURACY: dict[str, Any] = {
    "count": 40, "median_error": 0.123, "coverage": 0.825,
    "by_share": [{"from": 0.0, "to": 0.1, "count": 40, "median_error": 0.123, "coverage": 0.825}],
    "by_renderer": [{"renderer": "blender", "count": 40, "median_error": 0.123, "coverage": 0.825}],
}  # fmt: skip


def test_an_estimate_for_people(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/estimate"] = ESTIMATE
    shown = on("estimate", "7").stdout

    assert "12 frames of this scene" in shown
    assert "6 h to spare" in shown
    assert "60 s to 2 min" in shown or "1 min to 2 min" in shown
    assert "34" not in shown.replace("2099", "")


def test_an_estimate_for_programs(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/estimate"] = ESTIMATE

    assert on("estimate", "7", "--quiet").stdout == "2099-01-01T12:00:00.000Z\n"
    assert json.loads(on("estimate", "7", "--json").stdout) == ESTIMATE


def test_no_estimate_says_why(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/estimate"] = NONE
    result = on("estimate", "7")

    assert result.exit_code == 0
    assert "no estimate: x" in result.stdout
    assert on("estimate", "8").exit_code == 3


def test_accuracy(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /estimates/accuracy"] = ACCURACY
    rows = [line.split() for line in on("estimates").stdout.splitlines()]

    assert ["all", "40", "12%", "82%"] in rows
    assert ["0%", "to", "10%", "done", "40", "12%", "82%"] in rows
    assert ["blender", "40", "12%", "82%"] in rows
    assert json.loads(on("estimates", "--json").stdout) == ACCURACY


def test_accuracy_of_nothing(on: Run, fake: FakeRest) -> None:
    nothing = {"count": 0, "median_error": None, "coverage": None, "by_share": [], "by_renderer": []}
    fake.answers["GET /estimates/accuracy"] = nothing

    assert "No forecast has been judged yet" in on("estimates").stderr


@pytest.mark.parametrize(("value", "text"), [(7200.0, "2 h to spare"), (-7200.0, "2 h late"), (None, "")])
def test_slack(value: float | None, text: str) -> None:
    assert slack(value) == text


def test_times() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert moment("2026-01-01T03:00:00Z", now).startswith("in 3 h (2026-01-01 ")
    assert moment("2025-12-31T23:50:00Z", now).startswith("10 min ago (")
    assert moment(None, now) == ""
    assert (seconds(0.25), seconds(90)) == ("0.2 s", "1 min")
