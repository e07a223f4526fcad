"""The policy demand: a slot for each ready task, in the cheapest pool."""

from __future__ import annotations

from rented import asked, instance, one, pool, waiting

from scheduler.domain.scaling import Phase, Policy


def test_demand_has_a_slot_for_each_ready_task():
    assert one(pool(Policy.DEMAND, slots=4), waiting(tasks=10)).launch == 3
    assert one(pool(Policy.DEMAND, instance("new", Phase.STARTING), slots=4), waiting(tasks=10)).launch == 2
    assert one(pool(Policy.DEMAND, instance("idle", idle_s=9), slots=4), waiting(tasks=10)).launch == 2
    assert one(pool(Policy.DEMAND, instance("busy"), slots=4), waiting(tasks=10)).launch == 3
    assert one(pool(Policy.DEMAND), waiting(tasks=500)).launch == 20
    assert one(pool(Policy.DEMAND)).launch == 0


def test_free_slots_at_home_are_taken_first():
    assert one(pool(Policy.DEMAND), waiting(tasks=10), free_slots=7.0).launch == 3
    assert one(pool(Policy.DEMAND), waiting(tasks=10, home=False), free_slots=7.0).launch == 10


def test_no_worker_is_launched_for_more_tasks_than_their_cost_cap_pays_for():
    assert one(pool(Policy.DEMAND), waiting(tasks=10, rooms={"cloud": 3})).launch == 3
    assert one(pool(Policy.DEMAND), waiting(tasks=10, rooms={"cloud": 0})).launch == 0
    assert one(pool(Policy.DEMAND), waiting(tasks=10, rooms={"other": 0})).launch == 10


def test_no_worker_boots_for_less_work_than_its_boot_takes():
    found = one(pool(Policy.DEMAND, boot_s=90.0, transfer_s=30.0), waiting(tasks=100, task_s=6.0))

    assert found.launch == 5
    assert any("more than 5 new workers would come too late" in reason for reason in found.reasons)
    assert one(pool(Policy.DEMAND), waiting(tasks=9000, task_s=6.0)).launch == 20


def test_a_job_counts_for_the_cheapest_pool_and_what_does_not_fit_for_the_next():
    cheap = pool(Policy.DEMAND, name="cheap", price_usd_per_hour=0.2, workers_max=4)
    dear = pool(Policy.DEMAND, name="dear", price_usd_per_hour=0.9)
    both, only_dear = waiting(1, 10, pools=("dear", "cheap")), waiting(2, 3, pools=("dear",))

    found = {scaling.pool: scaling.launch for scaling in asked(cheap, dear, work=(both, only_dear)).scalings}

    assert found == {"cheap": 4, "dear": 6 + 3}
