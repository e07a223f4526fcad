"""`outfield shotgrid outbox`, `retry`, `drop`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fake_rest import FakeRest
from typer.testing import Result

Run = Callable[..., Result]

CONFLICT: dict[str, Any] = {
    "id": 3, "kind": "task_status", "key": "task:f:7:1", "jobID": "00007", "status": "CONFLICT",
    "error": "Task 12 is 'hld' in ShotGrid", "tries": 0, "wanted": "rev", "version_id": None, "task_id": 12,
    "conflict": {"found": "hld", "expected": "ip", "wanted": "rev"},
    "created_at": "2026-01-01T00:00:00.000Z", "next_at": None, "done_at": None,
}  # fmt: skip
VERSION = CONFLICT | {"id": 2, "kind": "version", "status": "PENDING", "error": "", "wanted": None, "version_id": 55}


def test_what_is_open_is_listed(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /priorities/outbox"] = [CONFLICT, VERSION]

    shown = on("shotgrid", "outbox", "7").stdout

    assert "Task 12 → rev" in shown
    assert "Version 55" in shown
    assert "Task 12 is 'hld' in ShotGrid" in shown
    assert fake.seen[-1].query == "limit=100&status=PENDING%2CCONFLICT%2CREFUSED&job=7"
    on("shotgrid", "outbox", "--all")
    assert fake.seen[-1].query == "limit=100"


def test_nothing_open(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /priorities/outbox"] = []

    assert "Nothing waits" in on("shotgrid", "outbox").stderr


def test_messages_are_retried_and_dropped(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /priorities/outbox/3/retry"] = CONFLICT

    assert on("shotgrid", "retry", "3").exit_code == 0
    assert fake.seen[-1].json == {"action": "retry"}
    assert on("shotgrid", "drop", "3", "4").exit_code == 3
    assert [seen.json for seen in fake.seen[-2:]] == [{"action": "drop"}] * 2
