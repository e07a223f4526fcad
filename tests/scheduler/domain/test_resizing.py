"""How what the policies want is bounded, paid for and debounced."""

from __future__ import annotations

from rented import HOUR_S, NOW_S, asked, instance, one, pool, waiting

from scheduler.domain.renting import LEAD_S
from scheduler.domain.scaling import Policy


def test_money_bounds_launches_and_goes_to_the_cheapest_pool_first():
    cheap = pool(Policy.DEMAND, name="cheap", price_usd_per_hour=0.1, workers_max=3, reserve_usd=1.0)
    dear = pool(Policy.DEMAND, name="dear", price_usd_per_hour=0.9, reserve_usd=3.0)
    work = (waiting(1, 50, pools=("cheap", "dear")),)

    found = asked(cheap, dear, work=work, budget_usd=10.0)

    assert [scaling.launch for scaling in found.scalings] == [3, 2]
    assert "the budget is enough for 2 more launches" in found.scalings[1].reasons
    assert one(pool(Policy.DEMAND, reserve_usd=3.0, budget_usd=8.9), waiting()).launch == 2


def test_an_idle_worker_goes_shortly_before_it_would_be_paid_for_again():
    def retired(age_s: float) -> tuple[str, ...]:
        idle = instance("i", age_s=age_s, idle_s=900)
        return one(pool(Policy.DEMAND, idle, billing_s=HOUR_S)).retire

    assert retired(HOUR_S - LEAD_S - 1) == ()
    assert retired(HOUR_S - LEAD_S + 1) == ("i",)
    assert retired(HOUR_S + 1) == ()


def test_growing_and_shrinking_keep_apart():
    idle = instance(idle_s=900)

    assert one(pool(Policy.DEMAND, idle, grown_at_s=NOW_S - 119)).retire == ()
    assert one(pool(Policy.DEMAND, idle, grown_at_s=NOW_S - 121)).retire == ("i",)
    assert one(pool(Policy.DEMAND, shrunk_at_s=NOW_S - 119), waiting()).launch == 0
    assert one(pool(Policy.DEMAND, shrunk_at_s=NOW_S - 121), waiting()).launch == 10


def test_the_minimum_is_kept_and_started():
    assert one(pool(Policy.DEMAND, workers_min=2)).launch == 2
    assert one(pool(Policy.DEADLINE, instance(idle_s=900), instance("j", idle_s=900), workers_min=1)).retire == ("i",)


def test_none_is_left_alone():
    assert asked(pool(Policy.NONE, instance(idle_s=9e4)), work=(waiting(),)).scalings == ()
