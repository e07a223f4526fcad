"""The ranking formula: its order, its parts, its shares, and what it may cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.ranking import Policy, RankInput, entitlements, parts, rank, urgency

NOW_S = 1e6
PROJECTS = ["", "alpha", "beta", "gamma"]

inputs = st.builds(
    RankInput,
    step=st.integers(1, 50),
    job=st.integers(1, 50),
    priority=st.integers(0, 100),
    submitted_s=st.floats(-1e8, 2e6),
    level=st.integers(0, 40),
    project=st.sampled_from(PROJECTS),
    slack_s=st.none() | st.floats(-1e12, 1e12),
    boost=st.sampled_from([0.0, 0.0, 5.5, 20.0]),
)
queues = st.lists(inputs, max_size=20, unique_by=lambda row: row.step)
policies = st.builds(
    Policy,
    deadline_points=st.floats(0, 100),
    deadline_horizon_s=st.floats(1, 1e6),
    share_points=st.floats(0, 1000),
    shares=st.dictionaries(st.sampled_from(PROJECTS), st.floats(0.01, 100)),
    age_points_per_day=st.floats(0, 10),
    boost_weight=st.floats(0, 10),
)
uses = st.dictionaries(st.sampled_from(PROJECTS), st.floats(0, 1))


@given(queues, policies, uses, st.randoms())
def test_the_order_does_not_depend_on_the_order_they_come_in(rows, policy, use, random):
    ordered = rank(rows, policy, use, NOW_S)
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert rank(shuffled, policy, use, NOW_S) == ordered
    assert sorted(place.step for place in ordered) == sorted(row.step for row in rows)
    keys = [(-place.score, place.job, place.step) for place in ordered]
    assert keys == sorted(keys)


@given(queues, policies, uses)
def test_the_parts_sum_to_the_score(rows, policy, use):
    scores = {place.step: place.score for place in rank(rows, policy, use, NOW_S)}
    projects = {row.project for row in rows}
    for row in rows:
        made_of = parts(row, policy, use, NOW_S, waiting=projects)
        assert sorted(made_of) == ["age", "boost", "deadline", "merge", "priority", "share"]
        assert sum(made_of.values()) == pytest.approx(scores[row.step], abs=1e-9)


@given(queues.filter(bool), policies, uses, st.integers(1, 100), st.data())
def test_raising_a_priority_never_lowers_the_place(rows, policy, use, raised_by, data):
    chosen = data.draw(st.sampled_from(rows))
    raised = [replace(row, priority=row.priority + raised_by) if row is chosen else row for row in rows]
    before = [place.step for place in rank(rows, policy, use, NOW_S)].index(chosen.step)
    after = [place.step for place in rank(raised, policy, use, NOW_S)].index(chosen.step)
    assert after <= before


@given(st.lists(inputs.map(lambda row: replace(row, boost=0.0)), max_size=20, unique_by=lambda row: row.step))
def test_by_default_priority_is_law(rows):
    priority = {row.step: row.priority for row in rows}
    ordered = [priority[place.step] for place in rank(rows, Policy(), {}, NOW_S)]
    assert ordered == sorted(ordered, reverse=True)


@given(queues, uses, st.floats(0.01, 100))
def test_one_show_alone_keeps_its_order_whatever_its_share(rows, use, weight):
    show = [replace(row, project="alpha") for row in rows]
    scores = {place.step: place.score for place in rank(show, Policy(), {}, NOW_S)}
    # To a billionth of a point: a large share leaves a double fewer digits for the age.
    shared = [scores[place.step] for place in rank(show, Policy(shares={"alpha": weight}), use, NOW_S)]
    assert shared == pytest.approx(sorted(shared, reverse=True), abs=1e-9)


def test_equals_go_by_deadline_then_by_age():
    late = RankInput(1, 1, 50, NOW_S, 0, slack_s=-60.0)
    soon = RankInput(2, 2, 50, NOW_S - 3600, 0, slack_s=3600.0)
    older = RankInput(3, 3, 50, NOW_S - 86_400, 0)
    newer = RankInput(4, 4, 50, NOW_S - 60, 0)
    assert [place.step for place in rank([newer, older, soon, late], Policy(), {}, NOW_S)] == [1, 2, 3, 4]


def test_merges_go_before_renders_of_the_same_job():
    rows = [RankInput(1, 1, 50, 0, 0), RankInput(2, 1, 50, 0, 1)]
    assert [place.step for place in rank(rows, Policy(), {}, 0)] == [2, 1]


@given(st.floats(-1e7, 1e7), st.floats(1, 1e7), st.floats(60, 1e6))
def test_urgency_falls_with_the_slack_and_stays_within_its_bounds(slack_s, more_s, horizon_s):
    assert 0.0 < urgency(slack_s + more_s, horizon_s) <= urgency(slack_s, horizon_s) < 1.0


def test_urgency_is_a_half_at_no_slack_and_a_tenth_at_the_horizon():
    assert urgency(0.0, 3600) == 0.5
    assert urgency(3600.0, 3600) == pytest.approx(0.1)
    assert urgency(-3600.0, 3600) == pytest.approx(0.9)
    assert 0.0 < urgency(float("inf"), 3600) < urgency(float("-inf"), 3600) < 1.0


@given(inputs, st.floats(0.01, 1.0), st.floats(0.1, 10))
def test_a_project_without_use_goes_before_an_equal_one_with_use(row, used, weight):
    policy = Policy(shares={"alpha": weight, "beta": weight})
    # The one that has had its turn even has the smaller numbers, which decide ties.
    had = replace(row, step=1, job=1, project="alpha")
    waits = replace(row, step=2, job=1, project="beta")
    assert [place.step for place in rank([had, waits], policy, {"alpha": used}, NOW_S)] == [2, 1]


@given(policies, st.sets(st.sampled_from(PROJECTS)))
def test_the_whole_farm_is_entitled_to_the_listed_projects_that_wait(policy, waiting):
    entitled = entitlements(policy, waiting)
    assert set(entitled) == waiting & set(policy.shares)
    assert not entitled or sum(entitled.values()) == pytest.approx(1.0)


def test_an_unlisted_project_has_no_share():
    step = RankInput(1, 1, 50, NOW_S, 0, project="gamma")
    assert parts(step, Policy(shares={"alpha": 1}), {"gamma": 1.0}, NOW_S, waiting=["alpha"])["share"] == 0.0
