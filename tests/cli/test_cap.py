"""`cap`, and money in `estimate` and `why`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_rest import JOB, FakeRest
from typer.testing import Result

from scheduler.cli.estimates import cost_fields, money

Run = Callable[..., Result]

COST: dict[str, Any] = {
    "usd": {"low": 1.4, "likely": 2.1, "high": 3.2},
    "spent_usd": 0.6,
    "cost_cap_usd": 5.0,
    "tasks": 200,
    "machine_hours": 8.35,
    "pools": [{"pool": "aws", "tasks": 120.0, "machine_hours": 5.25, "usd": 1.5}],
    "note": "",
}


def test_a_cap_is_set_and_taken_away(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /jobs/7/cost_cap"] = JOB

    assert on("cap", "7", "2.5").exit_code == 0
    assert fake.seen[-1].json == {"cost_cap_usd": 2.5}
    assert on("cap", "7", "--none").exit_code == 0
    assert fake.seen[-1].json == {"cost_cap_usd": None}


@pytest.mark.parametrize("words", [("7",), ("7", "2", "--none"), ("7", "much")])
def test_a_cap_that_says_nothing_or_too_much_is_refused(on: Run, fake: FakeRest, words: tuple[str, ...]) -> None:
    assert on("cap", *words).exit_code == 2
    assert not fake.seen


def test_what_a_job_costs_and_where() -> None:
    assert dict(cost_fields(COST)) == {
        "cost": "2.10 USD (1.40 to 3.20 USD), 0.60 USD of it spent",
        "cost cap": "5.00 USD",
        "where": ["aws: 120 tasks, 5.25 machine-hours, 1.50 USD"],
        "note": None,
    }


def test_what_is_not_known_is_no_number() -> None:
    share = {"pool": "aws", "tasks": 120.0, "machine_hours": None, "usd": None}
    told = dict(cost_fields(COST | {"usd": None, "cost_cap_usd": None, "pools": [share], "note": "no price"}))

    assert told == {"cost": "not known", "cost cap": None, "where": ["aws: 120 tasks"], "note": "no price"}
    assert cost_fields({}) == []
    assert [money(usd) for usd in (0.0, 0.0123, 12.0)] == ["0.00 USD", "0.012 USD", "12.00 USD"]


def test_one_number_where_that_is_all() -> None:
    free = COST | {"usd": {"low": 0.0, "likely": 0.0, "high": 0.0}, "spent_usd": 0.0}

    assert dict(cost_fields(free))["cost"] == "0.00 USD"
