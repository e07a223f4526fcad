"""A handover: one job given whole to another farm (a *site*). Where it stands, and what is to be done next. Pure.

A row says where a handover stands; it is written before every call, so that whatever dies, the next start knows what
may have happened. The other farm's answer to a repeated submission is the same (its key), and what was submitted stays
paused there until this farm has written down its number: an unknown outcome never costs a second rendering.

`next_step` looks at levels, never at edges: what people wish here, what was last told there, and what was just seen
there. So it does not matter how long the line was cut, or what was done meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scheduler.domain.states import TERMINAL_JOBS, JobStatus

SITE_WORKER = "site:"
"""What the name of a worker begins with where a site stands in its place; no worker's own id has a colon."""


class HandoverState(StrEnum):
    """Where a handover stands."""

    PENDING = "PENDING"
    """Decided; the other farm knows nothing of it but files that were sent ahead."""
    SENDING = "SENDING"
    """Submitted, or about to be: whether it arrived may be unknown."""
    AWAY = "AWAY"
    """The other farm has it, under a number that is known."""
    CLOSED = "CLOSED"
    """Over; `Outcome` says how."""


class HandoverEvent(StrEnum):
    """What can happen to a handover."""

    SEND = "send"
    ADMIT = "admit"
    CLOSE = "close"


HANDOVER_TRANSITIONS: Mapping[tuple[HandoverState, HandoverEvent], HandoverState] = {
    (HandoverState.PENDING, HandoverEvent.SEND): HandoverState.SENDING,
    (HandoverState.PENDING, HandoverEvent.CLOSE): HandoverState.CLOSED,
    (HandoverState.SENDING, HandoverEvent.ADMIT): HandoverState.AWAY,
    (HandoverState.SENDING, HandoverEvent.CLOSE): HandoverState.CLOSED,
    (HandoverState.AWAY, HandoverEvent.CLOSE): HandoverState.CLOSED,
}


class Outcome(StrEnum):
    """How a handover ended."""

    HOME = "HOME"
    """Every frame came home."""
    FAILED = "FAILED"
    """The job failed, there or while its frames were checked here."""
    CANCELED = "CANCELED"
    """The job was canceled, here or there."""
    REFUSED = "REFUSED"
    """The other farm did not take it."""
    WITHDRAWN = "WITHDRAWN"
    """Taken back: rules forbade it, or the other farm could not be reached for too long."""
    LOST = "LOST"
    """The other farm does not know it any more."""


class Step(StrEnum):
    """What is to be done next about a handover."""

    WAIT = "wait"
    SHIP = "ship"
    """Send the files ahead that the job needs."""
    SUBMIT = "submit"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    PRIORITISE = "prioritise"
    FAIL = "fail"
    """The job has ended there, all that it made is home, and something is missing: it has failed here."""
    END = "end"
    """The job was canceled there: it is canceled here too."""
    LOSE = "lose"
    """The other farm does not know the job any more: what is missing has failed."""
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class FarJob:
    """A job as the other farm tells of it. `frames` and `published` count frames; `worked_s` is its workers' time.

    `finish` is when it will be done as that farm foretells, in its words; "": it does not say.
    """

    job: str
    status: JobStatus
    published: int = 0
    frames: int = 0
    reason: str = ""
    finish: str = ""
    worked_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FarFrame:
    """A frame that the other farm has published: SHA-256 in hex, size in bytes."""

    frame: int
    hash: str
    size: int


@dataclass(frozen=True, slots=True)
class Handover:
    """All that `next_step` looks at.

    `let_go`: the job has been taken back, whatever becomes of it there. `home` is the job's status here. `told_…` is
    what the other farm was last told; `told_cancel` is written before it is told. `far` is what was just seen there;
    None: it knows no such job. `settled`: it has ended there, and all that it made since is home and checked.
    """

    state: HandoverState
    home: JobStatus
    priority: int
    far: FarJob | None = None
    removed: bool = False
    let_go: bool = False
    shipped: bool = False
    told_paused: bool = True
    told_priority: int | None = None
    told_cancel: bool = False
    settled: bool = False

    @property
    def wanted(self) -> bool:
        """Whether this farm still waits for the job."""
        return not self.let_go and not self.removed and self.home not in TERMINAL_JOBS


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do; for `Step.CLOSE` with the outcome."""

    step: Step
    outcome: Outcome | None = None


def next_step(handover: Handover) -> NextStep:
    """What is to be done next; `WAIT` where nothing is."""
    if handover.state is HandoverState.PENDING:
        return _before_sending(handover)
    if handover.state is HandoverState.SENDING:
        # Whatever is wished by now: only the same submission again tells what became of it.
        return NextStep(Step.SUBMIT)
    if handover.state is HandoverState.CLOSED:
        return NextStep(Step.WAIT)
    return _while_away(handover) if handover.wanted else _not_wanted(handover)


def _before_sending(handover: Handover) -> NextStep:
    if not handover.wanted:
        return NextStep(Step.CLOSE, _end_of(handover))
    if handover.home is JobStatus.PAUSED:
        return NextStep(Step.WAIT)
    return NextStep(Step.SUBMIT if handover.shipped else Step.SHIP)


def _not_wanted(handover: Handover) -> NextStep:
    """The job has ended here, or was taken back: it must not go on there."""
    if handover.far is None or handover.far.status in TERMINAL_JOBS:
        return NextStep(Step.CLOSE, _end_of(handover))
    return NextStep(Step.CANCEL)


def _while_away(handover: Handover) -> NextStep:
    far = handover.far
    if handover.told_cancel and (far is None or far.status is JobStatus.CANCELED):
        # Canceled here, told there, and wanted again since: this handover is over, and routing decides anew.
        return NextStep(Step.CLOSE, Outcome.CANCELED)
    if far is None:
        return NextStep(Step.LOSE)
    if far.status in TERMINAL_JOBS:
        if not handover.settled:
            return NextStep(Step.WAIT)
        # One that succeeded there has ended here too by now, unless a frame of it was not taken.
        return NextStep(Step.END if far.status is JobStatus.CANCELED else Step.FAIL)
    paused = handover.home is JobStatus.PAUSED
    if paused is not handover.told_paused:
        return NextStep(Step.PAUSE if paused else Step.RESUME)
    if handover.priority != handover.told_priority:
        return NextStep(Step.PRIORITISE)
    return NextStep(Step.WAIT)


def _end_of(handover: Handover) -> Outcome:
    if handover.let_go:
        return Outcome.WITHDRAWN
    return {JobStatus.SUCCEEDED: Outcome.HOME, JobStatus.FAILED: Outcome.FAILED}.get(handover.home, Outcome.CANCELED)
