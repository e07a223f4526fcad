"""What launches cost and what budgets leave for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from memory_cloud import MemoryBackend, MemoryCloud, lose_answer_at
from rented_farm import POOL, RentedFarm

from scheduler.clock import ManualClock
from scheduler.domain.scaling import Phase
from scheduler.service.rented_pools import RentedPools
from scheduler.service.terms import terms_of
from scheduler.settings import AwsPool

Make = Callable[..., RentedFarm]


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


def test_the_same_no_is_told_once(rent: Make) -> None:
    farm = rent(budgets={"farm": {"usd": 1.0, "period": "total"}})
    for _again in range(3):
        assert farm.apply(2).launched == 0
    farm.apply(0)

    assert len(farm.events("launch.declined")) == 1


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


def test_whoever_scales_sees_what_is_there_and_what_is_coming(rent: Make) -> None:
    farm = rent(budgets={"farm": {"usd": 10.0, "period": "total"}}, cloud={"listing_delay_s": 300.0})
    farm.apply(1)
    farm.plot = lose_answer_at("launch.after")
    farm.apply(1)
    coming = farm.intents()[1].id
    rented = farm.run(RentedPools(farm.farm, farm.launcher).rented(POOL))

    assert [one.id for one in rented.instances] == ["i-0001", f"{coming}/0"]
    assert {one.phase for one in rented.instances} == {Phase.STARTING}
    assert (rented.reserve_usd, rented.left_usd) == (pytest.approx(3.66), pytest.approx(10 - 2 * 3.66))
