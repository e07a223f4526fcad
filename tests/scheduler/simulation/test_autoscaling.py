"""Replays with rented workers: the farm's policies on a virtual farm, losses by seed, units, budgets; and the bound."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.domain.scaling import Policy
from scheduler.protocol.traces import JobLine, MachineSpec, PoolSpec, WorkerLine, new_farm
from scheduler.routing.reading_rules import read_book
from scheduler.simulation.engine import simulate
from scheduler.simulation.generating import MonthSpec, generate
from scheduler.simulation.hindsight import least_rent, least_rent_of, most_at_home
from scheduler.simulation.options import Options
from scheduler.simulation.outcome import Outcome, PoolOutcome
from scheduler.simulation.planner import Variant
from scheduler.simulation.reporting import report
from scheduler.simulation.traces import Trace
from scheduler.simulation.workload import Workload, prepare

HOUR_S = 3600.0
COARSE_S = 300.0
"""Time between plans where thousands of them would only take time."""

OPEN = read_book('[[rules]]\nname = "open"\nallow = ["cloud"]\n', "toml", 1)
CLOUD = PoolSpec(
    "cloud",
    price_usd_per_hour=1.0,
    workers_max=10,
    boot_s=60.0,
    idle_s=120.0,
    machine=MachineSpec(),
    autoscale="demand",
)


def job(name: str, tasks: int, seconds: float = 600.0, **more: Any) -> JobLine:
    return JobLine(job=name, seconds=((seconds,) * tasks,), frame_count=tasks, **{"submitted_s": 0.0} | more)


def work_of(*jobs: JobLine, nodes: int = 2, budget_usd: float | None = None, **pool: Any) -> Workload:
    import msgspec

    farm = new_farm((msgspec.structs.replace(CLOUD, **pool),))
    farm = msgspec.structs.replace(farm, budget_usd=budget_usd)
    workers = (WorkerLine(worker="node", count=nodes),) if nodes else ()
    return prepare(Trace(farm, workers, jobs))


def run(work: Workload, policy: str, **options: Any) -> Outcome:
    return simulate(work, Variant(policy, book=OPEN, autoscale=Policy(policy)), Options(**options))


def cloud(outcome: Outcome) -> PoolOutcome:
    return next(pool for pool in outcome.pools if pool.pool == "cloud")


def test_none_rents_nothing_and_demand_does_all_at_once():
    work = work_of(job("a", 20))

    none, demand = run(work, "none"), run(work, "demand")

    assert (cloud(none).launched, none.usd, none.jobs[0].ended_s) == (0, 0.0, 10 * 600.0)
    assert cloud(demand).launched == 10
    assert demand.jobs[0].ended_s == pytest.approx(1200 + 60, abs=5)


def test_deadline_rents_only_what_home_cannot_do_and_only_for_that_job():
    urgent = job("urgent", 24, deadline_s=3 * HOUR_S, priority=40)
    patient = job("patient", 60, priority=60)
    work = work_of(patient, urgent)

    none, deadline, demand = (run(work, name, plan_interval_s=60.0) for name in ("none", "deadline", "demand"))

    assert [found.missed for found in none.jobs] == [False, True]
    assert not any(found.missed for found in (*deadline.jobs, *demand.jobs))
    # Home works on `patient` for five hours; `urgent` is four hours of work.
    assert deadline.usd < 0.5 * demand.usd
    assert cloud(deadline).busy_slot_s <= 24 * 600.0
    assert deadline.jobs[0].usd == 0.0


def test_deadline_rents_nothing_where_home_is_in_time():
    work = work_of(job("a", 12, deadline_s=20 * HOUR_S))

    assert cloud(run(work, "deadline")).launched == 0


def test_what_may_only_run_in_a_pool_that_is_kept_is_done_there():
    work = work_of(job("a", 5), nodes=0)

    outcome = run(work, "deadline")

    assert outcome.jobs[0].status == "SUCCEEDED"
    assert cloud(outcome).launched == 5


def test_idle_workers_go_before_the_next_unit_and_units_are_paid_whole():
    hourly = run(work_of(job("a", 20), billing_s=HOUR_S), "demand")
    by_second = run(work_of(job("a", 20)), "demand")

    assert hourly.usd == pytest.approx(10.0)
    assert by_second.usd < hourly.usd / 2
    assert cloud(hourly).worker_s < 10 * HOUR_S


def test_twostate_and_static_keep_their_numbers():
    work = work_of(job("a", 20), job("b", 1, submitted_s=5 * HOUR_S))

    twostate, static = run(work, "twostate"), run(work, "static")

    assert cloud(twostate).workers_peak == cloud(static).workers_peak == 10
    assert cloud(static).worker_s == pytest.approx(10 * static.ended_s, rel=0.02)
    assert 5 * HOUR_S < cloud(twostate).worker_s < cloud(static).worker_s


def test_lost_workers_are_replaced_and_their_work_is_done_again():
    work = work_of(*(job(f"j{n}", 20, 1800.0, submitted_s=n * 7200.0) for n in range(5)), loss_per_hour=0.5)

    first, again, other = run(work, "demand", seed=1), run(work, "demand", seed=1), run(work, "demand", seed=2)

    assert cloud(first).lost > 3
    assert all(found.status == "SUCCEEDED" for found in first.jobs)
    assert sum(found.wasted_s for found in first.jobs) > 0
    assert first == again
    assert cloud(other).lost != cloud(first).lost or other.usd != first.usd


@settings(max_examples=25)
@given(
    st.sampled_from(["static", "twostate", "demand", "deadline"]),
    st.floats(0, 60),
    st.integers(0, 3),
    st.sampled_from([1.0, HOUR_S]),
)
def test_a_budget_is_never_overdrawn(policy: str, budget_usd: float, seed: int, billing_s: float) -> None:
    lines = [job(f"j{n}", 12, 900.0, submitted_s=n * HOUR_S, deadline_s=(n + 2) * HOUR_S) for n in range(4)]
    work = work_of(*lines, budget_usd=budget_usd, billing_s=billing_s, life_s=2 * HOUR_S, loss_per_hour=0.2)

    assert run(work, policy, seed=seed, plan_interval_s=COARSE_S).usd <= budget_usd + 1e-6


def test_the_life_of_a_worker_has_an_end():
    outcome = run(work_of(job("a", 40, 1000.0), nodes=0, life_s=1500.0), "demand")

    assert outcome.jobs[0].status == "SUCCEEDED"
    assert cloud(outcome).launched > 10
    assert cloud(outcome).lost == 0


# ---- The bound -------------------------------------------------------------------------------------------------------


def test_home_does_the_earliest_date_first_and_gives_up_at_the_date():
    assert most_at_home([(0, 10, 8)], [(0, 1)]) == 8
    assert most_at_home([(0, 10, 18)], [(0, 1)]) == 10
    assert most_at_home([(0, 10, 8), (0, 10, 8)], [(0, 1)]) == 10
    assert most_at_home([(0, 10, 8), (5, 20, 8)], [(0, 1)]) == 16
    assert most_at_home([(5, 10, 8)], [(0, 1), (8, 3)]) == 8
    assert most_at_home([(0, 10, 8)], []) == 0


moments = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12), st.integers(1, 9)), max_size=6).map(
    lambda rows: [(start, start + long, need) for start, long, need in rows]
)


@given(moments, st.integers(0, 3))
def test_it_is_a_maximum_matching(rows: list[tuple[int, int, int]], power: int) -> None:
    """Against augmenting paths over whole moments, of which `power` are matched in each second."""
    wanted = [(start, due) for start, due, need in rows for _unit in range(need)]
    taken: dict[tuple[int, int], int] = {}

    def augment(unit: int, seen: set[tuple[int, int]]) -> bool:
        start, due = wanted[unit]
        for place in ((at, lane) for at in range(start, due) for lane in range(power)):
            if place not in seen:
                seen.add(place)
                if place not in taken or augment(taken[place], seen):
                    taken[place] = unit
                    return True
        return False

    most = sum(augment(unit, set()) for unit in range(len(wanted)))

    assert most_at_home([(float(a), float(b), float(c)) for a, b, c in rows], [(0.0, float(power))]) == pytest.approx(
        most
    )


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30), st.integers(1, 24)), min_size=1, max_size=8),
    st.sampled_from(["static", "twostate", "demand", "deadline"]),
    st.integers(0, 2),
    st.sampled_from([0.0, 0.3]),
)
def test_no_run_costs_less_than_the_bound_for_what_it_met(drawn: Any, policy: str, nodes: int, loss: float) -> None:
    lines = sorted(
        (
            job(f"{n}", tasks, 900.0, submitted_s=at * 1800.0, deadline_s=(at + due) * 1800.0, priority=40 + n)
            for n, (at, due, tasks) in enumerate(drawn)
        ),
        key=lambda line: line.submitted_s,
    )
    work = work_of(*lines, nodes=nodes, loss_per_hour=loss)
    outcome = run(work, policy, plan_interval_s=COARSE_S)

    assert outcome.usd >= least_rent_of(work, outcome).usd - 1e-6


# ---- A quarter, small ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def season() -> tuple[Workload, dict[str, Outcome]]:
    """Four weeks of a small studio under every policy."""
    spec = MonthSpec(days=28, seed=3, workers=8, load=0.7, cloud_workers=24, clash_days=3)
    work = prepare(generate(spec))
    return work, {name: run(work, name) for name in ("none", "twostate", "demand", "deadline")}


def missed(outcome: Outcome) -> int:
    return sum(found.missed for found in outcome.jobs)


def test_deadline_misses_hardly_more_than_demand_for_much_less(season: tuple[Workload, dict[str, Outcome]]) -> None:
    _work, found = season

    assert missed(found["none"]) > 4 * max(1, missed(found["deadline"]))
    assert missed(found["deadline"]) <= missed(found["demand"]) + 2
    assert found["deadline"].usd < 0.6 * found["demand"].usd < 0.6 * found["twostate"].usd


def test_hindsight_costs_less_than_every_policy(season: tuple[Workload, dict[str, Outcome]]) -> None:
    work, found = season
    everything = least_rent(work, lambda _job: True).usd

    assert 0 < least_rent_of(work, found["deadline"]).usd <= everything
    for name in ("demand", "deadline", "twostate"):
        assert found[name].usd > least_rent_of(work, found[name]).usd


def test_the_same_seed_gives_the_same_bytes(season: tuple[Workload, dict[str, Outcome]]) -> None:
    work, found = season

    assert json.dumps(report(work, [run(work, "deadline")])) == json.dumps(report(work, [found["deadline"]]))
