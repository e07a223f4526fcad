"""The wire format of the fake Compute Engine, held to recorded requests of the real client.

`OUTFIELD_WRITE_GOLDEN=1` writes the recordings anew; look at the difference before keeping it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fake_gce import Seen
from fake_gce_http import ROUTES
from gce_pools import START_UP, GceDesk

from scheduler.backends.base import LaunchOrder

pytestmark = pytest.mark.gce_client

GOLDEN = Path(__file__).parents[2] / "golden" / "gce"
ORDER = LaunchOrder("Intent.0001", 2, START_UP, 3600.0, {"outfield-job": "00007"})


def recorded(desk: GceDesk) -> dict[str, Any]:
    """The last request of every route, after each has been called with all that it can carry."""
    desk.gce.project.templates["worker"] = {"machineType": "n2-standard-8", "labels": {"show": "alpha"}}
    backend = desk.backend(
        instance_template="worker",
        subnetwork="render",
        network_tags=["worker"],
        service_account="worker@studio.iam.gserviceaccount.com",
        gpu_type="nvidia-l4",
        gpus=1,
        labels={"cost-centre": "shots"},
    )
    backend.offers()
    started = backend.launch(ORDER)
    backend.events()
    backend.list()
    backend.terminate(sorted(instance.id for instance in started))
    return {call: shown(desk.gce.sent(call)[-1]) for call in ROUTES}


def shown(seen: Seen) -> dict[str, Any]:
    path = seen.path
    if seen.call == "operation":
        path = path.rpartition("/")[0] + "/OPERATION"
    return {"method": seen.method, "path": path, "query": seen.query, "body": seen.body}


def test_requests_are_as_recorded(desk: GceDesk) -> None:
    seen = recorded(desk)
    if os.environ.get("OUTFIELD_WRITE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for call, request in seen.items():
            (GOLDEN / f"{call}.json").write_text(json.dumps(request, indent=1, sort_keys=True) + "\n")

    for call, request in seen.items():
        assert request == json.loads((GOLDEN / f"{call}.json").read_text()), call
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ROUTES), "a recording that nobody makes any more"


def test_no_token_travels_over_plain_http(desk: GceDesk) -> None:
    desk.backend().list()

    assert all("authorization" not in {name.lower() for name in seen.headers} for seen in desk.gce.requests)


def test_a_listing_of_several_pages_is_read_whole(desk: GceDesk) -> None:
    desk.gce.page_max = 2
    backend, order = desk.backend(), desk.order(5)
    started = backend.launch(order)

    assert len(started) == 5
    assert sorted(i.id for i in backend.list()) == sorted(i.id for i in started)
    assert len([seen for seen in desk.gce.sent("list") if "pageToken" in seen.query]) >= 4
