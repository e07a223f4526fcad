"""Cost caps on real rows: what starts where it costs, what is stopped and told, and what is launched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from farms import LooseFarm
from sqlmodel import col, select

from scheduler.domain.cost_caps import FREE_ONLY, SITE, UNPRICED
from scheduler.errors import Conflict
from scheduler.protocol.submission import NewJob
from scheduler.protocol.work import Lease, Report, Running
from scheduler.routing.route import REASON_FITS
from scheduler.service.capping_jobs import cap_job
from scheduler.service.costing import list_costs
from scheduler.service.submitting import submit_job
from scheduler.service.validating import validate_payload
from scheduler.settings import AwsPool, OnpremPool, SitePool
from scheduler.store.tables import Attempt, Event, Job
from scheduler.store.transaction import Transaction

USD_PER_S = 0.001
"""What a slot of the rented workers costs: 3.60 USD an hour."""

RULES = [{"name": "anywhere", "when": "true", "allow": ["rented", "cloud", "sister"]}]


@pytest.fixture
def farm(database: str | None, tmp_path: Path) -> Iterator[LooseFarm]:
    """A farm that has pools with a price, known and not, and a sister; on both databases."""
    pools = {
        "rented": OnpremPool(price_usd_per_hour=3600.0 * USD_PER_S),
        "cloud": AwsPool(region="eu-west-1"),
        "sister": SitePool(url="https://sister.example", token="x", price_usd_per_hour=1.0),
    }
    made = LooseFarm(tmp_path, database, sections={"pools": pools, "rules": RULES})
    yield made
    made.close()


def submit(farm: LooseFarm, cap_usd: float | None, frames: int = 10, **more: Any) -> int:
    return farm.submit(renderer="null", frames=f"1-{frames}", timeout_s=100.0, cost_cap_usd=cap_usd, **more)


def look(farm: LooseFarm, seconds: float = 0.0) -> None:
    """Time passes in steps of a tick that is far too slow, with everything counted at each."""
    while seconds > 0:
        step_s = min(5.0, seconds)
        farm.clock.advance(step_s)
        seconds -= step_s
        for worker in farm.farm.live.workers:
            keep_alive(farm, worker)
        farm.run(farm.tick.run())
    farm.run(farm.tick.run())


def keep_alive(farm: LooseFarm, worker: str) -> None:
    held = farm.farm.live.workers[worker].leases.values()
    farm.sync(worker, running=[Running(lease.task, lease.attempt, 0.1, "") for lease in held])


def done(farm: LooseFarm, worker: str, leases: list[Lease], seconds: float) -> list[int]:
    reports = [Report(one.task, one.attempt, one.secret, "done", seconds=seconds) for one in leases]
    return [ack.status for ack in farm.sync(worker, reports=reports).acks]


def cost_usd(farm: LooseFarm, job: int) -> float:
    found = farm.run(list_costs(farm.farm, by="job", job=job, since_s=0.0, limit=1))
    return found[0]["usd"] if found else 0.0


def why(farm: LooseFarm, job: int) -> dict[str, Any]:
    return farm.run(farm.services.explainer.why_job(job))


def pool_reason(told: dict[str, Any], pool: str) -> str:
    return next(one["reason"] for one in told["route"]["pools"] if one["pool"] == pool)


def learn(farm: LooseFarm) -> None:
    """A job without a cap teaches what a frame takes: ten seconds."""
    home = farm.join("home", slots=8)
    submit(farm, None, frames=40)
    for _round in range(5):
        leases = farm.sync(home, want=8).leases
        farm.clock.advance(10.0)
        done(farm, home, leases, 10.0)
    farm.run(farm.services.forecaster.run())
    farm.farm.live.workers.pop(home)


def test_of_unknown_frames_no_more_start_than_the_cap_pays_for_until_their_timeout(farm: LooseFarm) -> None:
    worker = farm.join("dear", pool="rented", slots=4)  # a slot of four costs a fourth
    submit(farm, 0.085, frames=20)
    look(farm)

    leases = farm.sync(worker, want=4).leases
    assert len(leases) == 3  # (100 + 10) s × 0.00025 USD for each
    assert farm.sync(worker, want=4).leases == []


def test_nothing_starts_where_it_costs_before_the_money_was_counted(farm: LooseFarm) -> None:
    worker = farm.join("dear", pool="rented", slots=1)
    job = submit(farm, 5.0)
    farm.farm.live.purses.jobs.clear()
    assert why(farm, job)["cost_cap"]["spent_usd"] == 0.0

    assert farm.sync(worker, want=1).leases == []
    look(farm)
    assert len(farm.sync(worker, want=1).leases) == 1
    farm.run(cap_job(farm.farm, job, 0.0, "artist"))
    assert job not in farm.farm.live.purses.jobs


def test_a_cap_of_nothing_means_only_where_it_is_free(farm: LooseFarm) -> None:
    dear, home = farm.join("dear", pool="rented", slots=4), farm.join("home", slots=2)
    job = submit(farm, 0.0)
    look(farm)

    assert farm.sync(dear, want=4).leases == []
    assert len(farm.sync(home, want=2).leases) == 2
    told = why(farm, job)
    assert told["route"]["chosen"] == ["onprem"]
    assert pool_reason(told, "rented") == FREE_ONLY
    assert farm.farm.live.plan.steps[0].route.chosen == ("onprem",)


def test_a_job_without_a_cap_is_asked_nothing(farm: LooseFarm) -> None:
    worker = farm.join("dear", pool="rented", slots=4)
    job = submit(farm, None)

    assert len(farm.sync(worker, want=4).leases) == 4
    told = why(farm, job)
    assert told["cost_cap"] is None and pool_reason(told, "rented") == REASON_FITS


def test_what_ends_early_gives_back_what_was_set_aside(farm: LooseFarm) -> None:
    worker = farm.join("dear", pool="rented", slots=1)
    job = submit(farm, 0.13)
    look(farm)
    for _task in range(3):
        leases = farm.sync(worker, want=1).leases
        assert len(leases) == 1
        told = why(farm, job)
        look(farm, 5.0)
        assert "beside what is set aside" in why(farm, job)["waiting"][0]["reason"]
        assert told["route"]["chosen"][0] == "rented" or "rented" in told["route"]["chosen"]
        done(farm, worker, leases, 5.0)
        look(farm)
    assert cost_usd(farm, job) == pytest.approx(0.015)


def test_an_attempt_that_takes_too_long_is_stopped_before_the_cap_and_its_late_work_is_refused(farm: LooseFarm) -> None:
    worker = farm.join("dear", pool="rented", slots=1)
    job = submit(farm, 0.05)
    look(farm)
    (lease,) = farm.sync(worker, want=1).leases  # its timeout would cost 0.10 USD: it may try

    look(farm, 30.0)
    assert farm.farm.live.leases
    look(farm, 30.0)
    assert not farm.farm.live.leases
    assert cost_usd(farm, job) <= 0.05
    assert done(farm, worker, [lease], 60.0) == [409]
    look(farm, 30.0)
    assert cost_usd(farm, job) <= 0.05
    assert farm.sync(worker, want=1).leases == []

    with farm.store.read() as session:
        event = session.exec(select(Event).where(col(Event.kind) == "job.cost_cap")).one()
        attempt = session.exec(select(Attempt)).one()
    assert event.data["stopped"] == 1 and event.data["cost_cap_usd"] == 0.05
    assert attempt.failure == "preempted" and attempt.message == "the job's cost cap of 0.05 USD is reached"
    told = why(farm, job)
    assert pool_reason(told, "rented").startswith("its cost cap of 0.05 USD has ")
    assert (
        told["waiting"][0]["reason"].startswith("it may run nowhere: ") or "no worker" in told["waiting"][0]["reason"]
    )


def test_more_money_lets_it_go_on(farm: LooseFarm) -> None:
    learn(farm)
    worker = farm.join("dear", pool="rented", slots=1)
    job = submit(farm, 0.025, frames=5)
    farm.run(farm.services.forecaster.run())
    look(farm)
    spent = 0
    while leases := farm.sync(worker, want=1).leases:
        look(farm, 10.0)
        done(farm, worker, leases, 10.0)
        look(farm)
        spent += 1
    assert spent == 1 and cost_usd(farm, job) == pytest.approx(0.01)
    assert "rented" not in why(farm, job)["route"]["chosen"]

    farm.run(cap_job(farm.farm, job, 1.0, "artist"))
    look(farm)
    assert len(farm.sync(worker, want=1).leases) == 1
    assert why(farm, job)["cost_cap"]["usd"] == 1.0


def test_a_lost_attempt_counts_until_it_can_come_back_no_more(farm: LooseFarm) -> None:
    worker = farm.join("dear", pool="rented", slots=1)
    job = submit(farm, 0.08)
    look(farm)
    (lease,) = farm.sync(worker, want=1).leases
    farm.clock.advance(31.0)
    farm.run(farm.tick.run())
    assert not farm.farm.live.leases  # not heard of for longer than a lease
    assert farm.farm.live.purses.jobs[job].bill.open[0].lost
    for _tick in range(8):
        farm.clock.advance(5.0)
        farm.run(farm.tick.run())

    assert farm.farm.live.purses.jobs[job].bill.open == ()
    assert done(farm, worker, [lease], 71.0) == [409]
    farm.sync(worker, running=[Running(lease.task, lease.attempt, 0.9, "")])
    assert not farm.farm.live.leases
    assert cost_usd(farm, job) == pytest.approx(0.031)


def test_a_pool_without_a_known_price_and_a_site_with_one_are_closed(farm: LooseFarm) -> None:
    job = submit(farm, 5.0)
    look(farm)

    told = why(farm, job)
    assert pool_reason(told, "cloud") == UNPRICED
    assert pool_reason(told, "sister") == SITE
    assert "cloud" in why(farm, submit(farm, None))["route"]["chosen"]


def test_a_job_with_a_cap_does_not_leave_for_a_farm_with_a_price_before_it_was_counted_either(farm: LooseFarm) -> None:
    def payload(**more: Any) -> NewJob:
        return validate_payload({"name": "x", "renderer": "null", "pools": ["sister"]} | more)

    capped = farm.run(submit_job(farm.farm, "artist", payload(cost_cap_usd=100.0)))
    free = farm.run(submit_job(farm.farm, "artist", payload()))
    farm.run(farm.tick._plan())

    assert [one.job for one in farm.farm.live.plan.departures] == [free]
    assert why(farm, capped)["waiting"][0]["reason"] != why(farm, free)["waiting"][0]["reason"]


def test_the_purse_holds_over_a_restart_and_for_leases_that_came_while_it_was_counted(farm: LooseFarm) -> None:
    worker = farm.join("dear", pool="rented", slots=4)
    submit(farm, 0.085)
    look(farm)
    purses = farm.farm.live.purses
    purses.begin()
    before = purses.jobs
    assert len(farm.sync(worker, want=2).leases) == 2
    purses.fill(before, costly=purses.costly, usd_per_s=purses._usd_per_s, ahead_s=10.0)
    assert len(farm.sync(worker, want=4).leases) == 1
    assert farm.sync(worker, want=4).leases == []

    farm.restart()
    assert farm.sync(worker, want=4).leases == []


def test_a_cap_is_changed_only_where_it_would_change_something(farm: LooseFarm) -> None:
    job = submit(farm, 5.0)
    farm.store.write(lambda tx: away(tx, job))
    with pytest.raises(Conflict) as refused:
        farm.run(cap_job(farm.farm, job, 1.0, "artist"))
    assert refused.value.code == "job_away"


def away(tx: Transaction, job: int) -> None:
    tx.session.get_one(Job, job).away = "sister"
