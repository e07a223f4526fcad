"""The shipped examples do what their names say."""

from __future__ import annotations

import pytest
from rule_facts import POOLS, REQUEST, ROOT, at, book, example, facts

from scheduler.routing.machines import Needs
from scheduler.routing.route import Route, RouteRequest, route
from scheduler.routing.rules import RuleBook

ALLOW_ALL = book({"name": "open", "allow": ["*"]}).rules


def chosen(rules: RuleBook, job, request: RouteRequest = REQUEST) -> tuple[str, ...]:
    return route(request, POOLS, rules, job).chosen


def reason(told: Route, pool: str) -> str:
    return next(v.reason for v in told.pools if v.pool == pool)


def test_every_example_is_tested_here():
    names = {path.stem for path in (ROOT / "docs" / "examples" / "rules").iterdir()}
    assert names == {"nda-stays-home", "deadline-burst", "night-time-only", "branch-office-first"}


@pytest.mark.parametrize("job", [{"project": "Secret"}, {"tracking": {"project": "Secret"}}])
def test_nda_stays_home_whatever_others_allow(job):
    rules = RuleBook(1, (*ALLOW_ALL, *example("nda-stays-home").rules))
    told = route(REQUEST, POOLS, rules, facts(**job))
    assert set(told.chosen) == {"onprem", "cluster"}
    assert reason(told, "aws") == "rule 'nda stays home' keeps it in the studio"
    assert reason(told, "branch") == "rule 'nda stays home' keeps it in the studio"
    assert set(chosen(rules, facts(project="Public"))) == {pool.name for pool in POOLS}


def test_deadline_burst_only_when_late_and_allowed():
    rules = example("deadline-burst")
    late, early = {"onprem": -1.0}, {"onprem": 1.0}
    assert chosen(rules, facts(slack_s=late)) == ("onprem", "aws", "gce")
    assert chosen(rules, facts(slack_s=early)) == ("onprem",)
    assert chosen(rules, facts()) == ("onprem",), "without a deadline nothing is late"
    assert chosen(rules, facts(slack_s=late, cloud="never")) == ("onprem",)
    never = RouteRequest(Needs("kernel"), cloud="never")
    assert chosen(rules, facts(slack_s=late, cloud="never"), never) == ("onprem",)
    caps = route(REQUEST, POOLS, rules, facts(slack_s=late)).caps
    assert {(cap.pool, cap.slots) for cap in caps} == {("aws", 64), ("gce", 64)}


def test_deadline_burst_ends_with_the_money():
    from dataclasses import replace

    rules, late = example("deadline-burst"), facts(slack_s={"onprem": -1.0})
    for left, pools in ((0.01, ("onprem", "aws", "gce")), (0.0, ("onprem",)), (-5.0, ("onprem",))):
        told = replace(late, budget={"farm": {"set": True, "usd": 10.0, "left_usd": left}})
        assert chosen(rules, told) == pools


@pytest.mark.parametrize(
    ("utc", "runs"),
    [
        ("2026-06-10T04:59:59+00:00", True),  # 06:59 in Berlin's summer
        ("2026-06-10T05:00:00+00:00", False),
        ("2026-06-10T17:59:00+00:00", False),
        ("2026-06-10T18:00:00+00:00", True),
        ("2026-06-10T21:59:00+00:00", True),
        ("2026-06-10T22:00:00+00:00", True),  # midnight
        ("2026-06-10T22:01:00+00:00", True),
        ("2026-01-14T05:59:00+00:00", True),  # 06:59 in Berlin's winter
        ("2026-01-14T06:00:00+00:00", False),
        ("2026-03-27T05:30:00+00:00", True),  # the Friday before the clocks go forward: 06:30
        ("2026-03-30T05:30:00+00:00", False),  # the Monday after: 07:30
        ("2026-10-23T05:30:00+00:00", False),  # the Friday before they go back: 07:30
        ("2026-10-26T05:30:00+00:00", True),  # the Monday after: 06:30
        ("2026-06-13T10:00:00+00:00", True),  # a Saturday noon
        ("2026-06-14T21:59:00+00:00", True),  # Sunday 23:59
        ("2026-06-14T22:00:00+00:00", True),  # Monday 00:00: the weekend is over, the night is not
        ("2026-06-15T06:00:00+00:00", False),
    ],
)
def test_night_time_only_on_the_studios_clock(utc, runs):
    told = route(REQUEST, POOLS, example("night-time-only"), facts(at(utc), metadata={"night": True}))
    assert (told.chosen == ("onprem",)) is runs
    assert bool(told.reasons) is not runs
    day = route(REQUEST, POOLS, example("night-time-only"), facts(at(utc)))
    assert day.chosen == ("onprem",), "a job that is not marked runs at any time"


def test_the_same_moment_is_night_in_one_studio_and_day_in_another():
    moment = "2026-06-10T12:00:00+00:00"
    rules = example("night-time-only")
    for zone, runs in (("Europe/Berlin", False), ("America/Vancouver", True), ("Asia/Tokyo", True), ("UTC", False)):
        assert bool(chosen(rules, facts(at(moment, zone), metadata={"night": True}))) is runs


def test_branch_office_first():
    rules = example("branch-office-first")
    assert chosen(rules, facts(frames=10)) == ("branch", "onprem")
    assert chosen(rules, facts(frames=501)) == ("onprem",)
    assert chosen(rules, facts(frames=10, requires={"memory_gib": 64})) == ("onprem",)
