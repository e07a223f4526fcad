"""What was launched, over HTTP: instances, launches, reaping, and what work has cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_client import ServedFarm
from farms import FARM_ID, RENDERERS
from memory_cloud import MemoryBackend, MemoryCloud

from scheduler.backends.base import Backend
from scheduler.domain.scaling import Scaling
from scheduler.settings import AwsPool, BudgetSettings, PoolSettings

POOL = "burst"


class RentingFarm(ServedFarm):
    """A served farm with a pool on a provider in memory."""

    def _open(self) -> None:
        self.cloud = MemoryCloud(self.clock)
        pools = {POOL: AwsPool(region="eu-west-1", life_s=3600.0)}
        budgets = {"farm": BudgetSettings(usd=100.0, period="total")}
        self.settings = self.settings.model_copy(update={"pools": pools, "budgets": budgets})
        super()._open()
        self.farm.url = "http://farm:8000"

    def make_backend(self, pool: str, settings: PoolSettings, farm_id: str) -> Backend:
        """The provider in memory."""
        return MemoryBackend(self.cloud, pool, farm_id)

    def launch(self, count: int) -> list[str]:
        """Launch; returns the instances' ids."""

        async def launch() -> None:
            await self.services.launcher.start()
            await self.services.launcher.idle()
            await self.services.launcher.apply(POOL, Scaling(POOL, count, (), ("frames wait",)))
            await self.services.launcher.idle()

        self.run(launch())
        return [box.id for box in self.cloud.alive(farm=FARM_ID)]

    def hello(self, box: str) -> dict[str, Any]:
        """What the agent on an instance says when it joins."""
        script = self.cloud.scripts[box]
        code = next(line for line in script.splitlines() if line.startswith("join=")).partition("=")[2].strip("'")
        machine = {"vcpus": 8, "memory_gib": 16, "renderers": RENDERERS}
        intent = self.cloud.boxes[box].intent
        told = {"join": code, "name": box, "pool": POOL, "slots": 2, "capabilities": machine}
        return told | {"instance": box, "intent": intent}


@pytest.fixture
def renting(tmp_path: Path) -> Iterator[RentingFarm]:
    farm = RentingFarm(tmp_path)
    yield farm
    farm.close()


def test_instances_with_their_worker_and_cost(renting: RentingFarm) -> None:
    (box,) = renting.launch(1)
    welcome = renting.data("POST", "/workers", "none", json=renting.hello(box))
    renting.clock.advance(1800.0)
    found = renting.data("GET", "/cloud/instances")
    (shown,) = found["instances"]

    assert (shown["instance"], shown["pool"], shown["ordered"]) == (box, POOL, True)
    assert (shown["worker"], shown["worker_status"]) == (welcome["worker"], "ACTIVE")
    assert (shown["usd"], shown["price_usd_per_hour"]) == (pytest.approx(1.8), 3.6)
    assert (shown["launched_at"], shown["ends_at"]) == ("2026-01-01T00:00:00.000Z", "2026-01-01T01:00:00.000Z")
    (pool,) = found["pools"]
    assert (pool["pool"], pool["backend"], pool["reap"], pool["trouble"]) == (POOL, "aws", True, None)
    worker = renting.data("GET", f"/workers/{welcome['worker']}")
    assert (worker["instance"], worker["intent"]) == (box, shown["intent"])


def test_those_that_are_gone_are_shown_where_asked_for(renting: RentingFarm) -> None:
    (box,) = renting.launch(1)
    renting.run(renting.services.launcher.retire(POOL, [box], "enough", at_once=True))
    for _round in range(4):
        renting.run(renting.services.launcher.rounds())
        renting.clock.advance(15.0)

    assert renting.data("GET", "/cloud/instances")["instances"] == []
    (shown,) = renting.data("GET", "/cloud/instances?gone=true&pool=burst")["instances"]
    assert (shown["status"], shown["reason"]) == ("GONE", "enough")
    assert shown["ended_at"] is not None
    assert renting.data("GET", "/cloud/instances?gone=true&pool=other") == {"instances": [], "pools": []}


def test_launches_with_what_is_reserved(renting: RentingFarm) -> None:
    renting.launch(2)
    (shown,) = renting.data("GET", "/cloud/launches")

    assert (shown["status"], shown["count"], shown["expected"]) == ("RUNNING", 2, 2)
    assert shown["reserved_usd"] == pytest.approx(2 * 3.66)
    assert (shown["reasons"], shown["error"], shown["shares"]) == (["frames wait"], "", {})
    assert renting.data("GET", "/budgets")[0]["reserved_usd"] == pytest.approx(2 * 3.66)
    assert renting.data("GET", "/cloud/launches?pool=other") == []
    assert renting.call("GET", "/cloud/launches?limit=0").status_code == 422


def test_reaping_is_an_admins_and_can_be_tried(renting: RentingFarm) -> None:
    renting.launch(1)
    stranger = renting.cloud.strange(FARM_ID, POOL, "unknown")
    expected = [{"pool": POOL, "instance": stranger, "intent": "unknown", "reason": "nobody ordered it"}]

    assert renting.call("POST", "/cloud/reap").status_code == 403
    tried = renting.call("POST", "/cloud/reap", "admin", json={"dry_run": True}).json()
    assert (tried["data"], tried["message"]) == (expected, "1 instances would be ended.")
    assert len(renting.cloud.alive()) == 2
    done = renting.call("POST", "/cloud/reap", "admin").json()
    assert (done["data"], done["message"]) == (expected, "1 instances are being ended.")
    assert stranger not in {box.id for box in renting.cloud.alive()}
    again = renting.call("POST", "/cloud/reap", "admin", json={"dry_run": True}).json()
    assert (again["data"], again["message"]) == ([], "Nothing is to be ended: somebody wants every instance.")
    assert renting.call("POST", "/cloud/reap", "admin", json={"dry_run": "yes"}).status_code == 422


def test_a_provider_that_is_silent_is_told(renting: RentingFarm) -> None:
    renting.cloud.reachable = False
    renting.run(renting.services.launcher.rounds())

    assert renting.call("POST", "/cloud/reap", "admin", json={"dry_run": True}).status_code == 503
    (pool,) = renting.data("GET", "/cloud/instances")["pools"]
    assert pool["trouble"]["message"] == "The provider cannot be reached."


def test_a_join_code_of_an_intent_is_for_its_pool_and_intent_alone(renting: RentingFarm) -> None:
    (box,) = renting.launch(1)
    for wrong in ({"pool": "onprem"}, {"intent": "another"}):
        refused = renting.call("POST", "/workers", "none", json=renting.hello(box) | wrong)
        assert refused.status_code in (401, 403)
        assert refused.json()["data"]["code"] == "join_code_invalid"

    assert renting.call("POST", "/workers", "none", json=renting.hello(box)).status_code == 201
    assert renting.call("POST", "/workers", "none", json=renting.hello(box)).status_code in (401, 403)


def test_an_ordinary_join_code_claims_no_instance(renting: RentingFarm) -> None:
    (box,) = renting.launch(1)
    code = renting.data("POST", "/tokens", "admin", json={"name": "w", "role": "worker"})["token"]
    welcome = renting.data("POST", "/workers", "none", json=renting.hello(box) | {"join": code})

    assert renting.data("GET", f"/workers/{welcome['worker']}")["instance"] is None
    assert renting.data("GET", "/cloud/instances")["instances"][0]["worker"] is None


def test_costs_by_job_shot_show_and_attempt(renting: RentingFarm) -> None:
    rules = {"rules": [{"name": "burst", "when": "true", "allow": [POOL]}]}
    assert renting.call("PUT", "/rules", "admin", json=rules).is_success
    (box,) = renting.launch(1)
    worker = renting.data("POST", "/workers", "none", json=renting.hello(box))
    asked = {"renderer": "null", "pools": [POOL], "tracking": {"project": "Alpha", "shot": "sh010"}}
    job = renting.post_job(frames="1", **asked)
    renting.tokens["burst"] = worker["token"]
    (lease,) = renting.data("POST", f"/workers/{worker['worker']}/sync", "burst", json={"want": 1})["leases"]
    report = {"task": lease["task"], "attempt": 1, "secret": lease["secret"], "outcome": "done", "seconds": 1800.0}
    renting.clock.advance(1800.0)
    renting.data("POST", f"/workers/{worker['worker']}/sync", "burst", json={"reports": [report]})

    for by, name in (("project", "Alpha"), ("shot", "sh010"), ("job", job), ("pool", POOL)):
        (cost,) = renting.data("GET", f"/costs?by={by}")
        # Half an hour of one of two slots at 3.60 USD an hour.
        assert (cost["name"], cost["usd"], cost["core_hours"]) == (name, pytest.approx(0.9), pytest.approx(2.0))
    (attempt,) = renting.data("GET", f"/costs?by=attempt&job={job}")
    assert (attempt["name"], attempt["attempts"], attempt["retries_usd"]) == (f"{lease['task']}.1", 1, 0.0)
    assert renting.data("GET", "/costs?since=2027-01-01") == []
    assert renting.call("GET", "/costs?by=attempt").status_code == 422
    assert renting.call("GET", "/costs?by=colour").status_code == 422
    assert renting.call("GET", "/costs?job=none").status_code == 404
