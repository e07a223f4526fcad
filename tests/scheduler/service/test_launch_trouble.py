"""Launches that do not go well: refused, of unknown outcome, cut short; looked up afterwards and never repeated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from memory_cloud import Crash, MemoryBackend, lose_answer_at, once, refuse_at
from rented_farm import POOL, RentedFarm

from scheduler.backends.base import StockOut
from scheduler.domain.instance_states import InstanceStatus
from scheduler.settings import AwsPool

Make = Callable[..., RentedFarm]


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
    assert farm.launcher.desks[POOL].provider.trouble is not None

    farm.cloud.reachable = True
    farm.pass_time(60.0)
    assert [i.status for i in farm.intents()] == ["FAILED"]
    assert farm.launcher.desks[POOL].provider.trouble is None


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

    monkeypatch.setattr(farm.launcher.desks[POOL].provider, "_registry", broken)
    monkeypatch.setattr(farm.launcher.desks[POOL].provider, "_backend", None)
    farm.round()

    assert farm.launcher.desks[POOL].provider.trouble.message == "no credentials"


def test_a_prices_file_that_cannot_be_read_is_a_trouble(rent: Make, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('"memory-8" = "dear"\n')
    farm = rent(pool={"prices_file": file})

    assert farm.launcher.desks[POOL].provider.trouble.code == "prices_unreadable"
    assert farm.apply(1).reasons == ("its prices are not known yet",)


def test_instances_survive_the_restart_of_their_scheduler(rent: Make) -> None:
    farm = rent()
    farm.apply(2)
    farm.restart()
    farm.start()
    farm.pass_time(30.0)

    assert len(farm.boxes()) == 2
    assert {row.status for row in farm.rows().values()} <= {InstanceStatus.STARTING, InstanceStatus.RUNNING}


def test_an_instance_that_is_listed_late_is_not_taken_to_be_gone(rent: Make) -> None:
    farm = rent(cloud={"listing_delay_s": 90.0})
    farm.apply(1)
    farm.pass_time(120.0)

    assert {row.status for row in farm.rows().values()} == {"RUNNING"}
    assert farm.intents()[0].reserved_usd == pytest.approx(3.66)
    assert farm.events("instance.gone", "instance.ending") == []
