"""Budgets over HTTP: what running and ended attempts have cost, by project and period."""

from __future__ import annotations

import pytest
from api_client import ServedFarm
from sqlmodel import func, select

from scheduler.settings import AwsPool, BudgetSettings
from scheduler.store.tables import Attempt, Job, Task, Worker
from scheduler.store.transaction import Transaction

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@pytest.fixture
def rented(served: ServedFarm) -> ServedFarm:
    """A farm with a pool that costs 2 USD an hour and a worker of it with four slots."""
    served.farm.settings = served.settings.model_copy(
        update={
            "pools": {"aws": AwsPool(region="eu-west-1", price_usd_per_hour=2.0)},
            "budgets": {
                "farm": BudgetSettings(usd=10.0, period="month"),
                "Alpha": BudgetSettings(usd=1.0, period="day", at_cap="drain"),
            },
        }
    )
    hired(served, "cloud", "aws", slots=4)
    hired(served, "home", "onprem", slots=1)
    served.clock.advance(10.5 * DAY_S)
    return served


def hired(farm: ServedFarm, name: str, pool: str, *, slots: int) -> None:
    worker = Worker(id=name, name=name, pool=pool, status="ACTIVE", slots=slots, capabilities={"vcpus": 8},
                    registered_at=0.0, last_seen=0.0)  # fmt: skip
    farm.store.write(lambda tx: tx.session.add(worker))


def attempted(
    farm: ServedFarm, job: str, worker: str, *, status: str = "SUCCEEDED", began_s: float, ended_s: float | None,
    seconds: float | None = None,
) -> None:  # fmt: skip
    """An attempt of the job's first task; times are seconds before now."""
    now_s = farm.farm.now_s()

    def change(tx: Transaction) -> None:
        task = tx.session.exec(select(func.min(Task.id)).where(Task.job_id == int(job))).one()
        number = tx.session.exec(select(func.count()).select_from(Attempt)).one() + 1
        ended_at = None if ended_s is None else now_s - ended_s
        tx.session.add(Attempt(task_id=task, attempt=number, worker=worker, status=status, leased_at=now_s - began_s,
                               ended_at=ended_at, seconds=seconds))  # fmt: skip

    farm.store.write(change)


def of_project(farm: ServedFarm, project: str) -> str:
    job = farm.post_job(renderer="null", tracking={"project": project})
    farm.store.write(lambda tx: setattr(tx.session.get_one(Job, int(job)), "project", project))
    return job


def budgets(farm: ServedFarm) -> dict[str, dict[str, object]]:
    return {budget["budget"]: budget for budget in farm.data("GET", "/budgets")}


def test_without_budgets_there_is_nothing_to_say(served: ServedFarm) -> None:
    assert served.data("GET", "/budgets") == []


def test_what_is_spent_is_the_slots_share_of_the_price(rented: ServedFarm) -> None:
    alpha, beta = of_project(rented, "Alpha"), of_project(rented, "Beta")
    attempted(rented, alpha, "cloud", began_s=HOUR_S, ended_s=0.0, seconds=HOUR_S)
    attempted(rented, beta, "cloud", status="FAILED", began_s=2 * HOUR_S, ended_s=0.0)
    attempted(rented, alpha, "home", began_s=HOUR_S, ended_s=0.0, seconds=HOUR_S)

    found = budgets(rented)

    assert found["farm"]["spent_usd"] == pytest.approx(1.5)
    assert found["farm"]["retries_usd"] == pytest.approx(1.0)
    assert found["farm"]["left_usd"] == pytest.approx(8.5)
    assert found["farm"]["core_hours"] == pytest.approx(6.0)
    assert found["farm"]["by_pool_usd"] == {"aws": pytest.approx(1.5)}
    assert (found["Alpha"]["spent_usd"], found["Alpha"]["left_usd"]) == (pytest.approx(0.5), pytest.approx(0.5))
    assert (found["Alpha"]["project"], found["farm"]["project"]) == ("Alpha", None)


def test_running_work_is_spent_already(rented: ServedFarm) -> None:
    alpha = of_project(rented, "Alpha")
    attempted(rented, alpha, "cloud", status="LEASED", began_s=0.0, ended_s=None)
    rented.clock.advance(2 * HOUR_S)

    assert budgets(rented)["Alpha"]["spent_usd"] == pytest.approx(1.0)


def test_only_this_period_counts(rented: ServedFarm) -> None:
    alpha = of_project(rented, "Alpha")
    rented.clock.advance(13 * HOUR_S)  # an hour after midnight
    attempted(rented, alpha, "cloud", began_s=5 * HOUR_S, ended_s=0.0)
    attempted(rented, alpha, "cloud", began_s=3 * DAY_S, ended_s=2 * DAY_S)

    found = budgets(rented)

    assert found["Alpha"]["spent_usd"] == pytest.approx(0.5)
    assert found["farm"]["spent_usd"] == pytest.approx(2.5 + 12.0)
    assert found["farm"]["left_usd"] == 0.0
    assert (found["Alpha"]["period_starts_at"], found["Alpha"]["period_ends_at"]) == (
        "2026-01-12T00:00:00.000Z",
        "2026-01-13T00:00:00.000Z",
    )


def test_a_worker_that_is_forgotten_costs_nothing_more(rented: ServedFarm) -> None:
    attempted(rented, of_project(rented, "Alpha"), "gone", began_s=HOUR_S, ended_s=0.0)

    assert budgets(rented)["farm"]["spent_usd"] == 0.0
