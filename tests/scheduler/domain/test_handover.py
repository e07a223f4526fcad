"""A handover as data: whatever happens in whatever order, one job there, one set of frames, and no loose end.

The model keeps to what the shell does: a row is written before each call, a call may be lost on its way there or back,
either farm may die between any two lines. Only `next_step` says what is done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scheduler.domain.handover import (
    HANDOVER_TRANSITIONS,
    FarJob,
    Handover,
    HandoverEvent,
    HandoverState,
    Outcome,
    Step,
    next_step,
)
from scheduler.domain.states import JOB_TRANSITIONS, TERMINAL_JOBS, JobEvent, JobStatus, may, step

FRAMES = 3
AWAY = Handover(HandoverState.AWAY, JobStatus.RUNNING, 50, told_paused=False, told_priority=50)


def far(status: JobStatus) -> FarJob:
    return FarJob("00001", status, 0, FRAMES)


@pytest.mark.parametrize(
    ("handover", "expected"),
    [
        (Handover(HandoverState.PENDING, JobStatus.QUEUED, 50), Step.SHIP),
        (Handover(HandoverState.PENDING, JobStatus.QUEUED, 50, shipped=True), Step.SUBMIT),
        (Handover(HandoverState.PENDING, JobStatus.PAUSED, 50, shipped=True), Step.WAIT),
        (Handover(HandoverState.PENDING, JobStatus.CANCELED, 50), Step.CLOSE),
        (Handover(HandoverState.PENDING, JobStatus.QUEUED, 50, let_go=True), Step.CLOSE),
        (Handover(HandoverState.SENDING, JobStatus.CANCELED, 50), Step.SUBMIT),
        (Handover(HandoverState.SENDING, JobStatus.QUEUED, 50, let_go=True), Step.SUBMIT),
        (replace(AWAY, told_paused=True, far=far(JobStatus.PAUSED)), Step.RESUME),
        (replace(AWAY, home=JobStatus.PAUSED, far=far(JobStatus.RUNNING)), Step.PAUSE),
        (replace(AWAY, far=far(JobStatus.PAUSED)), Step.WAIT),
        (replace(AWAY, priority=60, far=far(JobStatus.RUNNING)), Step.PRIORITISE),
        (replace(AWAY, far=far(JobStatus.FAILED)), Step.WAIT),
        (replace(AWAY, far=far(JobStatus.FAILED), settled=True), Step.FAIL),
        (replace(AWAY, far=far(JobStatus.SUCCEEDED), settled=True), Step.FAIL),
        (replace(AWAY, far=far(JobStatus.CANCELED), settled=True), Step.END),
        (replace(AWAY, far=far(JobStatus.CANCELED), told_cancel=True), Step.CLOSE),
        (replace(AWAY, far=None), Step.LOSE),
        (replace(AWAY, home=JobStatus.CANCELED, far=far(JobStatus.RUNNING)), Step.CANCEL),
        (replace(AWAY, let_go=True, far=far(JobStatus.PAUSED)), Step.CANCEL),
        (replace(AWAY, removed=True, far=far(JobStatus.RUNNING)), Step.CANCEL),
        (replace(AWAY, home=JobStatus.CANCELED, far=None), Step.CLOSE),
        (Handover(HandoverState.CLOSED, JobStatus.QUEUED, 50), Step.WAIT),
    ],
)
def test_what_is_next(handover, expected):
    assert next_step(handover).step is expected


@pytest.mark.parametrize(
    ("home", "let_go", "outcome"),
    [
        (JobStatus.SUCCEEDED, False, Outcome.HOME),
        (JobStatus.FAILED, False, Outcome.FAILED),
        (JobStatus.CANCELED, False, Outcome.CANCELED),
        (JobStatus.RUNNING, True, Outcome.WITHDRAWN),
    ],
)
def test_how_it_ended(home, let_go, outcome):
    ended = replace(AWAY, home=home, let_go=let_go, far=far(JobStatus.CANCELED))
    assert next_step(ended).outcome is outcome


def test_every_state_but_the_last_can_end():
    for state in HandoverState:
        assert ((state, HandoverEvent.CLOSE) in HANDOVER_TRANSITIONS) is (state is not HandoverState.CLOSED)


@dataclass
class Far:
    """The job as the other farm has it."""

    status: JobStatus
    priority: int
    made: int = 0
    ran_unknown: bool = False


class HandoverMachine(RuleBasedStateMachine):
    """One home job, one row at a time, one other farm; see the module's docstring."""

    @initialize()
    def begin(self) -> None:
        self.home, self.priority, self.published = JobStatus.QUEUED, 50, 0
        self.rows = [Handover(HandoverState.PENDING, JobStatus.QUEUED, 50)]
        self.far: dict[int, Far] = {}  # by row, which is what the key stands for
        self.here: set[int] = set()
        self.frames: list[int] = []

    # ---- The shell, one line at a time ---------------------------------------------------------------------------

    @property
    def number(self) -> int:
        return len(self.rows) - 1

    def save(self, **changes) -> None:
        self.rows[self.number] = replace(self.rows[self.number], **changes)

    def look(self) -> Handover:
        row = self.rows[self.number]
        there = self.far.get(self.number)
        seen = None if there is None else FarJob("00001", there.status, there.made, FRAMES)
        settled = there is not None and there.status in TERMINAL_JOBS and there.made <= self.published
        return replace(row, home=self.home, priority=self.priority, far=seen, settled=settled)

    @rule(arrives=st.booleans(), returns=st.booleans())
    def a_round(self, arrives: bool, returns: bool) -> None:
        """One step; its call may be lost on the way there or back."""
        handover = self.look()
        decided = next_step(handover)
        if handover.state is HandoverState.AWAY and not (arrives and returns):
            if decided.step is Step.CANCEL:
                self.save(told_cancel=True)
            self._call(decided.step, arrives=arrives, returns=False)
            return  # it could not even look, or the answer was lost
        self._call(decided.step, arrives=arrives, returns=returns)
        if decided.step is Step.CLOSE:
            self.save(state=HandoverState.CLOSED)
        elif decided.step is Step.FAIL:
            self.home = step(JOB_TRANSITIONS, self.home, JobEvent.EXHAUST)
            self.save(state=HandoverState.CLOSED)
        elif decided.step is Step.END:
            self.home = step(JOB_TRANSITIONS, self.home, JobEvent.CANCEL)
            self.save(state=HandoverState.CLOSED)
        elif decided.step is Step.LOSE:
            raise AssertionError("nothing is lost here")

    def _call(self, wanted: Step, *, arrives: bool, returns: bool) -> None:
        if wanted is Step.SHIP:
            self.save(shipped=arrives and returns)
        elif wanted is Step.SUBMIT:
            self.save(state=HandoverState.SENDING, told_priority=self.rows[self.number].told_priority or self.priority)
            told = self.rows[self.number].told_priority or 0
            if arrives:
                self.far.setdefault(self.number, Far(JobStatus.PAUSED, told))
            if arrives and returns:
                self.save(state=HandoverState.AWAY)
        elif wanted in (Step.CANCEL, Step.PAUSE, Step.RESUME, Step.PRIORITISE):
            if wanted is Step.CANCEL:
                self.save(told_cancel=True)
            there, event = self.far[self.number], {Step.PAUSE: JobEvent.PAUSE, Step.RESUME: JobEvent.RESUME}
            if arrives and wanted is Step.PRIORITISE:
                there.priority = self.priority
            elif arrives and may(JOB_TRANSITIONS, there.status, event.get(wanted, JobEvent.CANCEL)):
                there.status = step(JOB_TRANSITIONS, there.status, event.get(wanted, JobEvent.CANCEL))
            if arrives and returns and wanted is Step.PRIORITISE:
                self.save(told_priority=self.priority)
            elif arrives and returns and wanted is not Step.CANCEL:
                self.save(told_paused=wanted is Step.PAUSE)

    @rule()
    def frames_come_home(self) -> None:
        there, row = self.far.get(self.number), self.look()
        if there is None or row.state is not HandoverState.AWAY or not row.wanted:
            return
        fresh = list(range(self.published, max(self.published, there.made)))
        self.frames += fresh
        self.published = max(self.published, there.made)
        if self.home is JobStatus.QUEUED and self.published:
            self.home = JobStatus.RUNNING
        if self.published == FRAMES:
            self.home = JobStatus.SUCCEEDED

    # ---- The other farm -----------------------------------------------------------------------------------------

    @rule(fails=st.booleans())
    def the_other_farm_works(self, fails: bool) -> None:
        for number, there in self.far.items():
            if there.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
                continue
            there.ran_unknown |= self.rows[number].state is HandoverState.SENDING
            if fails:
                there.status = JobStatus.FAILED
            else:
                there.made = min(FRAMES, there.made + 1)
                there.status = JobStatus.SUCCEEDED if there.made == FRAMES else JobStatus.RUNNING

    @rule()
    def somebody_there_cancels(self) -> None:
        there = self.far.get(self.number)
        if there is not None and there.status not in TERMINAL_JOBS:
            there.status = JobStatus.CANCELED

    # ---- People at home -------------------------------------------------------------------------------------------

    @rule(event=st.sampled_from([JobEvent.PAUSE, JobEvent.RESUME, JobEvent.CANCEL, JobEvent.RETRY]))
    def a_person_decides(self, event: JobEvent) -> None:
        if may(JOB_TRANSITIONS, self.home, event):
            self.home = step(JOB_TRANSITIONS, self.home, event)

    @rule(priority=st.integers(0, 100))
    def a_person_prioritises(self, priority: int) -> None:
        self.priority = priority

    @precondition(lambda self: self.rows[-1].state is not HandoverState.CLOSED)
    @rule()
    def rules_forbid_it(self) -> None:
        self.save(let_go=True)

    @precondition(lambda self: self.rows[-1].state is HandoverState.CLOSED and self.home is JobStatus.QUEUED)
    @rule()
    def what_is_missing_leaves_again(self) -> None:
        self.rows.append(Handover(HandoverState.PENDING, JobStatus.QUEUED, self.priority))

    # ---- What always holds ----------------------------------------------------------------------------------------

    @invariant()
    def one_set_of_frames(self) -> None:
        if hasattr(self, "frames"):
            assert len(self.frames) == len(set(self.frames))

    @invariant()
    def nothing_runs_that_is_not_known_here(self) -> None:
        for there in getattr(self, "far", {}).values():
            assert not there.ran_unknown

    @invariant()
    def at_most_one_of_its_jobs_runs_there(self) -> None:
        there = getattr(self, "far", {}).values()
        assert sum(job.status in (JobStatus.QUEUED, JobStatus.RUNNING) for job in there) <= 1

    def teardown(self) -> None:
        """The line is mended: soon nothing is open that is not wished."""
        if not hasattr(self, "rows"):
            return
        if self.home is JobStatus.PAUSED:
            self.home = step(JOB_TRANSITIONS, self.home, JobEvent.RESUME)
        for _round in range(20):
            self.a_round(arrives=True, returns=True)
            self.the_other_farm_works(fails=False)
            self.frames_come_home()
        assert self.rows[-1].state is HandoverState.CLOSED
        assert all(there.status in TERMINAL_JOBS for there in self.far.values())
        assert self.rows[-1].let_go or self.home in TERMINAL_JOBS or self.rows[-1].told_cancel


TestHandoverMachine = HandoverMachine.TestCase
