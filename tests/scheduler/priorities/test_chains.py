"""From what a job refers to, to entities, and from entities to wishes, with nothing but a cache."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.tracking import Entity
from scheduler.priorities.chains import CHAIN_KINDS, Cache, Reference, Want, resolve
from scheduler.priorities.mapping import FieldMapping, explain, wish_of
from scheduler.settings import ShotGridSettings

MAPPING = FieldMapping.of(ShotGridSettings())


def link(kind: str, number: int) -> dict[str, Any]:
    return {"type": kind, "id": number}


ALPHA = Entity("Project", 1, "Alpha", {"sg_priority": 10})
SEQUENCE = Entity("Sequence", 2, "sq01", {"project": link("Project", 1), "sg_priority": 30})
SHOT = Entity("Shot", 3, "sh010", {"project": link("Project", 1), "sg_sequence": link("Sequence", 2)})
TASK = Entity("Task", 4, "light", {"entity": link("Shot", 3), "project": link("Project", 1)})


def reference(**tracking: Any) -> Reference:
    found = Reference.of(tracking)
    assert found is not None
    return found


def test_a_task_leads_to_its_project() -> None:
    chain = resolve(reference(task_id=4), Cache([ALPHA, SEQUENCE, SHOT, TASK]))

    assert set(chain.entities) == {"Task", "Shot", "Sequence", "Project"}
    assert chain.wants == ()
    assert wish_of(MAPPING, chain, 0.0).source == "Sequence.sg_priority"


def test_names_lead_there_too_whatever_their_case() -> None:
    cache = Cache([ALPHA, SEQUENCE, SHOT, TASK])

    by_name = resolve(reference(project="ALPHA", shot=" SH010", task="Light"), cache)

    assert by_name.entities == resolve(reference(task_id=4), cache).entities


def test_the_same_name_in_another_project_is_another_shot() -> None:
    beta = Entity("Project", 11, "Beta")
    other = Entity("Shot", 13, "sh010", {"project": link("Project", 11)})

    chain = resolve(reference(project="Beta", shot="sh010"), Cache([ALPHA, SHOT, beta, other]))

    assert chain.entities["Shot"].id == 13


def test_what_is_not_cached_is_wanted() -> None:
    assert resolve(reference(task_id=4), Cache()).wants == (Want("Task", 4),)
    assert resolve(reference(task_id=4), Cache([TASK])).wants == (Want("Shot", 3), Want("Project", 1))
    chain = resolve(reference(project="Alpha", shot="sh999"), Cache([ALPHA]))
    assert chain.wants == (Want("Shot", None, "sh999", ("Project", 1)),)
    assert chain.notes == ("no Shot 'sh999' in Project Alpha is known from ShotGrid",)


@pytest.mark.parametrize("tracking", [{}, {"shot": "sh010"}, {"task_id": 0}, {"task_id": -1}, {"task_id": 2**60}])
def test_some_references_name_nothing(tracking: dict[str, Any]) -> None:
    assert Reference.of(tracking) is None


def test_a_deleted_task_loses_the_wish_and_says_so() -> None:
    gone = Entity("Task", 4, "light", TASK.fields, gone=True)

    wish = wish_of(MAPPING, resolve(reference(task_id=4), Cache([ALPHA, SEQUENCE, SHOT, gone])), 0.0)

    assert (wish.priority, wish.gone) == (None, True)
    assert wish.source == "Task 4 (light) is not there any more in ShotGrid"


def test_an_archived_project_loses_the_wish_of_all_its_jobs() -> None:
    archived = Entity("Project", 1, "Alpha", {"archived": True, "sg_priority": 99}, gone=True)
    cache = Cache([archived, SEQUENCE, SHOT, TASK])

    for said in (reference(task_id=4), reference(project="Alpha", shot="sh010"), reference(project="Alpha")):
        wish = wish_of(MAPPING, resolve(said, cache), 0.0)
        assert (wish.priority, wish.gone, wish.source) == (None, True, "Project 1 (Alpha) was archived in ShotGrid")


def test_a_deleted_shot_of_a_living_task_is_passed_over() -> None:
    gone = Entity("Shot", 3, "sh010", SHOT.fields, gone=True)

    chain = resolve(reference(task_id=4), Cache([ALPHA, SEQUENCE, gone, TASK]))

    assert set(chain.entities) == {"Task", "Project"}
    assert wish_of(MAPPING, chain, 0.0).priority == 10
    assert "Shot 3 is not there any more in ShotGrid" in explain(wish_of(MAPPING, chain, 0.0))


def test_a_living_shot_goes_before_a_deleted_one_of_its_name() -> None:
    gone = Entity("Shot", 30, "sh010", {"project": link("Project", 1)}, gone=True)

    assert resolve(reference(project="Alpha", shot="sh010"), Cache([ALPHA, gone, SHOT])).entities["Shot"].id == 3


def test_the_newest_version_of_the_task_speaks() -> None:
    mine = Entity("Version", 20, "v1", {"sg_task": link("Task", 4), "sg_review_date": "2026-12-01"})
    newer = Entity("Version", 21, "v2", {"sg_task": link("Task", 4), "sg_review_date": "2026-12-02"})
    others = Entity("Version", 22, "v3", {"entity": link("Shot", 3), "sg_review_date": "2026-12-09"})
    cache = Cache([ALPHA, SHOT, TASK, SEQUENCE, mine, newer, others])

    assert resolve(reference(task_id=4), cache).entities["Version"].name == "v2"
    cache.drop(("Version", 21))
    assert resolve(reference(task_id=4), cache).entities["Version"].name == "v1"
    cache.drop(("Version", 20))
    assert resolve(reference(task_id=4), cache).entities["Version"].name == "v3"


LINKS = st.none() | st.builds(link, st.sampled_from([*CHAIN_KINDS, "Episode"]), st.integers(1, 6)) | st.text(max_size=3)
ENTITIES = st.builds(
    Entity,
    st.sampled_from(CHAIN_KINDS),
    st.integers(1, 6),
    st.sampled_from(["Alpha", "sh010", "light", ""]),
    st.fixed_dictionaries(
        {"project": LINKS, "entity": LINKS, "sg_sequence": LINKS, "sg_status_list": st.text(max_size=3)}
    ),
    st.booleans(),
)
REFERENCES = st.builds(
    Reference,
    st.none() | st.integers(1, 6),
    st.sampled_from(["Alpha", "Beta"]),
    st.none() | st.just("sq"),
    st.none() | st.just("sh010"),
    st.none() | st.just("light"),
)


@given(found=st.lists(ENTITIES, max_size=12), said=REFERENCES)
def test_any_web_of_links_ends_in_one_wish(found: list[Entity], said: Reference) -> None:
    cache = Cache(found)

    chain = resolve(said, cache)
    wish = wish_of(MAPPING, chain, 0.0)

    assert wish.gone == (chain.lost is not None)
    assert not any(entity.gone for entity in chain.entities.values())
    assert resolve(said, cache.copy()) == chain


@given(found=st.lists(ENTITIES, max_size=12), more=st.lists(ENTITIES, max_size=6), said=REFERENCES)
def test_a_cache_that_was_changed_is_as_one_made_anew(found: list[Entity], more: list[Entity], said: Reference) -> None:
    cache = Cache(found)
    for entity in more:
        cache.put(entity)

    assert resolve(said, cache) == resolve(said, Cache(cache.entities.values()))
