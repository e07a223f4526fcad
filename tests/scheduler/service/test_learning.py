"""The estimator: what it takes for a sample, what it remembers, and what it knows after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from farms import LooseFarm
from sqlmodel import select

from scheduler.service.learning import Estimator, JobFacts, facts_of, frames_of, job_facts
from scheduler.settings import EstimateSettings
from scheduler.store.production import FrameTimes
from scheduler.store.tables import Attempt, Job, Worker

FACTS = JobFacts(1, "Alpha", "blender", "sh010.blend")


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LooseFarm]:
    farm = LooseFarm(tmp_path)
    yield farm
    farm.close()


def estimator(samples_max: int = 200) -> Estimator:
    return Estimator(EstimateSettings(samples_max=samples_max))


def test_ratings_and_frames_make_samples_alike() -> None:
    """A chunk of ten on a machine of double power, a tile of sixteen, and a frame by itself: 100 s each."""
    learned = estimator()
    for _ in range(5):
        learned.note(FACTS, "render", 10, 500, 2.0)
        learned.note(FACTS, "render", 1, 100, None)
        learned.note(FACTS, "part", 1 / 16, 6.25, 1.0)

    assert learned.frame_time(FACTS, "render").mid_s == pytest.approx(100, rel=0.02)
    assert learned.frame_time(FACTS, "part").mid_s == pytest.approx(100, rel=0.05)
    assert learned.frame_time(FACTS, "render").basis == "10 frames of this job"


@pytest.mark.parametrize(
    ("facts", "frames", "seconds"),
    [
        (FACTS, 1, None),
        (FACTS, 1, 0.0),
        (FACTS, 1, -3.0),
        (FACTS, 0, 5.0),
        (FACTS, 1, float("inf")),
        (FACTS, 1, float("nan")),
        (JobFacts(1, "", "null", ""), 1, 5.0),
    ],
)
def test_what_is_no_measurement_is_left_out(facts: JobFacts, frames: float, seconds: float | None) -> None:
    learned = estimator()
    learned.note(facts, "render", frames, seconds, 1.0)

    assert learned.frame_time(facts, "render").count == 0


def test_the_chain_from_near_to_far() -> None:
    learned = estimator()
    other_job = JobFacts(2, "Alpha", "blender", "sh010.blend")
    other_scene = JobFacts(3, "Alpha", "blender", "sh020.blend")
    other_show = JobFacts(4, "Beta", "blender", "sh010.blend")
    for _ in range(30):
        learned.note(FACTS, "render", 1, 100, 1.0)

    found = {facts.job: learned.frame_time(facts, "render") for facts in (FACTS, other_job, other_scene, other_show)}

    assert [found[job].basis for job in (1, 2, 3, 4)] == [
        "30 frames of this job",
        "30 frames of this scene",
        "no frame of this scene yet: 30 frames of Alpha with blender",
        "no frame of this scene yet: 30 frames with blender",
    ]
    assert found[1].doubt < found[2].doubt < found[3].doubt <= found[4].doubt
    assert learned.frame_time(FACTS, "merge").count == 0


def test_a_new_version_of_a_scene_is_known() -> None:
    learned = estimator()
    learned.note(job_facts(1, "", "blender", {"path": "/a/sh010_v001.blend"}), "render", 1, 50, 1.0)

    assert learned.frame_time(job_facts(2, "", "blender", {"path": "/a/sh010_v002.blend"}), "render").count == 1
    assert learned.frame_time(job_facts(2, "", "blender", {"path": "/b/sh010_v002.blend"}), "render").basis.startswith(
        "no frame of this scene yet"
    )


def test_uploaded_scenes_are_told_apart_by_their_shot() -> None:
    one, other = (job_facts(1, "", "blender", {"blob": "x", "name": "scene.blend"}, shot) for shot in ("a", "b"))

    assert (one.scene, other.scene) == ("a/scene.blend", "b/scene.blend")
    assert job_facts(1, "", "kernel", {}).scene == ""


@pytest.mark.parametrize(
    ("kind", "frames", "tile", "part", "worth"),
    [
        ("render", "1", None, None, 1.0),
        ("render", "1,2,3", None, None, 3.0),
        ("part", "7", "0,0,4,2", None, 1 / 8),
        ("part", "7", "0,0,4,2", "1,2", 1 / 16),
        ("merge", "7", None, None, 1.0),
    ],
)
def test_what_a_task_is_worth(kind: str, frames: str, tile: str | None, part: str | None, worth: float) -> None:
    assert frames_of(kind, frames, tile, part) == worth


def test_it_is_written_down_in_bulk_and_capped(farm: LooseFarm) -> None:
    learned = estimator(samples_max=10)
    for number in range(25):
        learned.note(FACTS, "render", 1, 100 + number, 1.0)
    learned.note(JobFacts(2, "Beta", "blender", "x"), "render", 1, 7, 1.0)

    assert farm.store.write(lambda tx: learned.flush(tx, 5.0)) == 2
    assert farm.store.write(lambda tx: learned.flush(tx, 6.0)) == 0
    learned.note(FACTS, "render", 1, 200, 1.0)
    assert farm.store.write(lambda tx: learned.flush(tx, 7.0)) == 1

    with farm.store.read() as session:
        rows = {row.project: row for row in session.exec(select(FrameTimes)).all()}
    assert rows["Alpha"].samples == [*range(116, 125), 200]
    assert (rows["Alpha"].count, rows["Alpha"].updated_at) == (26, 7.0)


def test_it_is_known_after_a_restart(farm: LooseFarm) -> None:
    before = estimator()
    for _ in range(20):
        before.note(FACTS, "render", 1, 100, 1.0)
    farm.store.write(lambda tx: before.flush(tx, 5.0))
    after = estimator()

    assert after.load(farm.store) == 1
    assert after.frame_time(JobFacts(9, "Alpha", "blender", "sh010.blend"), "render") == before.frame_time(
        JobFacts(9, "Alpha", "blender", "sh010.blend"), "render"
    )


def test_the_frames_of_a_job_that_goes_on_are_its_own_again(farm: LooseFarm) -> None:
    """They are in the table without an owner; their attempts say whose they are, and on which machine they ran."""
    worker = farm.join()
    job = farm.submit(renderer="kernel", frames="1-4", output=str(farm.settings.server.data / "f.####.png"))
    for lease in farm.sync(worker, want=2).leases:
        farm.deliver(worker, lease)
    farm.store.write(lambda tx: setattr(tx.session.get(Worker, worker), "rating", 2.0))
    with farm.store.read() as session:
        facts = facts_of(session.get_one(Job, job))
        assert len(session.exec(select(Attempt).where(Attempt.status == "SUCCEEDED")).all()) == 2
    before = estimator()
    for _ in range(2):
        before.note(facts, "render", 1, 1.0, 2.0)
    farm.store.write(lambda tx: before.flush(tx, 5.0))
    after = estimator()
    after.load(farm.store)

    assert after.frame_time(facts, "render") == before.frame_time(facts, "render")
    assert after.frame_time(facts, "render").basis == "2 frames of this job"
