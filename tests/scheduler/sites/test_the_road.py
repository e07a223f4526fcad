"""A job goes whole to another farm, once, and its frames come home, whatever becomes of the line between them."""

from __future__ import annotations

import hashlib

import pytest

from scheduler.domain.states import JobStatus


def test_a_job_goes_whole_and_its_frames_come_home(home):
    far = home.far["branch"]
    job = home.submit(frames="1-3", renderer="kernel", name="shot", metadata={"note": 1}, tracking={"shot": "s1"})
    home.rounds()
    sent = far.only
    assert (sent.status, sent.frames) == (JobStatus.QUEUED, (1, 2, 3))
    assert sent.payload["hops"] == ["test-farm"]
    assert sent.payload["tracking"] == {"shot": "s1"}
    assert sent.payload["metadata"]["from"] == {"farm": "outfield", "jobID": "00001", "user": "artist"}
    assert home.row(job).away == "branch"

    far.render(sent.number, frames=2)
    home.rounds()
    assert set(home.frames(job)) == {1, 2}
    assert home.row(job).status == JobStatus.RUNNING
    assert home.why(job)["waiting"] == [
        {"reason": "handed over to branch as 00001, there: RUNNING 2/3, submitted", "tasks": 1}
    ]

    far.render(sent.number)
    home.rounds()
    assert home.row(job).status == JobStatus.SUCCEEDED
    assert home.frames(job) == sent.made
    assert [row.outcome for row in home.handovers(job)] == ["HOME"]
    assert home.row(job).away is None
    assert far.submissions == 1 and len(home.events(job, "frame.published")) == 3


def test_no_worker_of_this_farm_takes_what_is_away(home):
    worker = home.join()
    home.submit(renderer="null")
    home.rounds()
    assert home.sync(worker, want=4).leases == []


@pytest.mark.parametrize("split", [{"tiles": [2, 2]}, {"samples": 18}])
def test_a_split_frame_comes_home_without_its_parts(home, split):
    far = home.far["branch"]
    job = home.submit(frames="1-2", renderer="kernel", split=split)
    home.rounds()
    assert far.only.payload["split"] == split
    far.render(far.only.number)
    home.rounds()
    assert home.row(job).status == JobStatus.SUCCEEDED
    assert home.frames(job) == far.only.made


def test_chunks_come_home_when_all_their_frames_are_there(home):
    far = home.far["branch"]
    job = home.submit(frames="1-4", chunk=2, renderer="kernel")
    home.rounds()
    far.render(far.only.number, frames=3)
    home.rounds()
    assert set(home.frames(job)) == {1, 2}


@pytest.mark.parametrize("line", ["down", "deaf"])
def test_a_cut_line_costs_time_and_nothing_else(home, line):
    far = home.far["branch"]
    far.line = line
    job = home.submit(frames="1-2", renderer="kernel")
    home.rounds(4, seconds=30)
    assert home.row(job).status == JobStatus.QUEUED
    assert "branch does not answer (it cannot be reached" in home.why(job)["waiting"][0]["reason"]
    assert home.why(job)["placeable"]
    home.restart()
    home.rounds(2, seconds=90)
    far.line = "up"
    home.rounds(4, seconds=90)
    assert len(far.jobs) == 1, "exactly one job"
    far.line = line
    far.render(far.only.number)
    home.rounds(2, seconds=90)
    far.line = "up"
    home.rounds(3, seconds=90)
    assert home.row(job).status == JobStatus.SUCCEEDED
    assert home.frames(job) == far.only.made
    assert len(home.events(job, "frame.published")) == 2, "one set of frames"


def test_what_was_submitted_does_not_run_until_this_farm_knows_its_number(home):
    far = home.far["branch"]
    home.submit(renderer="kernel")
    far.line = "up"
    home.sites.hands["branch"].liaison._far_farm = far.name
    home.rounds(1)  # packed and shipped
    far.line = "deaf"
    home.rounds(1)
    assert far.only.status is JobStatus.PAUSED, "an unknown outcome costs no rendering"


def test_a_frame_that_broke_off_is_gone_on_from(home):
    far = home.far["branch"]
    job = home.submit(renderer="kernel")
    home.rounds()
    far.render(far.only.number, pixels=b"x" * 1000)
    far.breaks_after = 400
    home.rounds(8, seconds=61)
    assert home.frames(job) == far.only.made
    assert far.fetches == 3


def test_a_scene_goes_along_as_it_was_when_the_job_left(home, tmp_path):
    far, scene = home.far["branch"], tmp_path / "a.obj"
    scene.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    before = scene.read_bytes()
    far.line = "down"
    home.submit(scene=str(scene), renderer="kernel")
    home.rounds(1)
    scene.write_text("changed")
    far.line = "up"
    home.rounds(3, seconds=61)
    digest = hashlib.sha256(before).hexdigest()
    assert far.only.payload["scene"] == f"blob:{digest}/a.obj"
    assert far.blobs == {digest: before}


def test_a_scene_that_the_other_farm_sees_goes_by_its_path_there(make_home, tmp_path):
    home = make_home(sites={"branch": {"default": True, "paths": {str(tmp_path): "/mnt/show/"}}})
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    home.submit(scene=str(tmp_path / "a.obj"), renderer="kernel")
    home.rounds()
    assert home.far["branch"].only.payload["scene"] == "/mnt/show/a.obj"
    assert home.far["branch"].blobs == {}


def test_what_stays_in_the_house(make_home):
    home = make_home(sites={"branch": {"default": True, "in_house": False, "onward": False}})
    tracking = {"shot": "s", "task_id": 7}
    home.submit(renderer="kernel", tracking=tracking, metadata={"secret": 1}, depends_on=[], cloud="allow")
    home.rounds()
    sent = home.far["branch"].only.payload
    assert sent["tracking"] == {"shot": "s"}
    assert "secret" not in sent["metadata"]
    assert sent["cloud"] == "never"
    kept = home.submit(renderer="kernel", cloud="never")
    home.rounds()
    assert home.row(kept).away is None
