"""The outbox over HTTP: shown, retried, dropped."""

from __future__ import annotations

from typing import Any

import pytest
from api_client import ServedFarm
from sqlmodel import select

from scheduler.store.production import Outgoing


def queued(farm: ServedFarm, status: str = "PENDING", **fields: Any) -> int:
    """A message about a new job."""
    job = int(farm.post_job(renderer="null"))
    row = Outgoing(
        **({"kind": "version", "key": f"version:f:{job}", "job_id": job, "status": status, "created_at": 0.0}
           | {"payload": {"reference": {"project": "Alpha"}}, "steps": {}} | fields)
    )  # fmt: skip
    farm.store.write(lambda tx: tx.session.add(row))
    with farm.store.read() as session:
        return max(number or 0 for number in session.exec(select(Outgoing.id)).all())


def conflict(farm: ServedFarm) -> int:
    payload = {"reference": {"task_id": 7}, "status": "rev", "expected": "ip"}
    steps = {"task": 7, "conflict": {"found": "hld", "expected": "ip", "wanted": "rev"}}
    return queued(farm, "CONFLICT", kind="task_status", payload=payload, steps=steps, error="Task 7 is 'hld'")


def test_messages_newest_first_by_page_status_and_job(served: ServedFarm) -> None:
    numbers = [queued(served, status) for status in ("SENT", "PENDING", "REFUSED", "SENT", "PENDING")]

    page = served.call("GET", "/priorities/outbox?limit=3")
    rest = served.data("GET", f"/priorities/outbox?limit=3&cursor={page.headers['x-next-cursor']}")

    assert [row["id"] for row in page.json()["data"] + rest] == numbers[::-1]
    assert len(served.data("GET", "/priorities/outbox?status=pending,REFUSED")) == 3
    assert [row["id"] for row in served.data("GET", "/priorities/outbox?job=2")] == [numbers[1]]
    assert served.call("GET", "/priorities/outbox?status=LOST").status_code == 422
    assert served.call("GET", "/priorities/outbox?cursor=x").status_code == 422


def test_a_conflict_shows_both_values(served: ServedFarm) -> None:
    number = conflict(served)

    (shown,) = served.data("GET", "/priorities/outbox")

    assert (shown["id"], shown["status"], shown["wanted"], shown["task_id"]) == (number, "CONFLICT", "rev", 7)
    assert shown["conflict"] == {"found": "hld", "expected": "ip", "wanted": "rev"}


def test_an_admin_settles_a_conflict(served: ServedFarm) -> None:
    number = conflict(served)

    shown = served.data("POST", f"/priorities/outbox/{number}/retry", "admin", json={})

    assert (shown["status"], shown["conflict"], shown["error"]) == ("PENDING", None, "")
    with served.store.read() as session:
        assert session.get_one(Outgoing, number).payload["accepted"] == "hld"
    events = served.data("GET", f"/jobs/{shown['jobID']}/events")
    assert [(event["kind"], event["data"]["by"]) for event in events if event["kind"].startswith("outbox")] == [
        ("outbox.retry", "admin")
    ]


def test_a_message_can_be_dropped_and_stays_in_the_list(served: ServedFarm) -> None:
    number = queued(served, "REFUSED", error="There is no project")

    assert (
        served.data("POST", f"/priorities/outbox/{number}/retry", "admin", json={"action": "drop"})["status"]
        == "DROPPED"
    )
    assert served.data("GET", "/priorities/outbox")[0]["status"] == "DROPPED"
    again = served.call("POST", f"/priorities/outbox/{number}/retry", "admin")
    assert (again.status_code, again.json()["data"]["code"]) == (409, "message_state")


@pytest.mark.parametrize(
    ("address", "body", "status"),
    [("999", {}, 404), ("x", {}, 404), ("1", {"action": "burn"}, 422), ("1", {"force": True}, 422)],
)
def test_what_cannot_be_is_refused(served: ServedFarm, address: str, body: dict[str, Any], status: int) -> None:
    queued(served)

    assert served.call("POST", f"/priorities/outbox/{address}/retry", "admin", json=body).status_code == status
    assert served.data("GET", "/priorities/outbox")[0]["status"] == "PENDING"


def test_what_was_sent_is_sent(served: ServedFarm) -> None:
    number = queued(served, "SENT")

    assert served.call("POST", f"/priorities/outbox/{number}/retry", "admin").status_code == 409
