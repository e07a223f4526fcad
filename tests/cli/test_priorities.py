"""Priorities and points on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fake_rest import JOB, FakeRest
from typer.testing import Result

Run = Callable[..., Result]

ROW: dict[str, Any] = {
    "jobID": "00007", "name": "light", "status": "RUNNING", "project": "Alpha", "shot": "sh010", "user": "ada",
    "wanted": {"priority": 70, "source": "Shot.sg_priority", "age_s": 130.0, "deadline": None, "hold": None},
    "effective": {"priority": 95, "source": "override", "own": 50, "deadline": None, "boost": 5.0},
    "override": {"priority": 95, "author": "ben", "reason": "client", "created_at": "", "expires_at": None},
    "position": 1, "score": 100.0, "tasks": {"running": 2, "waiting": 10}, "drift": True, "why": "because",
}  # fmt: skip
LIST = {
    "jobs": [ROW],
    "total": 1,
    "drifting": 1,
    "tracker": {"source": "shotgrid", "jobs": 1, "stale": 1, "age_s": 400.0, "stale_after_s": 300.0, "state": None},
}
ACCOUNT = {
    "user": "ada", "balance": 12.5, "earned": 20, "granted": 0, "spent": 7.5, "workers": 1,
    "entries": [
        {"id": 2, "at": "2026-01-01T00:00:00Z", "kind": "SPENT", "points": -7.5, "balance": 12.5, "jobID": "00007",
         "worker": None, "note": ""},
    ],
}  # fmt: skip


def test_a_priority_with_reason_and_time(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /jobs/7/priority"] = JOB
    fake.answers["DELETE /jobs/7/priority"] = JOB

    assert on("priority", "7", "80").exit_code == 0
    assert fake.seen[-1].json == {"priority": 80}
    assert on("priority", "7", "80", "--reason", "client call", "--for", "90m").exit_code == 0
    assert fake.seen[-1].json == {"priority": 80, "reason": "client call", "hours": 1.5}
    assert on("priority", "7", "0", "--for", "2d").exit_code == 0
    assert fake.seen[-1].json == {"priority": 0, "hours": 48.0}
    assert on("priority", "7", "--clear").exit_code == 0
    assert fake.seen[-1].method == "DELETE"


@pytest.mark.parametrize(
    "words", [["7"], ["7", "80", "--clear"], ["7", "80", "--for", "soon"], ["7", "80", "--for", "0h"], ["7", "101"]]
)
def test_a_priority_that_cannot_be(on: Run, fake: FakeRest, words: list[str]) -> None:
    assert on("priority", *words).exit_code != 0
    assert fake.seen == []


def test_priorities_are_a_table(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /priorities"] = LIST
    result = on("priorities", "--drift")

    row = result.stdout.strip().splitlines()[-1].split()
    assert row[:5] == ["00007", "light", "Alpha", "sh010", "RUNNING"]
    assert row[5:] == ["1", "70", "2", "min", "95+5", "ben:", "client", "2", "10", "because"]
    assert "drift=true" in fake.seen[-1].query
    assert "1 differ" in result.stderr
    assert "1 not heard of for 5 min" in result.stderr
    assert json.loads(on("priorities", "--json").stdout) == LIST
    assert on("priorities", "--quiet").stdout == "00007\n"


def test_users_and_points(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /users"] = [ACCOUNT]
    fake.answers["GET /users/ada"] = ACCOUNT
    fake.answers["POST /users/ada/grant"] = ACCOUNT
    fake.answers["POST /jobs/7/boost"] = {"jobID": "00007"}

    assert on("user", "ls").stdout.strip().splitlines()[-1].split() == ["ada", "12.5", "20", "0", "7.5", "1"]
    assert "SPENT" in on("user", "show", "ada").stdout
    assert on("user", "show", "ada", "--quiet").stdout == "12.5\n"
    assert on("user", "grant", "ada", "10", "--note", "welcome").exit_code == 0
    assert fake.seen[-1].json == {"points": 10.0, "note": "welcome"}
    assert on("boost", "7", "2.5").exit_code == 0
    assert fake.seen[-1].json == {"points": 2.5}
    assert fake.seen[-1].headers["idempotency-key"]


def test_a_farm_without_points_says_so(on: Run, fake: FakeRest) -> None:
    off = {"data": {"code": "economy_off", "details": None, "hint": "Set it."}, "message": "No points."}
    fake.answers["GET /users"] = lambda _request: (409, off)
    result = on("user", "ls")
    assert result.exit_code == 1
    assert "economy_off" in result.stderr
