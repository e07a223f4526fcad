"""Cost caps and costs to come, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from api_client import ServedFarm

from scheduler.api.estimates import CostShape
from scheduler.protocol.work import SyncRequest
from scheduler.protocol.workers import Capabilities, WorkerHello
from scheduler.service.identity import Role
from scheduler.service.learning import JobFacts
from scheduler.service.registering import register_worker
from scheduler.settings import AwsPool, OnpremPool

RULE = {"name": "burst", "when": "true", "allow": ["dear", "cloud"]}
USD_PER_HOUR = 3.6


@pytest.fixture
def priced(served: ServedFarm) -> ServedFarm:
    """A farm with a pool that costs and one whose price nobody knows; frames of the kernel take 100 s."""
    pools = {"dear": OnpremPool(price_usd_per_hour=USD_PER_HOUR), "cloud": AwsPool(region="eu-west-1")}
    served.farm.settings = served.settings.model_copy(update={"pools": pools})
    served.data("PUT", "/rules", "admin", json={"rules": [RULE]})
    return served


def learn(farm: ServedFarm) -> None:
    for _ in range(20):
        farm.services.estimator.note(JobFacts(0, "", "kernel", ""), "render", 1, 100, 1.0)


def look(farm: ServedFarm) -> None:
    farm.run(farm.tick.run())
    farm.run(farm.services.forecaster.run())
    farm.run(farm.tick.run())


def hire(farm: ServedFarm, pool: str, slots: int = 4) -> None:
    async def join() -> None:
        _id, code = await farm.identity.new_token(pool, Role.JOIN)
        machine = Capabilities(vcpus=8, memory_gib=16, renderers={"kernel": ["0.1.0"]})
        hello = WorkerHello(join=code, name=pool, pool=pool, slots=slots, capabilities=machine)
        await register_worker(farm.farm, farm.identity, hello)

    farm.run(join())


def cost_of(farm: ServedFarm, job: str) -> dict[str, Any]:
    cost = farm.data("GET", f"/jobs/{job}/estimate")["cost"]
    CostShape.model_validate(cost)
    assert farm.data("GET", f"/jobs/{job}/why")["cost"] == cost
    return cost


def test_a_cap_is_kept_shown_and_changed(priced: ServedFarm) -> None:
    job = priced.post_job(cost_cap_usd=2.5)
    assert priced.data("GET", f"/jobs/{job}")["cost_cap_usd"] == 2.5
    assert priced.data("GET", f"/jobs/{priced.post_job()}")["cost_cap_usd"] is None

    reply = priced.call("POST", f"/jobs/{job}/cost_cap", json={"cost_cap_usd": 1})
    assert reply.json()["data"]["cost_cap_usd"] == 1.0
    assert reply.json()["message"] == f"Job {job} was capped at 1.00 USD."
    assert priced.data("POST", f"/jobs/{job}/cost_cap", json={"cost_cap_usd": None})["cost_cap_usd"] is None
    kinds = [event["kind"] for event in priced.data("GET", f"/jobs/{job}/events")]
    assert kinds.count("job.cost_cap_set") == 2


@pytest.mark.parametrize("body", [{}, {"cost_cap_usd": -1}, {"cost_cap_usd": "x"}, {"cost_cap_usd": 1, "priority": 1}])
def test_a_wrong_cap_changes_nothing(priced: ServedFarm, body: dict[str, Any]) -> None:
    job = priced.post_job(cost_cap_usd=2.5)
    assert priced.call("POST", f"/jobs/{job}/cost_cap", json=body).status_code == 422
    assert priced.data("GET", f"/jobs/{job}")["cost_cap_usd"] == 2.5
    assert priced.call("POST", "/jobs/77777/cost_cap", json={"cost_cap_usd": 1}).status_code == 404


def test_a_job_that_has_ended_is_not_capped(priced: ServedFarm) -> None:
    job = priced.post_job()
    priced.data("POST", f"/jobs/{job}/cancel")
    reply = priced.call("POST", f"/jobs/{job}/cost_cap", json={"cost_cap_usd": 1})
    assert (reply.status_code, reply.json()["data"]["code"]) == (409, "job_state")


def test_at_home_a_job_costs_nothing_however_little_is_known(priced: ServedFarm) -> None:
    priced.join()
    job = priced.post_job(renderer="kernel", frames="1-10", cloud="never", pools=["onprem"])
    look(priced)

    cost = cost_of(priced, job)
    assert cost["usd"] == {"low": 0.0, "likely": 0.0, "high": 0.0}
    assert cost["machine_hours"] is None and cost["tasks"] == 10
    assert [(share["pool"], share["tasks"]) for share in cost["pools"]] == [("onprem", 10.0)]


def test_a_priced_pool_costs_its_machine_hours(priced: ServedFarm) -> None:
    learn(priced)
    hire(priced, "dear")
    job = priced.post_job(renderer="kernel", frames="1-40", pools=["dear"])
    look(priced)

    cost = cost_of(priced, job)
    likely = 40 * 100 / 3600 / 4 * USD_PER_HOUR
    assert cost["usd"]["likely"] == pytest.approx(likely, rel=0.1)
    assert cost["usd"]["low"] < cost["usd"]["likely"] < cost["usd"]["high"]
    assert cost["machine_hours"] == pytest.approx(likely / USD_PER_HOUR, rel=0.1)
    assert cost["pools"][0]["pool"] == "dear" and cost["note"] == ""


def test_nothing_known_of_the_frames_means_no_number(priced: ServedFarm) -> None:
    hire(priced, "dear")
    job = priced.post_job(renderer="kernel", frames="1-40", pools=["dear"])
    look(priced)

    cost = cost_of(priced, job)
    assert cost["usd"] is None and cost["machine_hours"] is None
    assert cost["note"].startswith("how long its frames take is not known: nothing")
    assert cost["pools"] == [{"pool": "dear", "tasks": 40.0, "machine_hours": None, "usd": None}]


def test_an_ended_job_costs_what_it_has_cost(priced: ServedFarm) -> None:
    job = priced.post_job(renderer="kernel")
    priced.data("POST", f"/jobs/{job}/cancel")

    cost = cost_of(priced, job)
    assert cost["usd"] == {"low": 0.0, "likely": 0.0, "high": 0.0} and cost["tasks"] == 0


def test_a_job_that_does_not_exist_is_told_its_cost_and_its_cap_is_kept(priced: ServedFarm) -> None:
    learn(priced)
    hire(priced, "dear")
    look(priced)
    sketch = {"name": "x", "renderer": "kernel", "frames": "1-40", "pools": ["dear"]}

    told = priced.data("POST", "/rules/test", json=sketch)
    CostShape.model_validate(told["cost"])
    likely = 40 * 100 / 3600 / 4 * USD_PER_HOUR
    assert told["cost"]["usd"]["likely"] == pytest.approx(likely, rel=0.1)
    assert told["cost"]["usd"]["low"] < likely < told["cost"]["usd"]["high"] * 1.1
    assert told["cost_cap"] is None and told["cost"]["tasks"] == 40

    capped = priced.data("POST", "/rules/test", json=sketch | {"cost_cap_usd": 0.5})
    assert capped["cost"]["usd"]["likely"] == capped["cost"]["usd"]["high"] == 0.5
    assert capped["cost"]["note"].startswith("without its cost cap of 0.50 USD it would cost about 1.")

    free = priced.data("POST", "/rules/test", json=sketch | {"cost_cap_usd": 0})
    assert free["route"]["chosen"] == [] and free["cost"]["usd"] is None
    assert free["estimate"]["finish"] is None
    assert priced.data("GET", "/jobs") == []


def test_what_runs_on_a_worker_that_takes_nothing_new_costs_too(priced: ServedFarm) -> None:
    learn(priced)
    hire(priced, "dear", slots=1)
    job = priced.post_job(renderer="kernel", pools=["dear"])
    look(priced)
    (worker,) = [one for one in priced.farm.live.workers.values() if one.pool == "dear"]
    priced.run(priced.leasing.sync(worker.id, SyncRequest(want=1)))
    worker.drain = True
    look(priced)

    cost = cost_of(priced, job)
    assert cost["pools"][0]["pool"] == "dear"
    assert cost["usd"]["likely"] == pytest.approx(100 / 3600 * USD_PER_HOUR, rel=0.1)
