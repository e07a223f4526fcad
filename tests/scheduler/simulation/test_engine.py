"""Replays: every task once, no machine over its slots, the same twice, and the farm's own order."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.protocol.traces import Change, JobLine, MachineSpec, PoolSpec, RequiresSpec, WorkerLine, new_farm
from scheduler.routing.reading_rules import read_book
from scheduler.simulation.engine import simulate
from scheduler.simulation.generating import MonthSpec, generate
from scheduler.simulation.options import Options
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.planner import Variant
from scheduler.simulation.reporting import report
from scheduler.simulation.traces import Trace
from scheduler.simulation.variants import read_ordering
from scheduler.simulation.workload import Workload, prepare

RECORD = Options(record_leases=True)
ONE = WorkerLine(worker="w")


def job(name: str, *seconds: float, **more: Any) -> JobLine:
    return JobLine(job=name, seconds=(seconds,), frame_count=len(seconds), **{"submitted_s": 0.0} | more)


def run(
    jobs: list[JobLine],
    workers: list[WorkerLine] | None = None,
    *,
    policy: str = "default",
    options: Options = RECORD,
    pools: tuple[PoolSpec, ...] = (),
    rules: str = "",
    origin: str | None = None,
) -> Outcome:
    nodes = [ONE] if workers is None else workers
    trace = Trace(new_farm(pools, origin=origin), tuple(nodes), tuple(jobs))
    book = read_book(rules, "toml", 1) if rules else None
    return simulate(prepare(trace), Variant("v", read_ordering(policy), book), options)


def ends(outcome: Outcome) -> dict[str, float | None]:
    return {found.job: found.ended_s for found in outcome.jobs}


def check_books(work: Workload, outcome: Outcome) -> None:
    """Nothing is lost and nothing is made up."""
    done = Counter((lease.job, lease.step, lease.seq) for lease in outcome.leases)
    everything = {
        (one.line.job, step, seq)
        for one in work.jobs
        for step, made in enumerate(one.steps)
        for seq in range(len(made.seconds))
    }
    assert set(done) == everything
    assert outcome.tasks_done == len(everything)
    spent = sum(found.slot_s for found in outcome.jobs)
    assert sum(pool.busy_slot_s for pool in outcome.pools) == pytest.approx(spent)
    assert all(found.status == "SUCCEEDED" for found in outcome.jobs)


# ---- One thing at a time ---------------------------------------------------------------------------------------------


def test_priority_then_age() -> None:
    outcome = run([job("a", 10, 10), job("b", 5, priority=60), job("c", 5, submitted_s=1)])

    assert [(lease.job, lease.at_s) for lease in outcome.leases] == [("b", 0), ("a", 5), ("a", 15), ("c", 25)]
    assert ends(outcome) == {"b": 5, "a": 25, "c": 30}


def test_a_raised_priority_counts_from_then_on() -> None:
    raised = job("b", 10, 10, changes=(Change(at_s=15, priority=90),))

    assert [lease.job for lease in run([job("a", 10, 10, 10), raised]).leases] == ["a", "a", "b", "b", "a"]


def test_a_held_job_waits_until_it_is_let_go() -> None:
    held = job("a", 10, changes=(Change(at_s=0, hold=True), Change(at_s=40, hold=False)))

    assert ends(run([held, job("b", 10)])) == {"a": 50, "b": 10}


def test_dependencies_are_waited_for() -> None:
    assert ends(run([job("a", 10), job("b", 10, priority=90, depends_on=("a",))])) == {"a": 10, "b": 20}


def test_a_canceled_job_frees_its_slot() -> None:
    outcome = run([job("a", 100, 100, canceled_s=30.0), job("b", 10)])

    assert ends(outcome) == {"a": 30, "b": 40}
    assert [found.status for found in outcome.jobs] == ["CANCELED", "SUCCEEDED"]
    assert outcome.jobs[0].wasted_s == 30


def test_a_faster_machine_takes_less_time() -> None:
    assert ends(run([job("a", 10)], [WorkerLine(worker="w", machine=MachineSpec(rating=2.0))])) == {"a": 5}


def test_a_worker_that_leaves_loses_its_work() -> None:
    workers = [WorkerLine(worker="w", left_s=6), WorkerLine(worker="v", joined_s=20)]
    outcome = run([job("a", 10)], workers)

    assert ends(outcome) == {"a": 30}
    assert [(lease.worker, lease.attempt) for lease in outcome.leases] == [("w", 1), ("v", 2)]
    assert outcome.jobs[0].wasted_s == 6


def test_memory_and_gpus_bound_what_a_machine_takes() -> None:
    machine = MachineSpec(slots=4, memory_gib=10, gpus=1)
    heavy = job("a", 10, 10, 10, requires=RequiresSpec(memory_gib=5))
    outcome = run([heavy, job("b", 10, 10, requires=RequiresSpec(gpus=1))], [WorkerLine(worker="w", machine=machine)])

    assert [(lease.job, lease.at_s) for lease in outcome.leases] == [
        ("a", 0), ("a", 0), ("b", 0), ("a", 10), ("b", 10),
    ]  # fmt: skip


def test_what_fits_nowhere_stays_and_the_replay_ends() -> None:
    outcome = run([job("a", 10, requires=RequiresSpec(gpus=1)), job("b", 10)])

    assert [found.status for found in outcome.jobs] == ["WAITING", "SUCCEEDED"]


def test_merges_come_after_their_parts_and_before_other_parts() -> None:
    tiled = JobLine(
        job="a", submitted_s=0, seconds=((1.0,) * 8, (1.0, 1.0)), frame_count=2, tiles=(2, 2)
    )  # fmt: skip
    outcome = run([tiled])

    assert [(lease.step, lease.seq) for lease in outcome.leases] == [
        *[(0, seq) for seq in range(4)], (1, 0), *[(0, seq) for seq in range(4, 8)], (1, 1),
    ]  # fmt: skip


def test_failures_are_tried_again_and_then_fail_the_job() -> None:
    jobs = [job(f"{number:03d}", *[10.0] * 10) for number in range(30)]
    outcome = run(jobs, options=Options(failure_rate=0.3, seed=3, record_leases=True))
    statuses = Counter(found.status for found in outcome.jobs)

    assert statuses["SUCCEEDED"] > 0
    assert statuses["FAILED"] > 0
    assert max(lease.attempt for lease in outcome.leases) == 3
    assert sum(found.wasted_s for found in outcome.jobs) > 0


# ---- Pools and rules -------------------------------------------------------------------------------------------------

CLOUD = PoolSpec(
    "cloud", backend="aws", price_usd_per_hour=6, workers_max=3, boot_s=60, idle_s=120, machine=MachineSpec()
)


def test_without_a_rule_nothing_leaves_the_house() -> None:
    outcome = run([job("a", *[100.0] * 10)], pools=(CLOUD,))

    assert (outcome.ended_s, outcome.usd) == (1000, 0)


def test_a_cloud_pool_boots_works_and_goes() -> None:
    outcome = run([job("a", *[100.0] * 10)], pools=(CLOUD,), rules='[[rules]]\nname = "open"\nallow = ["cloud"]\n')
    cloud = outcome.pools[1]

    assert outcome.ended_s == 360
    assert cloud.workers_peak == 3
    # From the launch on; two have nothing to do from 260 s, the last one from 360 s, and each goes 120 s later.
    assert cloud.worker_s == 380 + 380 + 480
    assert outcome.usd == pytest.approx(1240 / 3600 * 6)
    assert outcome.jobs[0].usd == pytest.approx(700 / 3600 * 6)


def test_a_night_rule_holds_work_back_until_the_night() -> None:
    rules = '[[rules]]\nname = "by day"\nwhen = "now.hour < 20"\nforbid = ["*"]\n'
    outcome = run([job("a", 10)], rules=rules, origin="2026-01-05T12:00:00+00:00")

    assert outcome.jobs[0].started_s == pytest.approx(8 * 3600, abs=900)


def test_a_cap_bounds_the_slots_of_a_project() -> None:
    rules = (
        '[[rules]]\nname = "two"\nwhen = \'job.project == "A"\'\ncap = [{pool = "onprem", slots = 2}]\n'
    )  # fmt: skip
    nodes = [WorkerLine(worker="w", count=4)]
    outcome = run([job("a", *[10.0] * 6, project="A"), job("b", *[10.0] * 4, project="B")], nodes, rules=rules)

    assert ends(outcome) == {"a": 30, "b": 20}


# ---- Whole months ----------------------------------------------------------------------------------------------------


def test_every_task_once_and_no_machine_over_its_slots() -> None:
    work = prepare(generate(MonthSpec(days=6, seed=3, workers=8, slots=3)))
    outcome = simulate(work, Variant("v", read_ordering("shares.Alpha=2,shares.Beta=1")), RECORD)
    check_books(work, outcome)
    times = {
        (one.line.job, step, seq): seconds
        for one in work.jobs
        for step, made in enumerate(one.steps)
        for seq, seconds in enumerate(made.seconds)
    }
    moves: list[tuple[float, int, str]] = []
    for lease in outcome.leases:
        ended_s = lease.at_s + times[lease.job, lease.step, lease.seq]
        moves += [(lease.at_s, 1, lease.worker), (ended_s, -1, lease.worker)]
    held: Counter[str] = Counter()
    for _at_s, change, worker in sorted(moves):
        held[worker] += change
        assert held[worker] <= 3


small_jobs = st.lists(
    st.tuples(st.floats(0, 50), st.lists(st.floats(0, 20), min_size=1, max_size=4), st.integers(0, 100), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(small_jobs, st.integers(1, 3), st.integers(1, 3), st.sampled_from(["default", "edf", "priority", "shares.A=1"]))
def test_the_books_balance(drawn: list[Any], nodes: int, slots: int, policy: str) -> None:
    lines = [
        job(str(i), *seconds, submitted_s=at, priority=priority, project="AB"[shared], deadline_s=at + 9)
        for i, (at, seconds, priority, shared) in enumerate(drawn)
    ]
    lines.sort(key=lambda line: line.submitted_s)
    trace = Trace(new_farm(()), (WorkerLine(worker="w", count=nodes, machine=MachineSpec(slots=slots)),), tuple(lines))
    work = prepare(trace)

    check_books(work, simulate(work, Variant("v", read_ordering(policy)), RECORD))


@pytest.mark.parametrize("policy", ["default", "edf", "shares.Alpha=1,shares.Beta=1"])
def test_the_same_seed_gives_the_same_bytes(policy: str) -> None:
    def told() -> str:
        work = prepare(generate(MonthSpec(days=5, seed=11, workers=6, cloud_workers=3)))
        rules = read_book('[[rules]]\nname = "open"\nallow = ["cloud"]\n', "toml", 1)
        variant = Variant(policy, read_ordering(policy), rules)
        return json.dumps(report(work, [simulate(work, variant, Options(failure_rate=0.05, seed=5))]))

    assert told() == told()


def test_one_show_is_leased_in_plain_priority_order() -> None:
    work = prepare(generate(MonthSpec(shows=1, days=14, seed=5, workers=8, deadlines=0)))
    formula, plain = (simulate(work, Variant(name, read_ordering(name))) for name in ("default", "priority"))

    assert formula.started == plain.started
    assert len(formula.started) > 50


def test_with_deadlines_too_no_lower_priority_goes_before_a_higher() -> None:
    """Deadlines order equals only: whatever was ready with a higher priority has gone first."""
    work = prepare(generate(MonthSpec(shows=1, days=10, seed=6, workers=4)))
    outcome = simulate(work, Variant("v"), Options(plan_interval_s=1.0, record_leases=True))
    lines = {one.line.job: one.line for one in work.jobs}
    finished = {found.job: found.ended_s or 0.0 for found in outcome.jobs}
    last = {lease.job: lease.at_s for lease in outcome.leases}
    unsplit = {name for name, line in lines.items() if line.tiles is None and not line.changes}
    first: dict[str, float] = {}
    for lease in outcome.leases:
        first.setdefault(lease.job, lease.at_s)
    for higher in unsplit:
        for lower in unsplit:
            waits = lines[higher].submitted_s < first[lower] < last[higher]
            assert not (waits and lines[higher].priority > lines[lower].priority), (higher, lower)
    assert finished


def test_shares_spare_the_later_show() -> None:
    work = prepare(generate(MonthSpec(days=30, seed=1, workers=12)))
    missed: dict[str, dict[str, int]] = {}
    for policy in ("edf", "shares.Alpha=1,shares.Beta=1"):
        outcome = simulate(work, Variant(policy, read_ordering(policy)))
        missed[policy] = dict(Counter(found.project for found in outcome.jobs if found.missed))

    naive, shared = missed.values()
    assert shared["Beta"] < 0.85 * naive["Beta"]
