"""What holds for every policy of autoscaling, whatever the farm looks like."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st
from rented import HOUR_S, NOW_S, instance, late, pool, waiting

from scheduler.domain.renting import LEAD_S, paid_left_s
from scheduler.domain.resizing import decide
from scheduler.domain.scaling import Ground, InstanceView, Phase, Policy, PoolView

instances = st.lists(
    st.builds(
        lambda phase, age_s, idle: (phase, age_s, age_s * idle if idle is not None else None),
        st.sampled_from(list(Phase)),
        st.floats(0, 20_000),
        st.none() | st.floats(0, 1),
    ),
    max_size=8,
).map(
    lambda rows: tuple(
        instance(f"i{n}", phase, age_s=age_s, idle_s=idle_s if phase is Phase.RUNNING else None)
        for n, (phase, age_s, idle_s) in enumerate(rows)
    )
)
moments = st.none() | st.floats(0, 2000).map(lambda ago_s: NOW_S - ago_s)


def pools(policies: list[Policy], name: str = "cloud"):
    return st.builds(
        PoolView,
        st.just(name),
        st.sampled_from(policies),
        instances,
        slots=st.integers(1, 4),
        power=st.floats(0.2, 4),
        price_usd_per_hour=st.floats(0, 3),
        workers_min=st.integers(0, 3),
        workers_max=st.integers(0, 12),
        size=st.none() | st.integers(0, 15),
        boot_s=st.floats(0, 900),
        billing_s=st.sampled_from([1.0, 60.0, 3600.0]),
        loss_per_hour=st.sampled_from([0.0, 0.05, 0.6]),
        idle_s=st.floats(1, 900),
        haste=st.floats(0, 1),
        margin_tasks=st.floats(0, 30),
        grace_s=st.floats(0, 9000),
        budget_usd=st.none() | st.floats(0, 20),
        reserve_usd=st.floats(0.5, 5),
        grown_at_s=moments,
        shrunk_at_s=moments,
        used_at_s=moments,
    )


jobs = st.builds(
    lambda tasks, task_s, open_to, home, due, over: (
        late(1, tasks, late_h=over, in_h=due, task_s=task_s, pools=open_to, home=home)
        if due is not None
        else waiting(1, tasks, task_s, pools=open_to, home=home)
    ),
    st.integers(0, 60),
    st.floats(1, 5000),
    st.sampled_from([("cloud",), ("other",), ("cloud", "other"), ()]),
    st.booleans(),
    st.none() | st.floats(-5, 40),
    st.floats(-5, 20),
)
queues = st.lists(jobs, max_size=6).map(lambda rows: tuple(replace(row, job=n) for n, row in enumerate(rows, 1)))
SCALED = [policy for policy in Policy if policy is not Policy.NONE]


@given(pools(SCALED), pools(SCALED, "other"), queues, st.floats(0, 20), st.none() | st.floats(0, 30))
def test_never_above_the_bound_the_money_or_both_ways_at_once(first, second, work, free, usd):
    decision = decide(Ground(NOW_S, (first, second), work, free, usd))
    spent = 0.0
    for view, scaling in zip((first, second), decision.scalings, strict=True):
        assert scaling.reasons
        assert scaling.launch >= 0
        assert not (scaling.launch and scaling.retire)
        assert len(view.instances) + scaling.launch <= max(view.workers_max, len(view.instances))
        if view.budget_usd is not None:
            assert scaling.launch * view.reserve_usd <= view.budget_usd + 1e-6
        spent += scaling.launch * view.reserve_usd
        if view.shrunk_at_s is not None and NOW_S - view.shrunk_at_s < view.settle_s:
            assert scaling.launch == 0
        if view.grown_at_s is not None and NOW_S - view.grown_at_s < view.settle_s:
            assert scaling.retire == ()
    assert usd is None or spent <= usd + 1e-6


@given(pools(SCALED), queues)
def test_only_what_is_idle_for_long_and_nearly_unpaid_goes_and_never_below_the_minimum(view, work):
    (scaling,) = decide(Ground(NOW_S, (view,), work)).scalings
    by_id = {found.id: found for found in view.instances}
    for name in scaling.retire:
        found = by_id[name]
        assert found.phase is Phase.RUNNING
        assert found.idle_since_s is not None
        assert NOW_S - found.idle_since_s >= view.idle_s
        assert view.billing_s <= LEAD_S or paid_left_s(view, found, NOW_S) <= LEAD_S
    assert view.present - len(scaling.retire) >= min(view.workers_min, view.present, view.workers_max)


@given(pools(SCALED), queues)
def test_without_work_that_may_go_there_nothing_grows_beyond_what_is_always_kept(view, work):
    assume(view.policy in (Policy.DEMAND, Policy.DEADLINE))
    elsewhere = tuple(replace(one, pools=tuple(name for name in one.pools if name != "cloud")) for one in work)

    (scaling,) = decide(Ground(NOW_S, (view,), elsewhere)).scalings

    assert scaling.launch == 0 or view.present + scaling.launch <= max(view.workers_min, view.busy)


@given(pools([Policy.DEMAND, Policy.TWOSTATE, Policy.DEADLINE]), queues, jobs, st.integers(0, 6))
def test_more_work_never_launches_less(view, work, more, place):
    """A job more, wherever it stands; of `deadline`, one that is in time at home changes nothing."""
    assume(view.policy is not Policy.DEADLINE or more.deadline_s is None or more.home_finish_s is None)
    longer = (*work[:place], replace(more, job=99), *work[place:])

    (before,) = decide(Ground(NOW_S, (view,), work)).scalings
    (after,) = decide(Ground(NOW_S, (view,), longer)).scalings

    assert after.launch >= before.launch


@given(pools([Policy.DEADLINE]), jobs, st.floats(0, 10))
def test_the_later_at_home_the_more_is_rented(view, work, more_h):
    assume(work.home_finish_s is not None)
    calm = replace(view, grace_s=1e9)
    later = replace(work, home_finish_s=work.home_finish_s + more_h * HOUR_S, home_high_s=None)

    (before,) = decide(Ground(NOW_S, (calm,), (replace(work, home_high_s=None),))).scalings
    (after,) = decide(Ground(NOW_S, (calm,), (later,))).scalings

    assert after.launch >= before.launch


@given(pools([Policy.STATIC]), queues)
def test_static_keeps_its_number_whatever_the_work(view, work):
    decision = decide(Ground(NOW_S, (view,), work))

    assert decision.wants["cloud"].count == view.full_size
    assert decision == decide(Ground(NOW_S, (view,), ()))


@given(pools(SCALED), pools(SCALED, "other"), queues)
def test_every_job_has_at_most_one_cover_and_the_same_ground_the_same_decision(first, second, work):
    ground = Ground(NOW_S, (first, second), work)
    decision = decide(ground)

    assert len({cover.job for cover in decision.covers}) == len(decision.covers)
    assert decide(ground) == decision
    for cover in decision.covers:
        job = next(one for one in work if one.job == cover.job)
        assert cover.pool in job.pools
        assert cover.work_s <= job.left_s + 1e-6


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=2, max_size=40))
def test_a_pool_that_follows_wavering_demand_does_not_flap(steps):
    """The policy drives a small world: launches boot at once, idle ones age; no change of direction within settle_s."""
    view = pool(Policy.DEMAND, idle_s=30.0, settle_s=120.0)
    alive: dict[str, float] = {}
    changes: list[tuple[float, int]] = []
    for turn, (tasks, busy) in enumerate(steps):
        now_s = NOW_S + 15.0 * turn
        world = tuple(InstanceView(name, Phase.RUNNING, at_s, None if busy else at_s) for name, at_s in alive.items())
        grown = max((at_s for at_s, way in changes if way > 0), default=None)
        shrunk = max((at_s for at_s, way in changes if way < 0), default=None)
        seen = replace(view, instances=world, grown_at_s=grown, shrunk_at_s=shrunk)
        (scaling,) = decide(Ground(now_s, (seen,), (waiting(tasks=tasks),) if tasks else ())).scalings
        alive |= {f"{turn}-{n}": now_s for n in range(scaling.launch)}
        for name in scaling.retire:
            del alive[name]
        if scaling.launch or scaling.retire:
            changes.append((now_s, 1 if scaling.launch else -1))
    for (before_s, before), (after_s, after) in pairwise(changes):
        assert before == after or after_s - before_s >= 120.0
