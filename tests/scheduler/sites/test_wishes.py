"""What people wish at home follows, also after the line was cut."""

from __future__ import annotations

import pytest

from scheduler.domain.states import JobStatus
from scheduler.errors import Conflict
from scheduler.service import controlling
from scheduler.service.overriding import prioritise_job


def test_pause_priority_and_cancel_follow_also_after_a_cut_line(home):
    far = home.far["branch"]
    job = home.submit(frames="1-2", renderer="kernel", priority=40)
    home.rounds()
    assert far.only.priority == 40
    far.line = "down"
    home.run(controlling.pause_job(home.farm, job, "anna"))
    home.run(prioritise_job(home.farm, job, 80, "anna"))
    home.rounds(2, seconds=61)
    assert far.only.status is JobStatus.QUEUED
    far.line = "up"
    home.rounds(2, seconds=61)
    assert (far.only.status, far.only.priority) == (JobStatus.PAUSED, 80)
    home.run(controlling.resume_job(home.farm, job, "anna"))
    home.rounds()
    assert far.only.status is JobStatus.QUEUED
    home.run(controlling.cancel_job(home.farm, job, "anna"))
    home.rounds()
    assert far.only.status is JobStatus.CANCELED
    assert [row.outcome for row in home.handovers(job)] == ["CANCELED"]


@pytest.mark.parametrize("end", [controlling.cancel_job, controlling.remove_job])
def test_a_job_that_ends_before_it_is_sent_never_arrives(home, end):
    far = home.far["branch"]
    far.line = "down"
    job = home.submit(renderer="kernel")
    home.rounds(1)
    home.run(end(home.farm, job, "anna"))
    far.line = "up"
    home.rounds(2, seconds=61)
    assert far.jobs == {}
    assert [row.outcome for row in home.handovers(job)] == ["CANCELED"]


def test_a_job_that_ends_while_nobody_knows_whether_it_arrived_is_canceled_there(home):
    far = home.far["branch"]
    job = home.submit(renderer="kernel")
    home.rounds(1)
    far.line = "deaf"
    home.sites.hands["branch"].liaison._far_farm = far.name
    home.rounds(1)
    home.run(controlling.cancel_job(home.farm, job, "anna"))
    far.line = "up"
    home.restart()
    home.rounds(2, seconds=61)
    assert far.only.status is JobStatus.CANCELED
    assert far.only.runs == []


def test_a_retry_before_the_cancellation_was_told_changes_nothing_there(home):
    far = home.far["branch"]
    job = home.submit(renderer="kernel")
    home.rounds()
    far.line = "down"
    home.run(controlling.cancel_job(home.farm, job, "anna"))
    home.run(controlling.retry_job(home.farm, job, "anna"))
    far.line = "up"
    home.rounds(2, seconds=61)
    far.render(far.only.number)
    home.rounds()
    assert home.row(job).status == JobStatus.SUCCEEDED
    assert far.submissions == 1


def test_a_canceled_job_that_is_retried_hands_over_what_is_missing(home):
    far = home.far["branch"]
    job = home.submit(frames="1-3", renderer="kernel")
    home.rounds()
    far.render("00001", frames=1)
    home.rounds()
    home.run(controlling.cancel_job(home.farm, job, "anna"))
    home.rounds()
    home.run(controlling.retry_job(home.farm, job, "anna"))
    home.rounds()
    assert far.jobs["00002"].frames == (2, 3)
    far.render("00002")
    home.rounds()
    assert home.row(job).status == JobStatus.SUCCEEDED
    assert len(home.events(job, "frame.published")) == 3


def test_pausing_what_has_ended_is_still_a_conflict(home):
    job = home.submit(renderer="kernel")
    home.rounds()
    home.run(controlling.cancel_job(home.farm, job, "anna"))
    with pytest.raises(Conflict):
        home.run(controlling.pause_job(home.farm, job, "anna"))
