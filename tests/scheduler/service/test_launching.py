"""Launching and ending on a real store and a provider in memory: written, reserved, linked, looked up, ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from memory_cloud import Crash, MemoryBackend, MemoryCloud, lose_answer_at, once, refuse_at
from rented_farm import POOL, RentedFarm

from scheduler.backends.base import StockOut
from scheduler.clock import ManualClock
from scheduler.domain.scaling import Scaling
from scheduler.domain.states import InstanceStatus
from scheduler.errors import Denied, NotFound
from scheduler.service.holdings import holdings_of
from scheduler.service.terms import terms_of
from scheduler.settings import AwsPool

Make = Callable[..., RentedFarm]


# ---- Launching -----------------------------------------------------------------------------------------------------


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


# ---- Trouble -------------------------------------------------------------------------------------------------------


def test_a_refusal_releases_the_money_and_slows_the_pool_down(rent: Make) -> None:
    farm = rent()
    farm.plot = refuse_at("launch.before", StockOut)
    farm.apply(1)
    (intent,) = farm.intents()

    assert (intent.status, intent.reserved_usd) == ("FAILED", 0.0)
    assert intent.error.startswith("stock_out: ")
    again = farm.apply(1)
    assert again.launched == 0 and "waiting before the next launch" in again.reasons[0]
    farm.clock.advance(31.0)
    assert farm.apply(1).launched == 1


def test_an_unknown_outcome_is_looked_up_and_never_repeated(rent: Make) -> None:
    farm = rent(cloud={"listing_delay_s": 45.0})
    farm.plot = lose_answer_at("launch.after")
    farm.apply(2)
    assert [intent.status for intent in farm.intents()] == ["LAUNCHING"]

    farm.pass_time(30.0)
    assert [intent.status for intent in farm.intents()] == ["LAUNCHING"]
    farm.pass_time(30.0)

    assert [(i.status, i.expected) for i in farm.intents()] == [("RUNNING", 2)]
    assert farm.cloud.launches == 1 and len(farm.rows()) == 2


def test_a_launch_that_never_happened_is_given_up_after_its_time(rent: Make) -> None:
    farm = rent(pool={"lookup_s": 60.0})
    farm.plot = once("launch.before", lambda: TimeoutError("nobody answers"))
    farm.apply(1)
    farm.pass_time(60.0)
    assert [(i.status, i.reserved_usd) for i in farm.intents()] == [("LAUNCHING", pytest.approx(3.66))]
    assert farm.intents()[0].error == "nobody answers"
    farm.pass_time(20.0)

    assert [(i.status, i.reserved_usd) for i in farm.intents()] == [("FAILED", 0.0)]
    assert farm.boxes() == []


def test_while_the_provider_is_silent_nothing_is_given_up(rent: Make) -> None:
    farm = rent(pool={"lookup_s": 60.0})
    farm.plot = once("launch.before", lambda: TimeoutError("nobody answers"))
    farm.apply(1)
    farm.cloud.reachable = False
    farm.pass_time(600.0, step_s=60.0)
    assert [i.status for i in farm.intents()] == ["LAUNCHING"]
    assert farm.launcher.desks[POOL].trouble is not None

    farm.cloud.reachable = True
    farm.pass_time(60.0)
    assert [i.status for i in farm.intents()] == ["FAILED"]
    assert farm.launcher.desks[POOL].trouble is None


@pytest.mark.parametrize("point", ["launch.before", "launch.after"])
def test_a_scheduler_that_dies_while_launching_leaves_nothing_behind(rent: Make, point: str) -> None:
    farm = rent(pool={"lookup_s": 60.0})
    farm.plot = once(point, Crash)
    with pytest.raises(Crash):
        farm.apply(1)
    farm.restart()
    farm.start()
    farm.pass_time(80.0)

    launched = point == "launch.after"
    assert [i.status for i in farm.intents()] == ["RUNNING" if launched else "FAILED"]
    assert len(farm.boxes()) == farm.cloud.launches == int(launched)


def test_fewer_than_ordered_holds_money_for_fewer(rent: Make) -> None:
    farm = rent(pool={"lookup_s": 60.0}, cloud={"stock": 1})
    farm.apply(3)
    assert farm.intents()[0].reserved_usd == pytest.approx(3 * 3.66)
    assert [event.data["reason"] for event in farm.events("launch.stock_out")] == ["2 of 3 could not be started"]

    farm.pass_time(80.0)
    assert (farm.intents()[0].expected, farm.intents()[0].reserved_usd) == (1, pytest.approx(3.66))


def test_a_backend_that_cannot_be_made_is_a_trouble_of_its_pool(rent: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    farm = rent()

    def broken(pool: str, settings: AwsPool, farm_id: str) -> MemoryBackend:
        raise StockOut("no credentials")

    monkeypatch.setattr(farm.launcher.desks[POOL], "_registry", broken)
    monkeypatch.setattr(farm.launcher.desks[POOL], "_backend", None)
    farm.round()

    assert farm.launcher.desks[POOL].trouble.message == "no credentials"


# ---- Money ---------------------------------------------------------------------------------------------------------


def test_a_launch_never_takes_a_budget_over_its_cap(rent: Make) -> None:
    farm = rent(budgets={"farm": {"usd": 8.0, "period": "total"}})
    done = farm.apply(5)

    assert done.launched == 2  # 3.66 each
    assert "budget 'farm'" in done.reasons[0]
    assert farm.apply(1).launched == 0
    assert [event.data["wanted"] for event in farm.events("launch.declined")] == [1]
    farm.apply(0, tuple(farm.rows()))
    farm.pass_time(60.0)
    assert farm.apply(1).launched == 1


def test_a_show_pays_for_what_is_launched_for_its_work(rent: Make) -> None:
    farm = rent(budgets={"Alpha": {"usd": 4.0, "period": "total"}})
    farm.submit(frames="1-3", renderer="null", tracking={"project": "Alpha"})
    farm.submit(frames="1", renderer="null", tracking={"project": "Beta"})
    farm.run(farm.tick.run())
    assert farm.apply(1).launched == 1

    assert farm.intents()[0].shares == {"Alpha": 0.75, "Beta": 0.25}
    second = farm.apply(4)
    assert second.launched == 1  # Alpha's part of the work is not paid for any more
    assert [i.shares for i in farm.intents()][-1] == {"Beta": 1.0}


def test_a_cloud_without_a_price_launches_nothing_under_a_budget(rent: Make) -> None:
    farm = rent(budgets={"farm": {"usd": 8.0}}, cloud={"price_usd_per_hour": 0.0})

    assert farm.apply(1).reasons == (
        "its price is not known, so no budget could be held: set price_usd_per_hour or prices_file",
    )


def test_prices_come_from_the_settings_then_the_file_then_the_offers(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('"memory-8" = 1.5\n')
    offers = MemoryBackend(MemoryCloud(ManualClock()), "p", "f").offers()

    def price(**given: Any) -> float:
        return terms_of(AwsPool(region="r", **given), offers, 0.0).price_usd_per_hour

    assert (price(), price(prices_file=file), price(prices_file=file, price_usd_per_hour=9.0)) == (3.6, 1.5, 9.0)


def test_a_prices_file_that_cannot_be_read_is_a_trouble(rent: Make, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('"memory-8" = "dear"\n')
    farm = rent(pool={"prices_file": file})

    assert farm.launcher.desks[POOL].trouble.code == "prices_unreadable"
    assert farm.apply(1).reasons == ("its prices are not known yet",)


def test_instances_survive_the_restart_of_their_scheduler(rent: Make) -> None:
    farm = rent()
    farm.apply(2)
    farm.restart()
    farm.start()
    farm.pass_time(30.0)

    assert len(farm.boxes()) == 2
    assert {row.status for row in farm.rows().values()} <= {InstanceStatus.STARTING, InstanceStatus.RUNNING}


def test_whoever_scales_sees_what_is_there_and_what_is_coming(rent: Make) -> None:
    farm = rent(budgets={"farm": {"usd": 10.0, "period": "total"}}, cloud={"listing_delay_s": 300.0})
    desk = farm.launcher.desks[POOL]
    farm.apply(1)
    farm.plot = lose_answer_at("launch.after")
    farm.apply(1)
    held = farm.run(holdings_of(farm.farm, desk))

    assert [(one.id, one.status, one.worker) for one in held.instances] == [("i-0001", InstanceStatus.STARTING, "")]
    assert (held.coming, held.reserve_usd, held.room_usd) == (1, pytest.approx(3.66), pytest.approx(10 - 2 * 3.66))
    assert held.not_before_s == pytest.approx(farm.farm.clock.monotonic() + 30.0)


def test_the_same_no_is_told_once(rent: Make) -> None:
    farm = rent(budgets={"farm": {"usd": 1.0, "period": "total"}})
    for _again in range(3):
        assert farm.apply(2).launched == 0
    farm.apply(0)

    assert len(farm.events("launch.declined")) == 1


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


def test_an_instance_that_is_listed_late_is_not_taken_to_be_gone(rent: Make) -> None:
    farm = rent(cloud={"listing_delay_s": 90.0})
    farm.apply(1)
    farm.pass_time(120.0)

    assert {row.status for row in farm.rows().values()} == {"RUNNING"}
    assert farm.intents()[0].reserved_usd == pytest.approx(3.66)
    assert farm.events("instance.gone", "instance.ending") == []
