"""What the agent decides to do, as data: the vocabulary between `worker.transitions` and the shell that obeys. PURE."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.protocol.work import Lease, Report, TaskRef
from worker.runners.base import Produced
from worker.state import AgentState, Halt

ACCEPTED = frozenset({200, 201, 202})
RETRIED = frozenset({429, 500, 502, 503, 504, 507})
"""Answers to a report after which it is sent again."""


@dataclass(frozen=True)
class Accept:
    """Record the lease and fetch what it needs while it waits for a slot."""

    lease: Lease


@dataclass(frozen=True)
class Start:
    """Run the lease in this slot."""

    lease: Lease
    slot: int


@dataclass(frozen=True)
class Interrupt:
    """Ask the running task to stop; `keep`: and to hand over what it has so far."""

    ref: TaskRef
    halt: Halt
    keep: bool = False


@dataclass(frozen=True)
class Publish:
    """Deliver the files and the log of an attempt that has ended, then its report (whose `files` are still empty)."""

    lease: Lease
    report: Report
    files: tuple[Produced, ...]


@dataclass(frozen=True)
class Forget:
    """The attempt is over for this worker: remove what is left of it. `why` is for the log."""

    ref: TaskRef
    why: str


@dataclass(frozen=True)
class Abandon:
    """The task did not stop when asked to; its slot stays busy until it does."""

    ref: TaskRef


Action = Accept | Start | Interrupt | Publish | Forget | Abandon


@dataclass(frozen=True)
class Step:
    """The next state, and what the shell has to do."""

    state: AgentState
    actions: tuple[Action, ...] = ()

    def then(self, following: Step) -> Step:
        """This step's actions before the following one's."""
        return Step(following.state, self.actions + following.actions)


@dataclass(frozen=True)
class Asked:
    """A sync as it was sent: when, which attempts it named (and so renews), whose reports it carried."""

    sent_at: float
    named: frozenset[TaskRef] = frozenset()
    reported: frozenset[TaskRef] = frozenset()
