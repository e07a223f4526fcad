"""Budgets in force: alerts once in each period, and what happens at the cap, on real rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rented_farm import POOL, RentedFarm

from scheduler.service.treasury import standings
from scheduler.store.instances import BudgetAlert

DAY_S = 86_400.0
RULES = {"rules": [{"name": "burst", "when": "true", "allow": [POOL]}]}

Make = Callable[..., RentedFarm]


@pytest.fixture
def rent(tmp_path: Path) -> Iterator[Make]:
    """Makes the test's farm, with a budget of 10 USD a day."""
    made: list[RentedFarm] = []

    def make(at_cap: str = "stop_launching", *, name: str = "farm", **pool: Any) -> RentedFarm:
        farm = RentedFarm(
            tmp_path,
            pool=pool,
            budgets={name: {"usd": 10.0, "period": "day", "at_cap": at_cap}},
            sections=RULES,
        )
        made.append(farm)
        farm.start()
        return farm

    yield make
    for farm in made:
        farm.close()


def cut_to(farm: RentedFarm, usd: float, name: str = "farm") -> None:
    """Somebody lowers the budget and restarts the scheduler."""
    budget = farm.settings.budgets[name].model_copy(update={"usd": usd})
    farm.settings = farm.settings.model_copy(update={"budgets": {name: budget}})
    farm.restart()
    farm.start()


def count(farm: RentedFarm) -> list[dict[str, Any]]:
    return farm.run(farm.treasurer.run())


def alerts(farm: RentedFarm) -> list[float]:
    return [event.data["threshold"] for event in farm.events("budget.alert")]


def test_alerts_are_events_once_in_each_period(rent: Make) -> None:
    farm = rent(life_s=4 * 3600.0, join_s=4 * 3600.0)
    assert farm.apply(1).launched == 0  # four hours would not fit: 14.46 USD
    cut_to(farm, 20.0)
    farm.apply(1)
    farm.clock.advance(3600.0)
    count(farm)
    assert alerts(farm) == []

    cut_to(farm, 4.4)
    count(farm)
    count(farm)
    assert alerts(farm) == [0.8]
    cut_to(farm, 3.6)
    count(farm)
    assert alerts(farm) == [0.8, 1.0]
    last = farm.events("budget.alert")[-1].data
    assert last["budget"] == "farm" and last["spent_usd"] == pytest.approx(3.6, abs=0.01)

    farm.clock.advance(DAY_S)
    count(farm)
    assert alerts(farm) == [0.8, 1.0]
    with farm.store.read() as session:
        assert session.get_one(BudgetAlert, ("farm", 1767225600.0, 1.0)).details["at_cap"] == "stop_launching"


def test_a_budget_shows_what_is_reserved_and_where_it_leads(rent: Make) -> None:
    farm = rent()
    farm.clock.advance(6 * 3600.0)
    farm.apply(1)
    farm.clock.advance(1800.0)
    (shown,) = count(farm)

    assert shown["spent_usd"] == pytest.approx(1.8)
    assert shown["reserved_usd"] == pytest.approx(3.66 - 1.8)
    assert shown["free_usd"] == pytest.approx(10.0 - 3.66)
    assert shown["usd_per_hour"] == pytest.approx(3.6)
    assert shown["forecast_usd"] == pytest.approx(1.8 * 24 / 6.5, abs=0.001)
    assert shown["by_pool_usd"] == {POOL: pytest.approx(1.8)}
    assert shown["runs_out_at"] == "2026-01-01T08:46:40.000Z"


def test_money_that_lasts_into_the_next_period_does_not_run_out(rent: Make) -> None:
    farm = rent()
    farm.clock.advance(23 * 3600.0)
    farm.apply(1)
    farm.clock.advance(60.0)
    (shown,) = count(farm)

    assert shown["usd_per_hour"] == pytest.approx(3.6)
    assert shown["runs_out_at"] is None


def test_at_the_cap_nothing_is_launched_and_what_runs_goes_on(rent: Make) -> None:
    farm = rent()
    box, _worker = working(farm)
    farm.clock.advance(600.0)
    cut_to(farm, 0.5)
    count(farm)

    assert farm.rows()[box].status == "RUNNING"
    assert farm.apply(1).launched == 0
    assert farm.farm.live.closed == {}


def working(farm: RentedFarm, **job: Any) -> tuple[str, str]:
    """An instance whose worker holds a lease while another task waits; the ids of instance and worker."""
    farm.submit(frames="1-2", renderer="null", **job)
    assert farm.apply(1).launched == 1
    farm.pass_time(40.0)
    (box,) = farm.boxes()
    worker = farm.join_from(box.id)
    farm.run(farm.tick.run())
    assert len(farm.sync(worker, want=1).leases) == 1
    return box.id, worker


def test_drain_lets_running_work_finish(rent: Make) -> None:
    farm = rent("drain")
    box, worker = working(farm)
    farm.clock.advance(10.0)
    cut_to(farm, 0.01)
    count(farm)
    farm.pass_time(20.0)

    assert farm.rows()[box].status == "DRAINING"
    assert len(farm.farm.live.leases) == 1
    assert farm.sync(worker, want=1).leases == []
    assert [box.id for box in farm.boxes()] == [box]


def test_stop_ends_it_at_once_and_gives_the_work_back(rent: Make) -> None:
    farm = rent("stop")
    box, _worker = working(farm)
    farm.clock.advance(10.0)
    cut_to(farm, 0.01)
    count(farm)
    farm.pass_time(10.0)

    assert farm.boxes() == []
    assert farm.farm.live.leases == {}
    (event,) = farm.events("task.retried")
    assert (event.data["failure"], event.data["message"]) == ("preempted", "budget 'farm' is spent")
    assert farm.rows()[box].reason == "budget 'farm' is spent"


def test_a_show_without_money_gets_no_slot_that_costs_and_others_do(rent: Make) -> None:
    farm = rent("drain", name="Alpha")
    beta = farm.submit(frames="1", renderer="null", pools=[POOL], tracking={"project": "Beta"})
    alpha = beta + 1
    farm.run(farm.tick.run())
    box, worker = working(farm, pools=[POOL], tracking={"project": "Alpha"}, priority=90)
    assert {lease.job for lease in farm.farm.live.leases.values()} == {alpha}
    farm.clock.advance(10.0)
    cut_to(farm, 0.001, "Alpha")
    farm.run(farm.tick.run())
    count(farm)

    assert farm.farm.live.closed == {POOL: frozenset({"Alpha"})}
    assert farm.rows()[box].status == "RUNNING"  # Beta pays its share of it
    farm.sync(worker, want=4)
    assert sorted(lease.job for lease in farm.farm.live.leases.values()) == [beta, alpha]
    (reason,) = farm.run(farm.services.explainer.why_job(alpha))["waiting"]
    words = f"the budget that pays for {POOL} is spent; more money or its next period lets it go on"
    assert reason == {"reason": words, "tasks": 1}


def test_when_the_period_ends_the_pools_are_open_again(rent: Make) -> None:
    farm = rent("drain")
    working(farm)
    farm.clock.advance(10.0)
    cut_to(farm, 0.01)
    count(farm)
    assert farm.farm.live.closed == {POOL: frozenset({"*"})}
    farm.clock.advance(DAY_S)
    farm.pass_time(120.0)
    count(farm)

    assert farm.farm.live.closed == {}


def test_the_books_are_the_same_after_a_restart(rent: Make) -> None:
    farm = rent()
    farm.apply(2)
    farm.clock.advance(100.0)

    def book() -> list[Any]:
        with farm.store.read() as session:
            return standings(session, farm.farm.settings, farm.farm.now_s())

    before = book()
    farm.restart()
    assert book() == before
