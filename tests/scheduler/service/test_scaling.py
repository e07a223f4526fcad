"""Autoscaling on a farm: what is decided from its plan and forecasts, what is applied, who may use rented workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from farms import LooseFarm

from scheduler.domain.scaling import InstanceView, Phase, Scaling
from scheduler.routing.machines import Machine
from scheduler.routing.route import REASON_KEPT, REASON_LAUNCH
from scheduler.service.launching import Applied
from scheduler.service.learning import facts_of
from scheduler.service.scaling import Scaler
from scheduler.service.scaling_ground import RentedPool
from scheduler.settings import AwsPool, BudgetSettings
from scheduler.store.tables import Job

FRAME_S = 600.0
OFFER = Machine("c7i", 8, 16.0)


class Desk:
    """Launches at once: instances are rows in memory; their workers come when a test says so."""

    def __init__(self, farm: LooseFarm) -> None:
        self.farm = farm
        self.instances: dict[str, InstanceView] = {}
        self.applied: list[Scaling] = []
        self.terms = RentedPool(OFFER, price_usd_per_hour=0.5)

    async def rented(self, pool: str) -> RentedPool | None:
        """The pool `cloud`; of others nothing is known."""
        return replace(self.terms, instances=tuple(self.instances.values())) if pool == "cloud" else None

    async def apply(self, pool: str, decision: Scaling) -> Applied:
        """Note it, and do it."""
        assert pool == decision.pool
        self.applied.append(decision)
        for number in range(decision.launch):
            name = f"i-{len(self.applied)}-{number}"
            self.instances[name] = InstanceView(name, Phase.STARTING, self.farm.farm.now_s())
        for name in decision.retire:
            self.instances[name] = replace(self.instances[name], phase=Phase.RETIRING)
        return Applied(pool, "intent", decision.launch, decision.retire)

    def boot(self) -> list[str]:
        """The workers of all instances that are starting join."""
        workers: list[str] = []
        for name, one in self.instances.items():
            if not one.worker:
                worker = self.farm.join(name, pool="cloud", slots=1)
                self.instances[name] = replace(one, phase=Phase.RUNNING, worker=worker)
                workers.append(worker)
        return workers


class Scaled:
    """A farm with one worker of two slots at home, and a pool that grows."""

    def __init__(self, data: Path, **pool: Any) -> None:
        cloud = AwsPool(**{"region": "eu-west-1", "workers_max": 8, "deadline_margin_tasks": 0.0} | pool)
        sections = {"pools": {"cloud": cloud}, "rules": ({"name": "open", "allow": ["cloud"]},)}
        self.farm = LooseFarm(data, sections=sections)
        self.desk = Desk(self.farm)
        services = self.farm.services
        self.scaler = Scaler(self.farm.farm, services.forecaster, services.surveyor, self.desk)
        self.home = self.farm.join("home", slots=2)

    def submit(self, frames: int, *, due_h: float | None = None, **more: Any) -> int:
        """A job whose frames are known to take ten minutes."""
        if due_h is not None:
            due = datetime.fromtimestamp(self.farm.farm.now_s() + due_h * 3600, UTC)
            more["deadline"] = due.isoformat()
        out = str(self.farm.settings.server.data / "out.####.png")
        job = self.farm.submit(**{"renderer": "kernel", "frames": f"1-{frames}", "output": out} | more)
        with self.farm.store.read() as session:
            facts = facts_of(session.get_one(Job, job))
        for _frame in range(60):
            self.farm.services.estimator.note(facts, "render", 1, FRAME_S, 1.0)
        return job

    def decide(self) -> Scaling:
        """Forecast, and decide once."""
        self.farm.run(self.farm.services.forecaster.run())
        return self.farm.run(self.scaler.run()).scalings[0]

    def plan(self) -> dict[str, Any]:
        return self.farm.run(self.scaler.plan())

    def why(self, job: int) -> dict[str, Any]:
        return self.farm.run(self.farm.services.explainer.why_job(job))


@pytest.fixture
def scaled(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scaled]:
    """A farm whose pool has the settings of the test's parameter."""
    made = Scaled(tmp_path, **request.param)
    yield made
    made.farm.close()


demand = pytest.mark.parametrize("scaled", [{"autoscale": "demand"}], indirect=True)
deadline = pytest.mark.parametrize("scaled", [{"autoscale": "deadline"}], indirect=True)


@demand
def test_ready_tasks_beyond_the_free_slots_at_home_are_the_pools_demand(scaled: Scaled) -> None:
    scaled.submit(5)

    assert scaled.decide().launch == 3
    assert scaled.decide().launch == 0
    assert [one.launch for one in scaled.desk.applied] == [3]


@demand
def test_work_that_its_offer_does_not_fit_is_no_demand(scaled: Scaled) -> None:
    scaled.decide()
    scaled.submit(5, requires={"memory_gib": 64})

    assert scaled.decide().launch == 0


@pytest.mark.parametrize(
    "scaled", [{"autoscale": "demand"}, {"autoscale": "demand", "renderers": ("maya",)}], indirect=True
)
def test_a_machine_has_a_licensed_renderer_only_where_its_pool_says_so(scaled: Scaled, tmp_path: Path) -> None:
    scene = tmp_path / "shot.ma"
    scene.write_text('//Maya ASCII 2024 scene\nrequires maya "2024";\n')
    scaled.decide()
    scaled.submit(5, renderer="maya", scene=str(scene), pools=["cloud"])
    says_so = scaled.farm.settings.pools["cloud"].renderers == ("maya",)

    assert (scaled.decide().launch > 0) is says_so


@demand
def test_an_empty_pool_that_can_grow_can_take_a_job(scaled: Scaled) -> None:
    scaled.decide()
    job = scaled.submit(1, pools=["cloud"])
    scaled.decide()

    told = scaled.why(job)

    assert told["placeable"]
    cloud = next(pool for pool in told["route"]["pools"] if pool["pool"] == "cloud")
    assert cloud["reason"] == REASON_LAUNCH


@demand
def test_idle_workers_go_after_a_while_and_busy_ones_stay(scaled: Scaled) -> None:
    scaled.submit(4)
    scaled.decide()
    first, second = scaled.desk.boot()
    (lease,) = scaled.farm.sync(first, want=1).leases
    for _task in range(3):
        for worker in (second, scaled.home):
            for found in scaled.farm.sync(worker, want=2).leases:
                scaled.farm.deliver(worker, found)
    assert scaled.decide().retire == ()
    scaled.farm.clock.advance(301)
    scaled.farm.sync(first, running=[])
    scaled.farm.sync(second)

    retired = scaled.decide().retire

    assert [scaled.desk.instances[name].worker for name in retired] == [second]
    assert lease.task in scaled.farm.farm.live.leases


@demand
def test_a_show_without_money_is_no_demand(scaled: Scaled) -> None:
    settings = scaled.farm.farm.settings
    budgets = {"Alpha": BudgetSettings(usd=0.0)}
    scaled.farm.farm.settings = settings.model_copy(update={"budgets": budgets})
    services = scaled.farm.services
    services.surveyor.take_budgets(scaled.farm.run(services.treasurer.run()))
    scaled.submit(9, tracking={"project": "Alpha"})

    assert scaled.decide().launch == 0
    scaled.submit(5, tracking={"project": "Beta"})
    assert scaled.decide().launch == 5


@deadline
def test_only_what_is_late_at_home_is_rented_for_and_may_use_it(scaled: Scaled) -> None:
    patient = scaled.submit(12, priority=60)
    urgent = scaled.submit(12, due_h=1.0, priority=40)

    found = scaled.decide()

    assert found.launch > 0
    (worker, *_others) = scaled.desk.boot()
    (lease,) = scaled.farm.sync(worker, want=1).leases
    assert int(lease.job) == urgent
    verdicts = {pool["pool"]: pool["reason"] for pool in scaled.why(patient)["route"]["pools"]}
    assert verdicts["cloud"] == REASON_KEPT
    assert scaled.why(patient)["placeable"]


@deadline
def test_a_rented_worker_serves_the_earliest_date_first_whatever_the_ranks_say(scaled: Scaled) -> None:
    scaled.submit(12, due_h=1.2, priority=90)
    urgent = scaled.submit(12, due_h=1.0, priority=40)
    scaled.decide()
    (worker, *_others) = scaled.desk.boot()

    (lease,) = scaled.farm.sync(worker, want=1).leases
    (at_home, *_rest) = scaled.farm.sync(scaled.home, want=1).leases

    assert int(lease.job) == urgent
    assert int(at_home.job) != urgent


@deadline
def test_the_plan_says_what_would_be_done_and_does_nothing(scaled: Scaled) -> None:
    job = scaled.submit(12, due_h=1.0, name="sh010")
    scaled.farm.run(scaled.farm.services.forecaster.run())

    told = scaled.plan()

    (pool,) = told["pools"]
    (cover,) = told["jobs"]
    assert scaled.desk.applied == []
    assert pool["launch"] > 0
    assert pool["usd_per_hour"] == 0.0
    assert pool["usd_per_hour_wanted"] == 0.5 * pool["launch"]
    assert (cover["jobID"], cover["name"], cover["pool"], cover["stage"]) == (
        f"{job:05d}",
        "sh010",
        "cloud",
        "bursting",
    )
    assert "late at home; cloud takes over" in cover["reason"]
    assert scaled.plan() == told


@deadline
def test_a_job_that_is_in_time_at_home_waits_for_home(scaled: Scaled) -> None:
    scaled.submit(4, due_h=30.0)

    assert scaled.decide().launch == 0
    assert scaled.plan()["jobs"] == []


@deadline
def test_a_job_that_fits_nothing_at_home_is_done_where_it_fits(scaled: Scaled) -> None:
    scaled.desk.terms = replace(scaled.desk.terms, machine=replace(OFFER, memory_gib=128.0))
    scaled.decide()
    scaled.submit(3, requires={"memory_gib": 64})

    assert scaled.decide().launch == 3


@pytest.mark.parametrize("scaled", [{"autoscale": "static", "workers_kept": 2}], indirect=True)
def test_static_starts_its_workers_before_there_is_work(scaled: Scaled) -> None:
    assert scaled.decide().launch == 2
    assert scaled.decide().launch == 0


def test_a_pool_of_which_nothing_is_known_is_left_alone(tmp_path: Path) -> None:
    made = Scaled(tmp_path, autoscale="demand")
    services = made.farm.services
    blind = Scaler(made.farm.farm, services.forecaster, services.surveyor)
    made.submit(9)

    told = made.farm.run(blind.plan())

    assert made.farm.run(blind.run()).scalings == ()
    assert told["pools"][0]["wanted"] is None
    assert "has not said yet" in told["pools"][0]["reasons"][0]
    made.farm.close()
