"""What becomes of messages: order, patience, and a person's word."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.costs import Account
from scheduler.domain.outbox import (
    BACKOFF_FIRST_S,
    StatusMove,
    Waiting,
    backoff_s,
    due,
    marker,
    task_key,
    version_key,
    weigh_status,
)
from scheduler.domain.versions import SiteField, VersionFacts, VersionLinks, frame_range, refreshed, version_fields

waiting = st.lists(
    st.builds(Waiting, id=st.integers(1, 50), job=st.integers(1, 5), next_at=st.floats(0, 100)),
    unique_by=lambda message: message.id,
)
FACTS = VersionFacts(
    job=7, key="version:f:7", code="sh010_v001", name="sh010", farm="outfield", frames="1-3", first=1, last=3, count=3,
    output="/out/a.####.png", account=Account(core_hours=1.25, usd=2.0, retry_core_hours=0.5), movie="/m.mp4",
)  # fmt: skip
LINKS = VersionLinks({"type": "Project", "id": 1}, {"type": "Shot", "id": 2})
SCHEMA = {
    name: SiteField("text")
    for name in (
        "project", "code", "description", "entity", "sg_task", "sg_path_to_frames", "sg_path_to_movie", "frame_range"
    )
} | {name: SiteField("number") for name in ("sg_first_frame", "sg_last_frame", "frame_count")}  # fmt: skip


@given(waiting, st.floats(0, 100))
def test_only_the_first_of_a_job_is_due_and_only_after_its_pause(messages: list[Waiting], now_s: float) -> None:
    chosen = due(messages, now_s)
    by_id = {message.id: message for message in messages}

    assert len({by_id[number].job for number in chosen}) == len(chosen)
    for number in chosen:
        assert by_id[number].next_at <= now_s
        assert not any(other.job == by_id[number].job and other.id < number for other in messages)
    firsts = {message.job: message for message in sorted(messages, key=lambda m: -m.id)}
    assert {by_id[number].job for number in chosen} == {job for job, m in firsts.items() if m.next_at <= now_s}


@given(st.integers(1, 10_000), st.floats(1, 3600))
def test_pauses_grow_up_to_the_longest(tries: int, longest_s: float) -> None:
    assert backoff_s(1, longest_s) == min(BACKOFF_FIRST_S, longest_s)
    assert backoff_s(tries, longest_s) <= backoff_s(tries + 1, longest_s) <= longest_s
    assert backoff_s(100, longest_s) == longest_s


@pytest.mark.parametrize(
    ("found", "expected", "move"),
    [
        ("rev", "ip", StatusMove.DONE),
        ("rev", "rev", StatusMove.DONE),
        ("ip", "ip", StatusMove.WRITE),
        ("ip", None, StatusMove.WRITE),
        ("", "", StatusMove.WRITE),
        ("hld", "ip", StatusMove.CONFLICT),
        ("hld", "", StatusMove.CONFLICT),
        ("", "ip", StatusMove.CONFLICT),
    ],
)
def test_what_a_person_has_put_there_stays(found: str, expected: str | None, move: StatusMove) -> None:
    assert weigh_status(found, "rev", expected) is move


@given(st.text(max_size=3), st.text(max_size=3), st.none() | st.text(max_size=3))
def test_only_what_was_expected_is_ever_overwritten(found: str, wanted: str, expected: str | None) -> None:
    if weigh_status(found, wanted, expected) is StatusMove.WRITE:
        assert expected is None or found == expected


def test_keys_and_markers_tell_jobs_and_farms_apart() -> None:
    keys = {version_key(farm, job) for farm in ("a", "b") for job in (1, 11)} | {task_key("a", 1, 1)}

    assert len(keys) == 5
    assert not any(marker(one) in marker(other) for one in keys for other in keys if one != other)


def test_a_version_says_what_the_job_was() -> None:
    made = version_fields(FACTS, LINKS, SCHEMA, status="rev", extra={}, mark="[mark]")

    assert made.values["frame_range"] == "1-3"
    assert made.values["description"] == (
        "sh010: 3 frames, job 00007 of outfield. 1.250 core-hours, 0.500 of them on attempts without a result; "
        "2.00 USD.\n[mark]"
    )
    assert made.notes == ["The site's Versions have no field sg_status_list."]
    assert set(refreshed(made)).isdisjoint({"code", "description", "project", "entity", "sg_status_list"})


@given(st.sets(st.sampled_from(sorted(SCHEMA))))
def test_nothing_is_written_that_the_site_does_not_have(names: set[str]) -> None:
    schema = {name: SCHEMA[name] for name in names}

    made = version_fields(FACTS, LINKS, schema, status="rev", extra={"job": "sg_job"}, mark="")

    assert set(made.values) <= names
    assert all(any(name in note for note in made.notes) for name in set(SCHEMA) - names - {"sg_task"})


@pytest.mark.parametrize(("data_type", "value"), [("float", 1.25), ("number", 1), ("text", "1.25"), ("currency", 1.25)])
def test_costs_fit_the_studios_field(data_type: str, value: object) -> None:
    schema = {"sg_hours": SiteField(data_type)}
    made = version_fields(FACTS, LINKS, schema, status="", extra={"core_hours": "sg_hours"}, mark="")

    assert made.values == {"sg_hours": value}
    assert type(made.values["sg_hours"]) is type(value)


@pytest.mark.parametrize(
    ("frames", "first", "last", "count", "said"),
    [
        ("1-100", 1, 100, 100, "1-100"),
        ("7", 7, 7, 1, "7"),
        ("1-100:5", 1, 100, 100, "1-100"),
        ("1-9x2", 1, 9, 5, "1-9x2"),
        (",".join(str(2 * n) for n in range(200)), 0, 398, 200, "0-398"),
    ],
)
def test_frame_ranges(frames: str, first: int, last: int, count: int, said: str) -> None:
    assert frame_range(replace(FACTS, frames=frames, first=first, last=last, count=count)) == said
