"""Launching on a real store and a provider in memory: written, reserved, asked for, linked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from memory_cloud import lose_answer_at
from rented_farm import POOL, RentedFarm

from scheduler.domain.scaling import Scaling
from scheduler.errors import Denied, NotFound

Make = Callable[..., RentedFarm]


def test_a_decision_becomes_an_intent_and_then_instances(rent: Make) -> None:
    farm = rent()
    done = farm.apply(2, (), "twelve frames wait")
    (intent,) = farm.intents()

    assert (done.launched, done.intent) == (2, intent.id)
    assert (intent.status, intent.expected, intent.settled) == ("RUNNING", 2, True)
    assert intent.reasons == ["twelve frames wait"]
    assert intent.reserved_usd == pytest.approx(2 * 3.66)  # an hour and a minute at 3.60
    assert {row.status for row in farm.rows().values()} == {"STARTING"}
    assert {box.intent for box in farm.boxes()} == {intent.id}
    assert [event.kind for event in farm.events()][:3] == ["launch.intended", "launch.launching", "instance.started"]


def test_the_intent_is_on_disk_before_the_provider_is_asked(rent: Make) -> None:
    farm = rent()
    seen: list[tuple[str, float]] = []

    def look(point: str) -> None:
        if point == "launch.before":
            seen.extend((intent.status, intent.reserved_usd) for intent in farm.intents())

    farm.plot = look
    farm.apply(1)

    assert seen == [("LAUNCHING", pytest.approx(3.66))]


def test_workers_max_counts_what_is_on_its_way(rent: Make) -> None:
    farm = rent(pool={"workers_max": 3})
    farm.apply(2)
    done = farm.apply(2)

    assert done.launched == 1
    assert done.reasons == ("the pool may have 3 workers and has 2",)
    assert farm.apply(1).launched == 0 and len(farm.boxes()) == 3


def test_a_pool_that_launches_nothing_is_unknown(rent: Make) -> None:
    farm = rent()

    with pytest.raises(NotFound, match="launches nothing"):
        farm.run(farm.launcher.plan("onprem", 1))
    assert farm.run(farm.launcher.plan(POOL, 2)).usd_per_hour == pytest.approx(7.2)


def test_the_start_up_script_holds_a_join_code_for_each_instance(rent: Make) -> None:
    farm = rent(pool={"worker_url": "https://farm.example:8000", "agent_install": "true"})
    farm.apply(2)
    one, two = farm.boxes()

    assert "https://farm.example:8000" in farm.cloud.scripts[one.id]
    assert farm.cloud.scripts[one.id] == farm.cloud.scripts[two.id]
    first, second = farm.join_from(one.id), farm.join_from(two.id)
    assert {row.worker for row in farm.rows().values()} == {first, second}
    with pytest.raises(Denied, match="not valid"):
        farm.join_from(one.id)


def test_a_worker_that_joins_before_its_instance_is_in_the_record_is_linked(rent: Make) -> None:
    farm = rent(cloud={"listing_delay_s": 30.0})
    farm.plot = lose_answer_at("launch.after")
    farm.apply(1)
    (box,) = farm.boxes()
    assert farm.rows() == {}

    worker = farm.join_from(box.id)
    farm.pass_time(40.0)

    assert farm.rows()[box.id].worker == worker


def test_a_join_code_is_of_no_use_for_an_instance_on_its_way_out(rent: Make) -> None:
    farm = rent(cloud={"ending_s": 60.0})
    farm.apply(1)
    (box,) = farm.boxes()
    farm.apply(0, (box.id,))

    with pytest.raises(Denied, match="being ended"):
        farm.join_from(box.id)
    farm.pass_time(120.0)
    with pytest.raises(Denied, match="not valid"):
        farm.join_from(box.id)


def test_a_cloud_that_cannot_reach_the_scheduler_gets_no_machine(rent: Make) -> None:
    farm = rent()
    farm.farm.url = "https://127.0.0.1:8000"
    assert farm.apply(1).reasons == ("its instances could not reach the scheduler: set worker_url of the pool",)

    farm.settings = farm.settings.model_copy(
        update={"pools": {POOL: farm.settings.pools[POOL].model_copy(update={"endpoint_url": "http://127.0.0.1:5"})}}
    )
    farm.restart()
    farm.start()
    farm.farm.url = "https://127.0.0.1:8000"
    assert farm.apply(1).launched == 1


def test_before_the_scheduler_serves_no_machine_is_told_where_it_is(rent: Make) -> None:
    farm = rent()

    async def apply() -> None:
        await farm.launcher.apply(POOL, Scaling(POOL, 1, (), ()))
        farm.farm.url = ""
        await farm.launcher.idle()

    farm.run(apply())
    assert farm.boxes() == [] and farm.intents()[0].status == "INTENDED"
    farm.farm.url = "http://farm.studio:8000"
    farm.pass_time(10.0)
    assert len(farm.boxes()) == 1
