"""What values of a tracker mean: tiers, numbers, nothing; dates; statuses. Nothing that people write breaks it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.tracking import (
    Entity,
    FieldRef,
    Wish,
    first_deadline,
    first_priority,
    holding_status,
    moment_of,
    next_review,
    number_of,
    status_points,
    tracked,
)

TIERS = {"1_Tier": 90, "2_Tier": 60, "High": 80, "7": 70}
TASK, SHOT = FieldRef("Task", "sg_priority_1"), FieldRef("Shot", "sg_priority")
EVENING_S = 18 * 3600.0

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def entities(**values: Any) -> dict[str, Entity]:
    return {
        kind: Entity(kind, 1, kind, {"sg_priority_1": value, "sg_priority": value}) for kind, value in values.items()
    }


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1_Tier", 90),
        (" 1_tier ", 90),
        ("HIGH", 80),
        (75, 75),
        (75.4, 75.4),
        ("75", 75),
        ("7", 70),
        ("-3", -3),
        ("Urgent", None),
        ("٧", None),
        ("1e3", None),
        ("0x10", None),
        (True, None),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
        ({"type": "X", "id": 1}, None),
        (["High"], None),
    ],
)
def test_numbers_of_values(value: Any, number: float | None) -> None:
    assert number_of(value, TIERS) == number


def test_the_first_field_with_a_value_counts() -> None:
    assert first_priority([TASK, SHOT], entities(Task=None, Shot="2_Tier"), TIERS) == (60, "Shot.sg_priority", [])
    assert first_priority([TASK, SHOT], entities(Task="", Shot=5), TIERS)[0] == 5
    assert first_priority([TASK, SHOT], entities(Task=0, Shot=5), TIERS)[:2] == (0, "Task.sg_priority_1")
    assert first_priority([TASK, SHOT], {}, TIERS) == (None, None, [])


def test_an_unknown_value_is_told_and_passed_over() -> None:
    number, source, notes = first_priority([TASK, SHOT], entities(Task="Urgent", Shot="High"), TIERS)

    assert (number, source) == (80, "Shot.sg_priority")
    assert notes == [
        "Task.sg_priority_1 is 'Urgent', which stands for no priority: name it in shotgrid.priority.values"
    ]


@pytest.mark.parametrize(("value", "number"), [(150, 100), (-5, 0), ("1000", 100)])
def test_out_of_range_is_bent_with_a_note(value: Any, number: int) -> None:
    found, _source, notes = first_priority([TASK], entities(Task=value), TIERS)

    assert found == number
    assert notes == [f"Task.sg_priority_1 is {value!r}; a priority lies between 0 and 100"]


@given(task=JSON, shot=JSON)
def test_whatever_stands_there_gives_a_priority_or_none(task: Any, shot: Any) -> None:
    number, source, notes = first_priority([TASK, SHOT], entities(Task=task, Shot=shot), TIERS)

    assert (number is None) == (source is None)
    assert number is None or (isinstance(number, int) and 0 <= number <= 100)
    assert all(len(note) < 250 for note in notes)


@given(value=JSON)
def test_whatever_stands_there_gives_a_moment_or_none(value: Any) -> None:
    moment = moment_of(value, EVENING_S)

    assert moment is None or math.isfinite(moment)


@given(day=st.dates(), hour=st.integers(0, 23), minute=st.integers(0, 59))
def test_a_date_ends_at_the_time_that_is_set(day: Any, hour: int, minute: int) -> None:
    expected = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC).timestamp()

    assert moment_of(day.isoformat(), hour * 3600.0 + minute * 60.0) == expected
    assert moment_of(f"{day.isoformat()}T{hour:02}:{minute:02}:00Z", 0.0) == expected


@given(priority=st.none() | st.integers(0, 100), boost=st.integers(-200, 200), own=st.integers(0, 100))
def test_points_for_a_status_stay_in_bounds(priority: int | None, boost: int, own: int) -> None:
    kept = tracked(Wish(priority=priority, source="x" if priority is not None else None, boost=boost), own)

    if boost == 0:
        assert kept.priority == priority
    else:
        base = own if priority is None else priority
        assert kept.priority == min(100, max(0, base + boost))


def test_dates() -> None:
    field = FieldRef("Task", "due_date")
    task = {"Task": Entity("Task", 1, "", {"due_date": "2026-12-01"})}

    found, source, notes = first_deadline([field], task, EVENING_S)

    assert (found, source, notes) == (datetime(2026, 12, 1, 18, tzinfo=UTC).timestamp(), "Task.due_date", [])
    nonsense = {"Task": Entity("Task", 1, "", {"due_date": "next week"})}
    assert first_deadline([field], nonsense, 0.0) == (None, None, ["Task.due_date is 'next week', which is no date"])
    assert moment_of("2026-12-01T18:00:00+02:00", 0.0) == datetime(2026, 12, 1, 16, tzinfo=UTC).timestamp()
    assert moment_of("2026-02-30", 0.0) is None


def test_statuses_hold_and_raise() -> None:
    refs = [FieldRef("Task", "sg_status_list"), FieldRef("Shot", "sg_status_list")]
    both = {
        "Task": Entity("Task", 1, "", {"sg_status_list": "ip"}),
        "Shot": Entity("Shot", 2, "", {"sg_status_list": "hld"}),
    }

    assert holding_status(refs, both, ("hld", "omt")) == ("hld", "Shot.sg_status_list")
    assert holding_status(refs, both, ("omt",)) == (None, None)
    assert status_points(refs, both, {"ip": 5, "hld": -10}) == (-10, "Shot.sg_status_list hld")


def test_the_next_review_is_the_one_still_to_come() -> None:
    assert next_review([(50.0, "old"), (300.0, "later"), (200.0, "next")], 100.0) == (200.0, "review next")
    assert next_review([(50.0, "old")], 100.0) == (None, None)
