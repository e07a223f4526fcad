"""Holds of production pause jobs and let them go on; what a person paused or resumed stays a person's."""

from __future__ import annotations

from typing import Any

from fake_shotgrid import FakeShotGrid
from tracked_farm import TrackedFarm

from scheduler.domain.states import JobStatus
from scheduler.service import controlling

Link = dict[str, Any]


def test_hld_pauses_and_ip_resumes(tracked: TrackedFarm, fake: FakeShotGrid, shot: Link) -> None:
    job = tracked.submit(renderer="null", tracking={"project": "Alpha", "shot": "sh010"})
    fake.change(shot, sg_status_list="hld")
    tracked.follow()
    held = tracked.job(job)
    assert (held.status, held.held_by, held.tracked_hold) == (JobStatus.PAUSED, "tracking", "hld")
    assert held.reason == "held by ShotGrid: Shot.sg_status_list is hld"

    fake.change(shot, sg_status_list="ip")
    tracked.follow()

    assert (tracked.job(job).status, tracked.job(job).held_by) == (JobStatus.QUEUED, "")


def test_a_job_that_runs_goes_on_running_after_its_hold(tracked: TrackedFarm, fake: FakeShotGrid, shot: Link) -> None:
    worker = tracked.join()
    job = tracked.submit(renderer="null", frames="1-3", tracking={"project": "Alpha", "shot": "sh010"})
    leases = tracked.sync(worker, want=1).leases
    fake.change(shot, sg_status_list="omt")
    tracked.follow()
    assert tracked.job(job).status == JobStatus.PAUSED
    assert tracked.sync(worker, want=2).leases == []

    tracked.deliver(worker, leases[0])
    fake.change(shot, sg_status_list="rdy")
    tracked.follow()

    assert tracked.job(job).status == JobStatus.RUNNING
    assert len(tracked.sync(worker, want=2).leases) == 2


def test_a_persons_pause_is_a_persons(tracked: TrackedFarm, fake: FakeShotGrid, shot: Link) -> None:
    reference = {"project": "Alpha", "shot": "sh010"}
    paused_before, paused_while = (tracked.submit(renderer="null", tracking=reference) for _ in range(2))
    tracked.run(controlling.pause_job(tracked.farm, paused_before, "ada"))
    fake.change(shot, sg_status_list="hld")
    tracked.follow()
    tracked.run(controlling.pause_job(tracked.farm, paused_while, "ada"))

    fake.change(shot, sg_status_list="ip")
    tracked.follow()

    assert [tracked.job(job).status for job in (paused_before, paused_while)] == [JobStatus.PAUSED, JobStatus.PAUSED]


def test_a_person_may_resume_what_is_held(tracked: TrackedFarm, fake: FakeShotGrid, shot: Link) -> None:
    job = tracked.submit(renderer="null", tracking={"project": "Alpha", "shot": "sh010"})
    fake.change(shot, sg_status_list="hld")
    tracked.follow()
    tracked.run(controlling.resume_job(tracked.farm, job, "ada"))

    fake.change(shot, sg_priority="High")  # news, but not of the status
    tracked.follow()
    assert tracked.job(job).status == JobStatus.QUEUED

    fake.change(shot, sg_status_list="omt")
    tracked.follow()
    assert tracked.job(job).status == JobStatus.PAUSED


def test_an_archived_project_starts_nothing(
    tracked: TrackedFarm, fake: FakeShotGrid, alpha: Link, shot: Link, task: Link
) -> None:
    wished = tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    fake.change(shot, sg_status_list="hld")
    tracked.follow()
    fake.change(alpha, archived=True)
    tracked.follow()

    row = tracked.job(wished)
    assert (row.tracked_priority, row.tracked_hold, row.status) == (None, None, JobStatus.PAUSED)
    assert (
        row.reason == f"still paused: Project {alpha['id']} (Alpha) was archived in ShotGrid; resume it if it is wanted"
    )

    fake.change(alpha, archived=False)
    tracked.follow()
    assert tracked.job(wished).tracked_priority == 30
