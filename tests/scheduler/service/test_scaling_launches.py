"""Autoscaling with the real launcher on a provider in memory: from a waiting job to machines that are gone again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rented_farm import POOL, RentedFarm

from scheduler.backends.base import Offer
from scheduler.domain.instance_states import InstanceStatus
from scheduler.service.rented_pools import smallest


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[RentedFarm]:
    """A farm that may have three machines, and money for five."""
    made = RentedFarm(
        tmp_path,
        pool={
            "autoscale": "demand",
            "workers_max": 3,
            "price_usd_per_hour": 1.0,
            "idle_s": 60.0,
            "settle_s": 30.0,
            "boot_s": 30.0,
            "transfer_s": 0.0,
        },
        budgets={"farm": {"usd": 6.0}},
        sections={"rules": ({"name": "open", "allow": [POOL]},)},
    )
    yield made
    made.close()


def decide(farm: RentedFarm) -> None:
    async def run() -> None:
        await farm.services.scaler.run()
        await farm.launcher.idle()

    farm.run(run())


def test_what_waits_is_launched_for_and_what_is_idle_goes(farm: RentedFarm) -> None:
    job = farm.submit(renderer="null", frames="1-2")
    decide(farm)  # the provider is asked what it offers
    decide(farm)
    assert len(farm.boxes()) == 2
    decide(farm)
    assert len(farm.boxes()) == 2

    workers = [farm.join_from(box.id) for box in farm.boxes()]
    (lease,) = farm.sync(workers[0], want=1).leases
    (other,) = farm.sync(workers[1], want=1).leases
    farm.deliver(workers[1], other)
    decide(farm)
    farm.pass_time(61.0)
    farm.sync(workers[0], running=[])
    farm.sync(workers[1])
    decide(farm)
    farm.pass_time(20.0)

    statuses = {row.worker: row.status for row in farm.rows().values()}
    assert statuses[workers[0]] == InstanceStatus.RUNNING
    assert statuses[workers[1]] in (InstanceStatus.ENDING, InstanceStatus.GONE)
    assert (lease.job, farm.farm.live.leases[lease.task].worker) == (f"{job:05d}", workers[0])


def test_launches_stop_at_the_bound_and_at_the_money(farm: RentedFarm) -> None:
    farm.submit(renderer="null", frames="1-40")
    for _round in range(4):
        decide(farm)

    assert len(farm.boxes()) == 3
    plan = farm.run(farm.services.scaler.plan())
    assert plan["pools"][0]["workers"]["starting"] == 3
    assert any("more than the 3 workers that it may have" in reason for reason in plan["pools"][0]["reasons"])
    assert farm.events("launch.declined") == []


def test_any_machine_that_is_offered_may_come() -> None:
    offers = [Offer("large", 64, 256.0, gpus=1), Offer("wide", 96, 192.0)]

    found = smallest(POOL, offers)

    assert (found.vcpus, found.memory_gib, found.gpus) == (64, 192.0, 0)


def test_nothing_is_launched_for_work_that_its_cost_cap_closes_to_the_pool(farm: RentedFarm) -> None:
    farm.submit(renderer="null", frames="1-9", cost_cap_usd=0.0)
    decide(farm)
    decide(farm)

    assert farm.boxes() == []


def test_no_more_is_launched_than_the_cost_cap_pays_for(farm: RentedFarm) -> None:
    farm.submit(renderer="null", frames="1-9", cost_cap_usd=2.5, timeout_s=3600.0)  # a task may cost 1 USD
    decide(farm)
    decide(farm)

    assert len(farm.boxes()) == 2
