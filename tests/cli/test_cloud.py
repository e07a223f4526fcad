"""`cloud ls`, `cloud reap` and `budget`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fake_rest import FakeRest
from typer.testing import Result

Run = Callable[..., Result]

INSTANCE: dict[str, Any] = {
    "instance": "i-1", "pool": "burst", "intent": "1f", "ordered": True, "status": "RUNNING", "reason": "",
    "preempted": False, "machine": "c7i.2xlarge", "place": "eu-west-1a", "address": "", "worker": "w1",
    "worker_status": "ACTIVE", "price_usd_per_hour": 0.357, "usd": 1.234, "launched_at": "2026-01-01T00:00:00.000Z",
    "ends_at": "2026-01-01T06:00:00.000Z", "ended_at": None,
}  # fmt: skip
DESK: dict[str, Any] = {
    "pool": "burst", "backend": "aws", "reap": True, "price_usd_per_hour": 0.4, "trouble": None, "strangers": [],
}  # fmt: skip
LAUNCH: dict[str, Any] = {
    "intent": "1f", "pool": "burst", "status": "FAILED", "count": 3, "expected": 0, "price_usd_per_hour": 0.4,
    "life_s": 3600.0, "reserved_usd": 0.0, "shares": {}, "reasons": ["frames wait"], "error": "stock_out: none free",
    "created_at": "2026-01-01T00:00:00.000Z", "asked_at": None, "ended_at": None,
}  # fmt: skip
BUDGET: dict[str, Any] = {
    "budget": "farm", "project": None, "usd": 100.0, "period": "month", "period_starts_at": None,
    "period_ends_at": None, "at_cap": "drain", "spent_usd": 25.5, "reserved_usd": 10.0, "retries_usd": 0.0,
    "left_usd": 74.5, "free_usd": 64.5, "usd_per_hour": 3.6, "forecast_usd": 80.25, "runs_out_at": None,
    "core_hours": 1.0, "by_pool_usd": {},
}  # fmt: skip
COST: dict[str, Any] = {
    "by": "project", "name": "Alpha", "usd": 12.3, "retries_usd": 1.5, "core_hours": 40.0, "attempts": 9, "retries": 2,
}  # fmt: skip


def last_line(result: Result) -> list[str]:
    return result.stdout.strip().splitlines()[-1].split()


def test_instances_for_people_and_for_programs(on: Run, fake: FakeRest) -> None:
    answer = {"instances": [INSTANCE], "pools": [DESK]}
    fake.answers["GET /cloud/instances"] = answer
    shown = on("cloud", "ls")

    assert last_line(shown)[:6] == ["i-1", "burst", "RUNNING", "c7i.2xlarge", "eu-west-1a", "w1"]
    assert last_line(shown)[-2:] == ["0.357", "1.23"]
    assert on("cloud", "ls", "--quiet").stdout == "i-1\n"
    assert json.loads(on("cloud", "ls", "--json").stdout) == answer
    on("cloud", "ls", "--all", "--pool", "burst")
    assert fake.seen[-1].query == "pool=burst&gone=true"


def test_troubles_and_strangers_are_told_beside_the_list(on: Run, fake: FakeRest) -> None:
    trouble = {"at": "2026-01-01T00:00:00.000Z", "code": "quota_exceeded", "message": "No quota is left."}
    stranger = {"instance": "i-9", "intent": "", "reason": "nobody ordered it"}
    fake.answers["GET /cloud/instances"] = {
        "instances": [], "pools": [DESK | {"trouble": trouble, "strangers": [stranger], "reap": False}],
    }  # fmt: skip
    shown = on("cloud", "ls")

    assert shown.stdout == ""
    assert "No instance is there." in shown.stderr
    assert "burst: No quota is left. [quota_exceeded]" in shown.stderr
    assert "nobody ordered i-9" in shown.stderr and "outfield cloud reap" in shown.stderr


def test_launches(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /cloud/launches"] = [LAUNCH]
    line = last_line(on("cloud", "ls", "--launches"))

    assert line[:5] == ["1f", "burst", "FAILED", "0/3", "0.00"]
    assert line[-3:] == ["stock_out:", "none", "free"]
    assert json.loads(on("cloud", "ls", "--launches", "--json").stdout) == [LAUNCH]


def test_reaping_says_what_it_ends(on: Run, fake: FakeRest) -> None:
    reaped = [{"pool": "burst", "instance": "i-9", "intent": "", "reason": "nobody ordered it"}]
    fake.answers["POST /cloud/reap"] = reaped

    assert last_line(on("cloud", "reap"))[:2] == ["i-9", "burst"]
    assert fake.seen[-1].json == {"dry_run": False}
    assert json.loads(on("cloud", "reap", "--dry-run", "--json").stdout) == reaped
    assert fake.seen[-1].json == {"dry_run": True}


def test_budgets(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /budgets"] = [BUDGET]

    assert last_line(on("budget")) == [
        "farm", "100.00", "month", "25.50", "10.00", "64.50", "26%", "3.60", "80.25", "drain",
    ]  # fmt: skip
    assert json.loads(on("budget", "--json").stdout) == [BUDGET]
    fake.answers["GET /budgets"] = []
    assert "No budget is set" in on("budget").stderr


def test_costs(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /costs"] = [COST]

    assert last_line(on("budget", "--by", "show")) == ["Alpha", "12.30", "1.50", "40.0", "9", "2"]
    assert fake.seen[-1].query == "by=project"
    on("budget", "--job", "00007", "--since", "2026-01-01")
    assert fake.seen[-1].query == "by=job&job=00007&since=2026-01-01"
    fake.answers["GET /costs"] = []
    assert "Nothing has been rendered yet." in on("budget", "--by", "attempt", "--job", "7").stderr
