"""What the other farm does of its own accord: it fails, cancels, forgets, refuses, is another one."""

from __future__ import annotations

import pytest

from scheduler.domain.states import JobStatus, TaskStatus
from scheduler.errors import Refused
from scheduler.service import controlling
from scheduler.store.tables import Task


def test_a_failure_there_is_one_here_and_retry_hands_over_the_rest(home):
    far = home.far["branch"]
    job = home.submit(frames="1-3", renderer="kernel")
    home.rounds()
    far.render("00001", frames=1)
    far.end("00001", JobStatus.FAILED, "the scene is broken")
    home.rounds(4)
    assert home.row(job).status == JobStatus.FAILED
    assert set(home.frames(job)) == {1}, "what it made before is home"
    with home.store.read() as session:
        task = session.get_one(Task, 2)
    assert (task.status, task.message) == (TaskStatus.FAILED, "failed at branch: the scene is broken")
    home.run(controlling.retry_job(home.farm, job, "anna"))
    home.rounds()
    assert far.jobs["00002"].frames == (2, 3)


def test_a_cancellation_there_is_one_here(home):
    far = home.far["branch"]
    job = home.submit(renderer="kernel")
    home.rounds()
    far.end("00001", JobStatus.CANCELED, "canceled by bob")
    home.rounds(4)
    assert home.row(job).status == JobStatus.CANCELED
    assert home.row(job).reason == "canceled at branch: canceled by bob"


def test_a_job_that_is_not_known_there_any_more_has_failed(home):
    far = home.far["branch"]
    job = home.submit(renderer="kernel")
    home.rounds()
    far.jobs.clear()
    home.rounds()
    assert home.row(job).status == JobStatus.FAILED
    assert [row.outcome for row in home.handovers(job)] == ["LOST"]
    home.run(controlling.retry_job(home.farm, job, "anna"))
    home.rounds()
    assert len(far.jobs) == 1


def test_another_farm_at_the_same_address_is_not_taken_for_it(home):
    far = home.far["branch"]
    job = home.submit(renderer="kernel")
    home.rounds()
    far.name, far.jobs = "another farm", {}
    home.restart()
    home.rounds(2, seconds=61)
    assert home.row(job).status == JobStatus.QUEUED
    assert "another farm answers at" in home.why(job)["waiting"][0]["reason"]


def test_a_frame_that_is_damaged_is_not_published_and_the_job_fails_in_the_end(home):
    far = home.far["branch"]
    job = home.submit(renderer="kernel", split={"tiles": [2, 1]}, max_attempts=2)
    home.rounds()
    far.render(far.only.number, pixels=b"broken")
    home.rounds(26, seconds=301)
    assert home.frames(job) == {}
    assert home.row(job).status == JobStatus.FAILED


def test_a_refusal_is_told_and_the_job_goes_on_at_home(make_home):
    home = make_home(sites={"branch": {"default": True, "refused_retry_s": 3600}})
    home.far["branch"].refuses = "it has no renderer 'kernel'"
    job = home.submit(renderer="kernel")
    home.rounds(2)
    assert home.row(job).away is None
    reasons = [group["reason"] for group in home.why(job)["waiting"]]
    assert reasons == ["it does not go to branch: it has no renderer 'kernel'"]
    worker = home.join()
    home.rounds(1)
    assert len(home.sync(worker, want=1).leases) == 1
    assert [row.outcome for row in home.handovers(job)] == ["REFUSED"]


def test_a_refused_job_is_offered_again_later_also_after_a_restart(make_home):
    home = make_home(sites={"branch": {"default": True, "refused_retry_s": 600}})
    home.far["branch"].refuses = "no"
    job = home.submit(renderer="kernel")
    home.rounds(2)
    home.restart()
    home.far["branch"].refuses = ""
    home.rounds(2, seconds=1)
    assert home.far["branch"].jobs == {}
    home.clock.advance(600)
    home.rounds(3)
    assert home.far["branch"].only.frames == (1,)
    assert home.row(job).away == "branch"


def test_a_job_that_came_from_this_farm_does_not_come_back(home):
    with pytest.raises(Refused, match="circle") as refused:
        home.submit(renderer="kernel", hops=["elsewhere", "test-farm"])
    assert refused.value.code == "site_loop"


def test_one_job_that_it_fails_to_tell_of_holds_up_no_other(home):
    far = home.far["branch"]
    jobs = [home.submit(renderer="kernel"), home.submit(renderer="kernel")]
    home.rounds()
    far.broken = {"00001"}
    for number in far.jobs:
        far.render(number)
    home.rounds()
    assert [home.row(job).status for job in jobs] == [JobStatus.QUEUED, JobStatus.SUCCEEDED]
    assert "it failed: unexpected" in home.why(jobs[0])["waiting"][0]["reason"]
    far.broken = set()
    home.rounds()
    assert home.row(jobs[0]).status == JobStatus.SUCCEEDED
    assert home.farm.sites.sites["branch"].faults == {}
