"""A real home farm and another one in memory: lines are cut, answers lost, farms killed, wishes changed, in any order.

The real store, use cases, tick, liaison and porter; only the clock, the decoder and the network are ours. In the end
the line is mended, and everything must have come to its end: one job there for each handover, one set of frames here.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from site_farm import SiteFarm
from sqlmodel import col, select

from scheduler.domain.handover import HandoverState
from scheduler.domain.states import TERMINAL_JOBS, JobStatus, TaskStatus
from scheduler.errors import Conflict, NotFound
from scheduler.service import controlling
from scheduler.service.overriding import prioritise_job
from scheduler.store.sites import Handover
from scheduler.store.tables import Attempt, Frame, Job, Step, Task

FORBID = {"name": "nda", "when": 'job.name == "nda"', "forbid": ["branch"]}
MAY = {"name": "all may", "when": "true", "allow": ["branch"]}
ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


class SitesMachine(RuleBasedStateMachine):
    """See the module's docstring."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outfield-sites-"))
        self.home = SiteFarm(self.folder, {"branch": {"default": True, "give_up_s": 100, "refused_retry_s": 60}})
        self.far = self.home.far["branch"]
        self.rendered: dict[tuple[str, int], bytes] = {}

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.home.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- What happens ---------------------------------------------------------------------------------------------

    @rule(
        target=jobs,
        name=st.sampled_from(["job", "nda"]),
        frames=st.sampled_from(["1", "1-3"]),
        split=st.sampled_from([None, {"tiles": [2, 1]}, {"samples": 18}]),
        paused=st.booleans(),
    )
    def a_job_is_submitted(self, name, frames, split, paused) -> int:
        return self.home.submit(name=name, frames=frames, renderer="kernel", split=split, paused=paused)

    @rule(seconds=st.sampled_from([1, 61]))
    def a_round(self, seconds) -> None:
        self.home.rounds(1, seconds=seconds)

    @rule(line=st.sampled_from(["up", "down", "deaf"]), breaks=st.sampled_from([None, 3]))
    def the_line_changes(self, line, breaks) -> None:
        self.far.line, self.far.breaks_after = line, breaks

    @rule(frames=st.integers(1, 3))
    def the_other_farm_works(self, frames) -> None:
        for number in self.far.jobs:
            self.far.render(number, frames=frames)

    @rule(status=st.sampled_from([JobStatus.FAILED, JobStatus.CANCELED]))
    def something_ends_there(self, status) -> None:
        for number in list(self.far.jobs)[-1:]:
            self.far.end(number, status, "somebody there said so")

    @rule(refuses=st.sampled_from(["", "it is full"]))
    def the_other_farm_refuses(self, refuses) -> None:
        self.far.refuses = refuses

    @rule()
    def the_home_farm_is_killed(self) -> None:
        self.home.restart()

    @rule(
        job=jobs,
        order=st.sampled_from([controlling.pause_job, controlling.resume_job, controlling.cancel_job]),
    )
    def a_person_decides(self, job, order) -> None:
        with contextlib.suppress(Conflict, NotFound):
            self.home.run(order(self.home.farm, job, "anna"))

    @rule(job=jobs)
    def a_person_retries(self, job) -> None:
        with contextlib.suppress(Conflict, NotFound):
            self.home.run(controlling.retry_job(self.home.farm, job, "anna"))

    @rule(job=jobs, priority=st.integers(0, 100))
    def a_person_prioritises(self, job, priority) -> None:
        with contextlib.suppress(NotFound):
            self.home.run(prioritise_job(self.home.farm, job, priority, "anna"))

    @rule(forbid=st.booleans())
    def the_rules_change(self, forbid) -> None:
        self.home.put_rules(*([FORBID] if forbid else [MAY]))

    # ---- What always holds -----------------------------------------------------------------------------------------

    @invariant()
    def what_runs_there_is_known_here(self) -> None:
        with self.home.store.read() as session:
            known = set(session.exec(select(Handover.far_job).where(Handover.state != HandoverState.SENDING)).all())
        assert all(job.number in known for job in self.far.jobs.values() if job.status in ACTIVE)

    @invariant()
    def away_means_one_open_handover(self) -> None:
        with self.home.store.read() as session:
            away = set(session.exec(select(Job.id).where(col(Job.away).is_not(None))).all())
            rows = session.exec(select(Handover).where(Handover.state != HandoverState.CLOSED)).all()
        held = [row.job_id for row in rows if not row.let_go]
        assert sorted(held) == sorted(away)

    @invariant()
    def steps_count_their_tasks(self) -> None:
        with self.home.store.read() as session:
            for step in session.exec(select(Step)).all():
                tasks = session.exec(select(Task.status).where(Task.step_id == step.id)).all()
                for status in TaskStatus:
                    assert getattr(step, status.value.lower()) == tasks.count(status.value), (step, tasks)

    @invariant()
    def frames_are_what_was_made_there(self) -> None:
        made = {(job.payload["name"], pixels) for job in self.far.jobs.values() for pixels in job.made.values()}
        with self.home.store.read() as session:
            rows = session.exec(select(Frame, Job.name).join(Job, col(Job.id) == Frame.job_id)).all()
        for row, name in rows:
            assert (name, Path(row.path).read_bytes()) in made

    # ---- And in the end --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """The line is mended and stays so: everything comes to its end."""
        self.far.line, self.far.breaks_after, self.far.refuses = "up", None, ""
        for _round in range(14):
            for number in self.far.jobs:
                self.far.render(number)
            self.home.rounds(1, seconds=61)
        self.each_key_is_one_job()
        with self.home.store.read() as session:
            jobs = session.exec(select(Job)).all()
            rows = session.exec(select(Handover)).all()
            published = session.exec(select(Attempt.task_id).where(Attempt.status == "SUCCEEDED")).all()
        assert len(published) == len(set(published)), "one set of frames"
        for job in jobs:
            ended = job.status in TERMINAL_JOBS or job.status == JobStatus.PAUSED
            assert ended or job.name == "nda", (job, [row for row in rows if row.job_id == job.id])
        for row in rows:
            job = next(job for job in jobs if job.id == row.job_id)
            assert row.state == HandoverState.CLOSED or job.status == JobStatus.PAUSED, (row, job)
        assert not any(far.status in ACTIVE for far in self.far.jobs.values())

    def each_key_is_one_job(self) -> None:
        keys = [job.key for job in self.far.jobs.values()]
        assert len(keys) == len(set(keys))


TestSitesMachine = SitesMachine.TestCase
TestSitesMachine.settings = settings(
    max_examples=max(15, settings.default.max_examples // 4),  # each ends with fourteen rounds of a whole farm
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
)
