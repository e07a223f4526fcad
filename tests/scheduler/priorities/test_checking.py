"""The mapping held against the site: what is there, what is not, what is near, which values mean nothing."""

from __future__ import annotations

from typing import Any

import pytest
from fake_shotgrid import FakeShotGrid, field
from tracked_farm import site_settings

from scheduler.priorities.checking import FieldVerdict, Level, examine
from scheduler.priorities.client import Site


def verdicts(fake: FakeShotGrid, *given: str, **shotgrid: Any) -> dict[str, FieldVerdict]:
    settings = site_settings(fake, **shotgrid)
    return {verdict.field: verdict for verdict in examine(Site(settings), settings, given)}


def test_the_defaults_fit_a_site_that_has_one_field_of_each_use(fake: FakeShotGrid) -> None:
    found = verdicts(fake)

    assert found["Task.sg_priority_1"].level is Level.OK
    assert found["Task.sg_priority_1"].found == "list: 1_Tier, 2_Tier, 3_Tier"
    assert (found["Task.sg_priority"].level, found["Task.sg_priority"].found) == (Level.WARN, "is not there")
    assert found["Task.sg_priority"].hint == "The nearest field is Task.sg_priority_1."
    assert Level.FAIL not in {verdict.level for verdict in found.values()}


def test_what_the_studio_has_written_itself_must_be_there(fake: FakeShotGrid) -> None:
    mapping = {"fields": ["Task.sg_priorty_1", "Shott.sg_priority"]}
    found = verdicts(fake, "shotgrid.priority.fields", priority=mapping)

    assert found["Task.sg_priorty_1"].level is Level.FAIL
    assert found["Task.sg_priorty_1"].hint == "The nearest field is Task.sg_priority_1."
    assert found["Shott.sg_priority"].found == "the site has no kind Shott"


def test_a_site_without_any_priority_field_is_a_fault(fake: FakeShotGrid) -> None:
    for fields in fake.site.schema.values():
        fields.pop("sg_priority", None)
        fields.pop("sg_priority_1", None)

    found = verdicts(fake)

    assert {v.level for v in found.values() if v.use == "priority"} == {Level.FAIL}


def test_values_that_are_not_mapped_are_named(fake: FakeShotGrid) -> None:
    fake.site.schema["Task"]["sg_priority_1"] = field("list", valid_values=["1_Tier", "Urgent", "5", "Whenever"])

    found = verdicts(fake)["Task.sg_priority_1"]

    assert (found.level, found.found) == (Level.WARN, "list; not mapped: Urgent, Whenever")


@pytest.mark.parametrize(
    ("mapping", "name", "words"),
    [
        ({"deadline": {"fields": ["Task.content"]}}, "Task.content", "is of type text"),
        ({"priority": {"fields": ["Task.start_date"]}}, "Task.start_date", "is of type date"),
        ({"priority": {"fields": ["sg_priority"]}}, "sg_priority", "is no field"),
        ({"priority": {"fields": ["Task.entity.Shot.sg_priority"]}}, "Task.entity.Shot.sg_priority", "is no field"),
        ({"write": {"extra": {"core_hours": "sg_core_hour"}}}, "Version.sg_core_hour", "is not there"),
        ({"write": {"version_status": "zzz"}}, "Version.sg_status_list", "cannot be 'zzz'"),
    ],
)
def test_what_cannot_serve_is_a_fault(fake: FakeShotGrid, mapping: dict[str, Any], name: str, words: str) -> None:
    found = verdicts(fake, **mapping)[name]

    assert (found.level, found.found) == (Level.FAIL, words)
    assert found.hint


def test_statuses_that_no_job_can_have_are_told(fake: FakeShotGrid) -> None:
    found = verdicts(fake, status={"pause": ["hold", "omt"], "boost": {"ip": 5}})

    assert found["shotgrid.status.pause hold"].level is Level.WARN
    assert found["shotgrid.status.pause hold"].hint == "The nearest status is hld."
    assert "shotgrid.status.pause omt" not in found
    assert "shotgrid.status.boost ip" not in found
