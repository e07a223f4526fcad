"""Recent use: it fades, it adds up however often one looks, and it can be had from the past."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.shares import RecentUse, Run, advance, fractions, remembered

HALF_LIFE_S = 3600.0

projects = st.sampled_from(["alpha", "beta", "gamma"])
slots = st.dictionaries(projects, st.floats(0, 1000))


def test_use_halves_with_the_half_life():
    use = advance(RecentUse(0.0, {"alpha": 100.0}), {}, HALF_LIFE_S, HALF_LIFE_S)
    assert use.slot_s == {"alpha": pytest.approx(50.0)}


def test_a_slot_that_is_always_held_settles():
    use = advance(RecentUse(0.0), {"alpha": 1.0}, 100 * HALF_LIFE_S, HALF_LIFE_S)
    assert use.slot_s["alpha"] == pytest.approx(HALF_LIFE_S / 0.6931471805599453)


@given(slots, slots, st.floats(1, 1e5), st.floats(0.01, 0.99))
def test_looking_twice_comes_to_the_same_as_looking_once(before, running, passed_s, part):
    use = RecentUse(0.0, before)
    once = advance(use, running, passed_s, HALF_LIFE_S)
    twice = advance(advance(use, running, passed_s * part, HALF_LIFE_S), running, passed_s, HALF_LIFE_S)
    for project in once.slot_s.keys() | twice.slot_s.keys():
        assert once.slot_s.get(project, 0.0) == pytest.approx(twice.slot_s.get(project, 0.0), rel=1e-6, abs=0.01)


@given(slots.filter(bool), st.floats(0.1, 1e5))
def test_a_restart_remembers_what_a_running_scheduler_knows(running, ran_s):
    runs = [Run(project, 0.0, ran_s) for project, count in running.items() for _ in range(int(count) % 5)]
    whole = {project: float(int(count) % 5) for project, count in running.items()}
    known = advance(RecentUse(0.0), whole, ran_s, HALF_LIFE_S)
    again = remembered(runs, ran_s, HALF_LIFE_S)
    for project in running:
        assert again.slot_s.get(project, 0.0) == pytest.approx(known.slot_s.get(project, 0.0), abs=0.01, rel=1e-6)


def test_a_clock_that_goes_back_changes_nothing():
    use = RecentUse(1000.0, {"alpha": 5.0})
    assert advance(use, {"alpha": 1.0}, 900.0, HALF_LIFE_S) is use


def test_what_has_faded_is_forgotten():
    assert advance(RecentUse(0.0, {"alpha": 1.0}), {}, 1e6, HALF_LIFE_S).slot_s == {}


@given(slots)
def test_fractions_are_parts_of_one(had):
    found = fractions(RecentUse(0.0, had), ["alpha", "beta"])
    assert not found or sum(found.values()) == pytest.approx(1.0)
    assert all(0.0 <= part <= 1.0 for part in found.values())
    assert set(found) in (set(), {"alpha", "beta"})
