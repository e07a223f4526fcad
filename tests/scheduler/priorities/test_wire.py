"""The wire format of the fake site, held to recorded requests of the real client and to the answers that it reads.

`OUTFIELD_WRITE_GOLDEN=1` writes the recording anew; look at the difference before keeping it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_shotgrid import FakeShotGrid
from shotgun_api3.shotgun import AuthenticationFault, Fault, ProtocolError, Shotgun

GOLDEN = Path(__file__).parents[2] / "golden" / "shotgrid"
MORNING = datetime(2026, 12, 1, 9, tzinfo=UTC)


@pytest.fixture
def client(fake: FakeShotGrid) -> Shotgun:
    """The real client, as it comes."""
    fake.site.set_clock(lambda: MORNING)
    return Shotgun(fake.url, script_name=fake.script_name, api_key=fake.api_key)


def calls(client: Shotgun, file: Path) -> dict[str, Callable[[], Any]]:
    """Every call that the farm makes, by name, in an order in which they make sense."""
    alpha = {"type": "Project", "id": 1}
    return {
        "create_project": lambda: client.create("Project", {"name": "Alpha"}),
        "create_shot": lambda: client.create("Shot", {"code": "sh010", "project": alpha, "sg_priority": "High"}),
        "create_task": lambda: client.create(
            "Task",
            {"content": "light", "project": alpha, "entity": {"type": "Shot", "id": 3}, "due_date": "2026-12-05"},
            ["sg_status_list"],
        ),
        "find": lambda: client.find(
            "Task",
            [["project", "is", alpha], ["sg_status_list", "in", ["wtg", "ip"]]],
            ["content", "due_date", "entity.Shot.sg_priority"],
            order=[{"field_name": "due_date", "direction": "desc"}],
        ),
        "find_nested": lambda: client.find(
            "Task",
            [{"filter_operator": "any", "filters": [["content", "contains", "lig"], ["due_date", "is", None]]}],
            ["id"],
            limit=2,
        ),
        "find_one": lambda: client.find_one("Shot", [["id", "is", 3]], ["code", "project"]),
        "update": lambda: client.update("Task", 5, {"sg_status_list": "ip"}),
        "batch": lambda: client.batch(
            [
                {"request_type": "update", "entity_type": "Task", "entity_id": 5, "data": {"sg_priority_1": "1_Tier"}},
                {"request_type": "create", "entity_type": "Version", "data": {"code": "v001", "project": alpha}},
            ]
        ),
        "events": lambda: client.find(
            "EventLogEntry",
            [["id", "greater_than", 6], ["event_type", "in", ["Shotgun_Task_Change"]]],
            ["event_type", "attribute_name", "entity", "meta", "created_at"],
            order=[{"field_name": "id", "direction": "asc"}],
            limit=500,
        ),
        "schema_field_read": lambda: client.schema_field_read("Task", "sg_priority_1"),
        "upload": lambda: client.upload("Version", 9, str(file), "sg_uploaded_movie"),
        "upload_thumbnail": lambda: client.upload_thumbnail("Version", 9, str(file)),
        "delete": lambda: client.delete("Shot", 3),
        "find_retired": lambda: client.find("Shot", [], ["code"], retired_only=True),
        "revive": lambda: client.revive("Shot", 3),
    }


def test_requests_and_answers_are_as_recorded(fake: FakeShotGrid, client: Shotgun, tmp_path: Path) -> None:
    file = tmp_path / "beauty.mov"
    file.write_bytes(b"moving pictures")
    seen: dict[str, Any] = {}
    client.info()
    for name, call in calls(client, file).items():
        call()
        last = fake.requests[-1]
        request = last.payload or {"form": last.params[0]}
        seen[name] = {"request": _without_key(request), "answer": last.answer}
    if os.environ.get("OUTFIELD_WRITE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / "wire.json").write_text(json.dumps(seen, indent=1) + "\n")

    recorded = json.loads((GOLDEN / "wire.json").read_text())
    assert list(seen) == list(recorded)
    for name, exchange in seen.items():
        assert exchange == recorded[name], name


def test_the_handshake_is_bare_and_comes_first(fake: FakeShotGrid, client: Shotgun) -> None:
    assert client.server_caps.version == (8, 92, 0)
    assert [seen.payload for seen in fake.requests] == [{"method_name": "info", "params": []}]
    assert fake.requests[0].user_agent.startswith("shotgun-json (")
    assert "results" not in fake.requests[0].answer


def test_a_read_is_what_was_recorded_from_the_real_client(fake: FakeShotGrid, client: Shotgun) -> None:
    client.find("Task", [["project", "is", {"type": "Project", "id": 1}]], ["content"], limit=3)

    assert fake.requests[-1].payload == {
        "method_name": "read",
        "params": [
            {"script_name": fake.script_name, "script_key": fake.api_key},
            {
                "type": "Task",
                "return_fields": ["content"],
                "filters": {
                    "logical_operator": "and",
                    "conditions": [{"path": "project", "relation": "is", "values": [{"type": "Project", "id": 1}]}],
                },
                "return_only": "active",
                "paging": {"entities_per_page": 3, "current_page": 1},
                "api_return_image_urls": True,
                "return_paging_info_without_counts": False,
            },
        ],
    }
    assert fake.requests[-1].answer["results"]["entities"] == []


def test_a_wrong_key_is_fault_102(fake: FakeShotGrid) -> None:
    client = Shotgun(fake.url, script_name=fake.script_name, api_key="another")

    with pytest.raises(AuthenticationFault):
        client.find("Task", [])
    assert fake.requests[-1].answer["error_code"] == 102


def test_pages_come_until_there_is_none(fake: FakeShotGrid, client: Shotgun) -> None:
    alpha = fake.add("Project", name="Alpha")
    for number in range(7):
        fake.add("Shot", code=f"sh{number:03}", project=alpha)
    client.config._records_per_page = 3

    assert [shot["code"] for shot in client.find("Shot", [], ["code"])] == [f"sh{n:03}" for n in range(7)]
    assert len(fake.calls("read")) == 3


def test_faults_are_met_once_each(fake: FakeShotGrid, client: Shotgun) -> None:
    fake.fail(429, headers={"Retry-After": "7"})
    with pytest.raises(ProtocolError) as met:
        client.find("Task", [])
    assert met.value.errcode == 429
    assert met.value.headers["retry-after"] == "7"

    assert client.find("Task", []) == []
    with pytest.raises(Fault, match=r"Task.nope doesn't exist"):
        client.find("Task", [], ["nope"])


def test_a_link_to_a_retired_entity_reads_as_none(fake: FakeShotGrid, client: Shotgun) -> None:
    alpha = fake.add("Project", name="Alpha")
    shot = fake.add("Shot", code="sh010", project=alpha)
    task = fake.add("Task", content="light", project=alpha, entity=shot)
    fake.retire(shot)

    found = client.find_one("Task", [["id", "is", task["id"]]], ["entity", "entity.Shot.code"])

    assert (found["entity"], found["entity.Shot.code"]) == (None, None)
    assert fake.rows("EventLogEntry")[-1]["event_type"] == "Shotgun_Shot_Retirement"


def _without_key(request: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(request)
    assert FakeShotGrid.api_key in text or "form" in request
    return json.loads(text.replace(FakeShotGrid.api_key, "KEY"))
