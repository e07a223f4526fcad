"""Money in the add-ons: sums as artists write them, and what a job would cost, in words."""

from __future__ import annotations

import pytest
from outfield_core.costs import cost_lines, may_be_capped, usd_of
from outfield_core.errors import Refused
from outfield_core.payload import Wish, body_of

from scheduler.protocol.submission import NewJob

TRIAL = {
    "cost": {
        "usd": {"low": 1.4, "likely": 2.1, "high": 3.2},
        "spent_usd": 0.0,
        "cost_cap_usd": None,
        "tasks": 200,
        "machine_hours": 8.36,
        "pools": [
            {"pool": "aws", "tasks": 120.0, "machine_hours": 5.25, "usd": 2.1},
            {"pool": "onprem", "tasks": 80.0, "machine_hours": 3.1, "usd": 0.0},
        ],
        "note": "",
    }
}


@pytest.mark.parametrize(
    ("said", "usd"),
    [("", None), (None, None), ("  ", None), ("5", 5.0), ("2,50", 2.5), ("$3", 3.0), ("0", 0.0), (0, 0.0), (1.5, 1.5),
     ("4 usd", 4.0)],
)  # fmt: skip
def test_a_sum_as_people_write_it(said, usd):
    assert usd_of(said) == usd


@pytest.mark.parametrize("said", ["five", "-1", "1e12", "nan", "inf", "1.000,00", -0.5])
def test_what_is_no_sum_is_refused_with_a_hint(said):
    with pytest.raises(Refused) as refused:
        usd_of(said)
    assert refused.value.code == "bad_cost_cap" and "2.50" in refused.value.hint


def test_a_cap_is_sent_only_where_it_was_set():
    assert "cost_cap_usd" not in body_of(Wish("x"))
    assert body_of(Wish("x", cost_cap_usd=0.0))["cost_cap_usd"] == 0.0
    assert NewJob.model_validate(body_of(Wish("x", cost_cap_usd=2.5))).cost_cap_usd == 2.5


def test_the_field_is_hidden_where_the_farm_does_not_know_it():
    new, old = {"job": NewJob.model_json_schema()}, {"job": {"properties": {"priority": {}}}}

    assert may_be_capped(new, "") and may_be_capped(None, "") and may_be_capped(old, "5")
    assert not may_be_capped(old, "")


def test_tasks_money_and_places():
    assert cost_lines(TRIAL) == [
        "Tasks: 200, machine time: 8.4 h",
        "Costs about 2.10 USD (1.40 to 3.20)",
        "Tasks by pool: aws 120, onprem 80",
    ]


def told(**cost):
    return cost_lines({"cost": {**TRIAL["cost"], **cost}})


def test_what_is_free_what_is_unknown_and_what_is_capped():
    free = told(usd={"low": 0.0, "likely": 0.0, "high": 0.0}, pools=[{"pool": "onprem", "tasks": 200.0}])
    unknown = told(usd=None, machine_hours=None, note="the price of pool aws is not known yet", pools=[])
    capped = told(
        usd={"low": 1.0, "likely": 1.0, "high": 1.0}, pools=[], note="without its cost cap it would cost more"
    )

    assert free[1:] == ["Costs nothing"]
    assert unknown == ["Tasks: 200", "Cost not known: the price of pool aws is not known yet"]
    assert capped[1:] == ["Costs about 1.00 USD", "Without its cost cap it would cost more"]


def test_an_older_farm_that_says_nothing_of_money_gets_no_lines():
    assert cost_lines({}) == []
    assert cost_lines({"estimate": {"finish": None}}) == []


def test_little_money_and_little_time():
    small = {"low": 0.0001, "likely": 0.0004, "high": 0.0016}
    assert told(usd=small, machine_hours=0.001, tasks=3)[:2] == [
        "Tasks: 3, machine time: 4 s",
        "Costs less than 0.01 USD",
    ]
    assert told(machine_hours=0.2)[0] == "Tasks: 200, machine time: 12 min"
    assert told(machine_hours=45.4)[0] == "Tasks: 200, machine time: 45 h"
