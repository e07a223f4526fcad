"""What the agent knows, as values: held attempts, slots, and what may be asked, named, published and reported. PURE.

Reads only; `worker.transitions` says how one state follows from another. No clock, no I/O, no threads: time is an
argument in seconds of the worker's own monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from scheduler.protocol.work import MAX_REPORTS, Lease, Report, TaskRef
from worker.runners.base import Produced

NEVER = float("-inf")


class Phase(Enum):
    """Where a held attempt stands on its way through the worker."""

    QUEUED = "queued"
    RUNNING = "running"
    PUBLISHING = "publishing"
    REPORTING = "reporting"


class Halt(Enum):
    """Why a running task was asked to stop."""

    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    PREEMPTED = "preempted"


class Mode(Enum):
    """WORKING asks for work; LEAVING finishes what runs and goes; STOPPING goes at once."""

    WORKING = "working"
    LEAVING = "leaving"
    STOPPING = "stopping"


@dataclass(frozen=True)
class Limits:
    """The settings that decisions depend on. Times in seconds."""

    slots: int = 1
    prefetch: int = 1
    prefetch_task_s_max: float = 10.0
    prefetch_hold_s: float = 15.0
    fence_margin_s: float = 2.0
    stuck_s: float = 60.0
    save_s: float = 4.0
    backlog_max: int = 8


@dataclass(frozen=True)
class Held:
    """One attempt that this worker holds. `since` is when it entered its phase.

    `renewed_at` is when the last sync was *sent* whose answer renewed the lease: the scheduler's own deadline can
    only be later. `late` says that the scheduler no longer counts the attempt as running, so that finished work is
    offered once and the scheduler's fence decides. `in_flight` marks a report that is travelling.
    """

    lease: Lease
    phase: Phase
    renewed_at: float
    since: float
    slot: int | None = None
    halt: Halt | None = None
    halted_at: float = 0.0
    late: bool = False
    report: Report | None = None
    in_flight: bool = False


@dataclass(frozen=True)
class AgentState:
    """Everything that decisions depend on. `busy` maps a slot to the attempt its thread is in, `slot_jobs` to the job
    it ran last; `last_task_s` is how long the last finished task took (none: nothing has finished yet); `leaving` is
    what the scheduler is told of why the worker goes."""

    limits: Limits
    held: Mapping[TaskRef, Held] = field(default_factory=dict[TaskRef, Held])
    busy: Mapping[int, TaskRef] = field(default_factory=dict[int, TaskRef])
    slot_jobs: Mapping[int, str] = field(default_factory=dict[int, str])
    mode: Mode = Mode.WORKING
    draining: bool = False
    drain_told_at: float = NEVER
    blocked: str = ""
    last_task_s: float | None = None
    leave_by: float | None = None
    leaving: str = ""


@dataclass(frozen=True)
class Ended:
    """How a runner's call ended: files when it succeeded, else whose fault it was; `cancelled` when it was stopped, and
    then its file is a checkpoint, if there is one."""

    seconds: float
    files: tuple[Produced, ...] = ()
    failed: Report | None = None
    cancelled: bool = False


def ref_of(lease: Lease) -> TaskRef:
    """The attempt that a lease is for."""
    return TaskRef(task=lease.task, attempt=lease.attempt)


def want(state: AgentState) -> int:
    """How many more leases to ask for: free slots, and a few beyond while tasks are short.

    A long task must not hold a second lease that another worker could run now, so prefetching follows from how long
    the last task took.
    """
    if state.mode is not Mode.WORKING or state.draining or state.blocked:
        return 0
    if sum(held.phase is Phase.PUBLISHING for held in state.held.values()) >= state.limits.backlog_max:
        return 0
    short = state.last_task_s is not None and state.last_task_s <= state.limits.prefetch_task_s_max
    ahead = state.limits.prefetch if short else 0
    return max(0, state.limits.slots + ahead - len(state.busy) - len(queued(state)))


def starved(state: AgentState) -> bool:
    """A slot is idle and nothing waits for it: asking for work cannot wait for company."""
    return len(state.busy) + len(queued(state)) < state.limits.slots


def queued(state: AgentState) -> list[TaskRef]:
    """Leases that wait for a slot, oldest first."""
    return [ref for ref, held in state.held.items() if held.phase is Phase.QUEUED]


def named(state: AgentState) -> list[TaskRef]:
    """Attempts to name in a sync, which renews them: all but the cancelled and those whose report is travelling."""
    return [ref for ref, held in state.held.items() if not held.in_flight and held.halt is not Halt.CANCELLED]


def fence_at(held: Held, margin_s: float) -> float:
    """When publishing must stop, on the worker's own clock."""
    return held.renewed_at + held.lease.lease_s - margin_s


def may_publish(state: AgentState, ref: TaskRef, now: float) -> bool:
    """Is the right to publish certain (not yet at the fence), or is the scheduler's own fence about to decide?"""
    held = state.held.get(ref)
    return held is not None and (held.late or now < fence_at(held, state.limits.fence_margin_s))


def sendable(state: AgentState, now: float) -> list[TaskRef]:
    """Attempts whose report may travel now, oldest first, at most as many as a sync carries."""
    ready = [
        ref
        for ref, held in state.held.items()
        if held.phase is Phase.REPORTING
        and held.report is not None
        and not held.in_flight
        and (held.report.outcome != "done" or may_publish(state, ref, now))
    ]
    return ready[:MAX_REPORTS]


def renew_due_at(state: AgentState, renew_s: float) -> float | None:
    """When the next renewal must be sent at the latest; None when nothing is held."""
    times = [state.held[ref].renewed_at for ref in named(state) if not state.held[ref].late]
    return min(times) + renew_s if times else None


def finished(state: AgentState) -> bool:
    """The worker is leaving and nothing is left to do or to say."""
    return state.mode is not Mode.WORKING and not state.held and not state.busy


def rendering(state: AgentState) -> bool:
    """Does any slot still work?"""
    return bool(state.busy)
