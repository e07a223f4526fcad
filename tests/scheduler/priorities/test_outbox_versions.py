"""A finished job becomes exactly one Version, however often anything dies, and says what the job was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fake_shotgrid import field
from hypothesis import given, settings
from hypothesis import strategies as st
from outbox_desk import FARM_ID, Desk, Killed, outbox_desk

from scheduler.imaging.facts import Verdict

CALLS = 7
"""Calls of a Version with everything: Task, schema, search, create, thumbnail, movie; one for luck."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with outbox_desk(tmp_path) as desk:
        yield desk


def test_a_finished_job_is_one_version(desk: Desk) -> None:
    job = desk.finished(name="sh010_light_v012")

    assert desk.deliver().sent == 1
    (version,) = desk.fake.rows("Version")
    assert (version["code"], version["sg_status_list"]) == ("sh010_light_v012", "rev")
    assert (version["project"]["id"], version["entity"]["id"]) == (desk.alpha["id"], desk.shot["id"])
    assert version["sg_task"]["id"] == desk.task["id"]
    assert (version["sg_first_frame"], version["sg_last_frame"]) == (1, 3)
    assert (version["frame_range"], version["frame_count"]) == ("1-3", 3)
    assert version["sg_path_to_frames"].endswith("####.png")
    assert Path(version["sg_path_to_movie"]).read_bytes() == b"movie of 3"
    assert f"[outfield version:{FARM_ID}:{job}]" in version["description"]
    assert "core-hours" in version["description"]
    uploads = [(upload.field, upload.data[:9]) for upload in desk.fake.site.uploads.values()]
    assert uploads == [("image", b"thumbnail"), ("sg_uploaded_movie", b"movie of ")]
    assert desk.pictures.asked[-1] == ("movie", 3, 25.0, 1920)


def test_nothing_is_sent_twice(desk: Desk) -> None:
    desk.finished()
    desk.deliver()
    asked = len(desk.fake.requests)

    assert desk.deliver().sent == 0
    assert len(desk.fake.requests) == asked
    assert desk.statuses() == [("version", "SENT")]


@pytest.mark.parametrize("call", range(1, CALLS + 1))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_death_beside_any_call_leaves_one_whole_version(desk: Desk, when: str, call: int) -> None:
    desk.finished()
    desk.new_courier(**{when: call})
    if call < CALLS:
        with pytest.raises(Killed):
            desk.deliver()

    desk.restart()
    desk.deliver()

    (version,) = desk.fake.rows("Version")
    assert len(desk.fake.calls("create")) == 1
    assert desk.statuses() == [("version", "SENT")]
    assert (version["frame_count"], version["sg_status_list"]) == (3, "rev")
    assert version["image"] and version["sg_uploaded_movie"]


@settings(max_examples=6)
@given(st.lists(st.tuples(st.sampled_from(["before", "after"]), st.integers(1, CALLS)), max_size=6))
def test_it_may_die_again_and_again(deaths: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder, outbox_desk(Path(folder)) as desk:
        desk.finished()
        for when, call in deaths:
            desk.restart(**{when: call})
            with suppress(Killed):
                desk.deliver()
        desk.restart()
        desk.deliver()

        assert len(desk.fake.rows("Version")) == len(desk.fake.calls("create")) == 1
        assert desk.statuses() == [("version", "SENT")]
        assert {upload.field for upload in desk.fake.site.uploads.values()} == {"image", "sg_uploaded_movie"}


@pytest.mark.parametrize("method", ["read", "schema_field_read", "create", "/upload/publish_thumbnail"])
def test_an_answer_that_is_lost_is_asked_for_again_and_makes_nothing_twice(desk: Desk, method: str) -> None:
    desk.finished()
    desk.fake.drop_answer(3, method=method)
    for _ in range(5):
        desk.deliver()
        desk.farm.clock.advance(600.0)

    assert len(desk.fake.rows("Version")) == 1
    assert desk.statuses() == [("version", "SENT")]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_site_is_left_alone_for_a_while(desk: Desk, status: int) -> None:
    desk.finished()
    desk.fake.fail(status, times=1, method="create", headers={"Retry-After": "60"})

    assert desk.deliver().postponed == 1
    (message,) = desk.messages()
    assert (message.status, message.tries) == ("PENDING", 1)
    assert str(status) in message.error
    assert len(desk.fake.calls("create")) == 1, "what may have been carried out is not sent again blindly"
    asked = len(desk.fake.requests)
    desk.deliver()
    assert len(desk.fake.requests) == asked
    desk.farm.clock.advance(61.0)
    assert desk.deliver().sent == 1
    assert len(desk.fake.rows("Version")) == 1


def test_a_site_that_is_away_costs_one_question_a_round_and_keeps_the_order(desk: Desk) -> None:
    names = [f"job {number}" for number in range(3)]
    for name in names:
        desk.finished(name=name)
    desk.fake.down = True
    for minute in range(60):
        before = len(desk.fake.requests)
        assert desk.deliver().postponed <= 1
        assert len(desk.fake.requests) - before <= 3, minute
        desk.farm.clock.advance(60.0)
    assert max(message.tries for message in desk.messages()) < 20, "the pauses grow"
    desk.fake.heal()
    desk.farm.clock.advance(600.0)

    assert desk.deliver().sent == 3
    assert sorted(row["code"] for row in desk.fake.rows("Version")) == names


def test_a_job_that_succeeds_again_updates_its_version(desk: Desk) -> None:
    job = desk.finished()
    desk.deliver()
    (version,) = desk.fake.rows("Version")
    link = {"type": "Version", "id": version["id"]}
    desk.fake.change(link, sg_status_list="apr", description="as the director likes it", frame_count=0)

    desk.finish(job)
    assert desk.statuses() == [("version", "PENDING")]
    assert desk.deliver().sent == 1

    (again,) = desk.fake.rows("Version")
    assert (again["id"], again["frame_count"]) == (version["id"], 3)
    assert (again["sg_status_list"], again["description"]) == ("apr", "as the director likes it")
    assert len(desk.fake.calls("create")) == 1


def test_a_persons_version_of_the_same_name_is_left_alone(desk: Desk) -> None:
    theirs = desk.fake.add("Version", code="sh010_light", project=desk.alpha, description="by hand")
    desk.finished(name="sh010_light")
    desk.finished(name="sh010_light")

    assert desk.deliver().sent == 2
    assert len(desk.fake.rows("Version")) == 3
    assert desk.fake.entity("Version", theirs["id"])["description"] == "by hand"


def test_the_site_refuses_one_and_the_others_go_on(desk: Desk) -> None:
    refused = desk.finished(tracking={"project": "Omega"})
    desk.finished()

    done = desk.deliver()

    assert (done.refused, done.sent) == (1, 1)
    message = desk.messages()[0]
    assert (message.job_id, message.status) == (refused, "REFUSED")
    assert message.error == "There is no project 'Omega' in ShotGrid, or it is archived."


def test_the_sites_own_words_are_shown(desk: Desk) -> None:
    desk.fake.site.schema["Version"]["sg_cut_order"] = field("number", mandatory=True)
    desk.finished()

    assert desk.deliver().refused == 1
    assert "sg_cut_order is required" in desk.messages()[0].error


def test_a_wrong_key_is_nobodys_fault_but_the_sites_owner(desk: Desk) -> None:
    desk.finished()
    desk.fake.api_key = "another"

    assert desk.deliver().postponed == 1
    assert desk.messages()[0].status == "PENDING"
    desk.fake.api_key = "k3y-that-must-stay-secret"
    desk.farm.clock.advance(600.0)
    assert desk.deliver().sent == 1


@pytest.mark.parametrize("name", ["frame_range", "sg_path_to_movie", "image", "sg_uploaded_movie", "sg_task"])
def test_a_field_that_the_site_does_not_have_costs_no_version(desk: Desk, name: str) -> None:
    del desk.fake.site.schema["Version"][name]
    desk.finished()

    assert desk.deliver().sent == 1
    assert len(desk.fake.rows("Version")) == 1
    assert name not in desk.fake.rows("Version")[0]


def test_a_field_that_goes_while_the_farm_runs_costs_no_version(desk: Desk) -> None:
    desk.finished()
    desk.deliver()
    del desk.fake.site.schema["Version"]["frame_range"]
    desk.finished()

    assert desk.deliver().sent == 1
    assert "frame_range" in desk.messages()[1].error
    assert len(desk.fake.rows("Version")) == 2


def test_a_status_that_the_site_does_not_allow_is_left_out(tmp_path: Path) -> None:
    with outbox_desk(tmp_path, version_status="nope") as desk:
        desk.finished()

        assert desk.deliver().sent == 1
        assert desk.fake.rows("Version")[0]["sg_status_list"] == "na"
        assert "'nope'" in desk.messages()[0].error


def test_costs_go_into_the_studios_own_fields(tmp_path: Path) -> None:
    with outbox_desk(
        tmp_path, extra={"core_hours": "sg_core_hours", "cost_usd": "sg_cost_usd", "job": "sg_none"}
    ) as desk:
        desk.fake.site.schema["Version"]["sg_core_hours"] = field("float")
        desk.prices = {"onprem": 4 * 3600.0 * 10}  # ten dollars for a second of one of its four slots
        desk.new_courier()
        desk.finished()

        assert desk.deliver().sent == 1
        version = desk.fake.rows("Version")[0]
        assert version["sg_cost_usd"] == pytest.approx(30.0)
        assert version["sg_core_hours"] == pytest.approx(3 * 2 / 3600, abs=0.001)
        assert "30.00 USD" in version["description"]


def test_a_key_field_of_the_studios_own_finds_a_version_without_description(tmp_path: Path) -> None:
    with outbox_desk(tmp_path, extra={"key": "sg_farm_key"}) as desk:
        desk.fake.site.schema["Version"]["sg_farm_key"] = field("text")
        desk.finished()
        desk.new_courier(after=4)
        with pytest.raises(Killed):
            desk.deliver()
        (version,) = desk.fake.rows("Version")
        desk.fake.change({"type": "Version", "id": version["id"]}, description="rewritten", code="renamed")
        desk.restart()

        assert desk.deliver().sent == 1
        assert len(desk.fake.rows("Version")) == 1


def test_without_a_movie_there_is_a_version_with_a_note(desk: Desk) -> None:
    desk.pictures.verdict = Verdict(False, None, "unsupported", "Movies need PyAV, which is not installed.")
    desk.finished()

    assert desk.deliver().sent == 1
    assert desk.fake.rows("Version")[0]["sg_path_to_movie"] is None
    assert desk.fake.site.uploads == {}
    assert "PyAV" in desk.messages()[0].error


def test_a_still_has_no_movie(desk: Desk) -> None:
    desk.finished(frames="7")

    assert desk.deliver().sent == 1
    assert [upload.field for upload in desk.fake.site.uploads.values()] == ["image"]
    assert desk.fake.rows("Version")[0]["frame_range"] == "7"


def test_a_job_without_frames_has_a_version_too(desk: Desk) -> None:
    desk.finished(renderer="null", frames="1-5x2")

    assert desk.deliver().sent == 1
    assert desk.fake.rows("Version")[0]["frame_range"] == "1-5x2"


@pytest.mark.parametrize("tracking", [{}, {"shot": "sh010"}])
def test_a_job_that_names_no_project_is_not_told_of(desk: Desk, tracking: dict[str, str]) -> None:
    desk.finished(tracking=tracking)

    assert desk.messages() == []


def test_a_deleted_version_is_not_made_again(desk: Desk) -> None:
    job = desk.finished()
    desk.deliver()
    (version,) = desk.fake.rows("Version")
    desk.fake.retire({"type": "Version", "id": version["id"]})
    desk.finish(job)

    assert desk.deliver().refused == 1
    assert desk.fake.rows("Version") == []
