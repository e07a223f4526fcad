"""Verbs on jobs and tasks, against an API that answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fake_rest import JOB, FakeRest
from typer.testing import Result

Run = Callable[..., Result]

TASK: dict[str, Any] = {
    "task": 3, "jobID": "00007", "step": "render", "kind": "render", "seq": 0, "status": "FAILED", "attempt": 2,
    "frames": [1, 2], "tile": [0, 1, 2, 2], "slice": None, "worker": "w1", "failures": 1, "message": "no camera",
    "not_before": None, "progress": 0.0, "note": "",
}  # fmt: skip


def last_line(result: Result) -> list[str]:
    """The words of a table's last row."""
    return result.stdout.strip().splitlines()[-1].split()


def test_jobs_are_a_table_ids_or_json(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs"] = [JOB]

    row = last_line(on("jobs", "--status", "running", "--user", "ada"))
    assert row[:8] == ["00007", "shot", "RUNNING", "1/2", "50", "ada", "sh010", "kernel"]
    assert "status=RUNNING" in fake.seen[-1].query
    assert on("jobs", "--quiet").stdout == "00007\n"
    assert json.loads(on("jobs", "--json").stdout) == [JOB]


def test_a_job_is_shown_with_the_tasks_that_have_not_succeeded(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7"] = JOB
    fake.answers["GET /jobs/7/tasks"] = lambda request: (
        200,
        {"data": [TASK] if "FAILED" in request.query else [], "message": ""},
    )

    out = on("jobs", "7").stdout

    assert "1 of 2 frames" in out
    assert "render tile 0,1 of 2x2" in out
    assert "no camera" in out
    assert on("jobs", "7", "--quiet").stdout == "RUNNING\n"


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "retry"])
def test_verbs_on_jobs_post(on: Run, fake: FakeRest, verb: str) -> None:
    fake.answers[f"POST /jobs/7/{verb}"] = JOB

    result = on(verb, "7")

    assert (result.exit_code, result.stdout) == (0, "Done.\n")


def test_retry_can_name_frames(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /jobs/7/retry"] = JOB

    on("retry", "7", "--frames", "1-3")

    assert fake.seen[-1].json == {"frames": "1-3"}


def test_priority(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /jobs/7/priority"] = JOB

    assert on("priority", "7", "80").exit_code == 0
    assert fake.seen[-1].json == {"priority": 80}


def test_one_that_refuses_does_not_keep_the_others_from_it(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /jobs/7/cancel"] = JOB
    fake.fails("POST /jobs/8/cancel", 409, "job_state", "It has ended.")

    result = on("cancel", "8", "9", "7", "7")

    assert result.exit_code == 1
    assert result.stdout == "Done.\n"
    assert "It has ended." in result.stderr
    assert "There is no such thing." in result.stderr


def test_why_tells_rank_route_and_reasons(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/why"] = {
        "job": "00007",
        "status": "QUEUED",
        "rank": {"position": 2, "of": 5, "score": 50.25, "parts": {"priority": 50, "age": 0.25}},
        "route": {
            "chosen": [],
            "pools": [{"pool": "onprem", "allowed": False, "reason": "no_worker", "detail": "blender", "score": 0}],
        },
        "waiting": [{"reason": "no worker is here", "tasks": 12}],
        "estimate": {"finish": None, "basis": "no frame of this scene yet"},
        "tracking": {"source": "shotgrid", "says": "Task.sg_priority_1 is 1_Tier", "age_s": 400.0, "stale": True},
        "override": {"priority": 50, "author": "ana", "reason": "dailies", "expires_at": None},
        "failures": [{"message": "no camera", "tasks": 1}],
    }
    fake.answers["GET /jobs/7/why"]["rank"] |= {"deadline": "2026-12-01T18:00:00Z", "slack_s": -7300.0}
    fake.answers["GET /tasks/9/why"] = fake.answers["GET /jobs/7/why"] | {
        "task": {"task": 9, "status": "LEASED", "reason": "runs on w1"}
    }

    out = on("why", "7").stdout

    assert "2 of 5, score 50.25 = priority 50 + age 0.25" in out
    assert "no worker: blender" in out
    assert "12" in out
    assert "no worker is here" in out
    assert "no camera" in out
    assert "set to 50 by ana: dailies" in out
    assert "2026-12-01T18:00:00Z, late by 2 h" in out
    assert "no frame of this scene yet" in out
    assert "Task.sg_priority_1 is 1_Tier; heard 6 min ago, stale" in out
    assert "9 LEASED: runs on w1" in on("why", "7", "--task", "9").stdout
