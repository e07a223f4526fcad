"""What follows a failed attempt: try again, elsewhere, later, or give up; and when a worker is to be doubted.

Only failures of class `user` spend the job's `max_attempts`: a licence server that is down, a pre-empted machine or a
full disk is not the artist's fault. Those have a bound of their own, so that no task circles for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TROUBLES_MAX = 20
"""Failures that are not the user's, after which a task fails all the same."""

ELSEWHERE_S = 60.0
"""For how long a task that failed prefers any other worker."""

FAST_FAILURE_S = 10.0
"""A failure sooner than this after its lease counts against the worker."""

FAST_FAILURES_MAX = 3
"""So many fast failures in a row put a worker on probation."""

PROBATION_FIRST_S = 60.0
PROBATION_MAX_S = 3600.0
"""First and longest interval between two canary tasks of a worker on probation."""

_BACKOFF_FIRST_S = {"user": 0.0, "infra": 1.0, "licence": 15.0, "preempted": 0.0, "lost": 0.0}
_BACKOFF_MAX_S = 300.0


class FailureClass(StrEnum):
    """Whose fault a failure is."""

    USER = "user"
    INFRA = "infra"
    LICENCE = "licence"
    PREEMPTED = "preempted"
    LOST = "lost"


@dataclass(frozen=True)
class FailedAttempt:
    """What is known when an attempt has failed.

    `user_failures` and `troubles` count earlier failures of the task; `other_workers` tells whether any other
    worker could take it.
    """

    failure: FailureClass
    user_failures: int
    troubles: int
    max_attempts: int
    other_workers: bool
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class RetryDecision:
    """Whether the task goes back to READY, when at the earliest, and whether it should go elsewhere."""

    retry: bool
    user_failures: int
    troubles: int
    delay_s: float
    avoid_s: float
    reason: str


def decide_retry(attempt: FailedAttempt) -> RetryDecision:
    """The decision for one failed attempt."""
    blames_user = attempt.failure is FailureClass.USER
    user_failures = attempt.user_failures + (1 if blames_user else 0)
    troubles = attempt.troubles + (0 if blames_user else 1)
    if blames_user and user_failures >= attempt.max_attempts:
        reason = f"failed {user_failures} of {attempt.max_attempts} attempts"
        return RetryDecision(False, user_failures, troubles, 0.0, 0.0, reason)
    if troubles >= TROUBLES_MAX:
        reason = f"{troubles} attempts were lost to trouble on the farm (last: {attempt.failure.value})"
        return RetryDecision(False, user_failures, troubles, 0.0, 0.0, reason)
    delay_s = max(attempt.retry_after_s, _backoff_s(attempt.failure, troubles))
    avoids = attempt.other_workers and attempt.failure is not FailureClass.PREEMPTED
    reason = f"{attempt.failure.value} failure, tried again" + (" elsewhere" if avoids else "")
    return RetryDecision(True, user_failures, troubles, delay_s, ELSEWHERE_S if avoids else 0.0, reason)


def _backoff_s(failure: FailureClass, troubles: int) -> float:
    """Doubles with each trouble, from the class's first delay."""
    return min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S[failure.value] * 2.0 ** max(0, troubles - 1))


@dataclass(frozen=True)
class WorkerRecord:
    """A worker's recent history: fast failures in a row, and how often it has been on probation."""

    fast_failures: int = 0
    probations: int = 0
    on_probation: bool = False


@dataclass(frozen=True)
class WorkerVerdict:
    """The record after an attempt, whether the worker's state changes, and when it may have its next canary."""

    record: WorkerRecord
    suspect: bool = False
    redeem: bool = False
    pause_s: float = 0.0


def judge_worker(record: WorkerRecord, *, succeeded: bool, seconds: float, failure: FailureClass) -> WorkerVerdict:
    """What an ended attempt says about its worker.

    A worker that fails three tasks in a row within ten seconds each is a black hole: it would eat the whole queue.
    On probation it gets one task at a time; a success redeems it, a failure doubles the pause.
    """
    if succeeded:
        return WorkerVerdict(
            WorkerRecord(0, record.probations if record.on_probation else 0), redeem=record.on_probation
        )
    if failure in (FailureClass.PREEMPTED, FailureClass.LICENCE) or seconds >= FAST_FAILURE_S:
        return WorkerVerdict(record)
    fast_failures = record.fast_failures + 1
    if not record.on_probation and fast_failures < FAST_FAILURES_MAX:
        return WorkerVerdict(WorkerRecord(fast_failures, record.probations))
    pause_s = min(PROBATION_MAX_S, PROBATION_FIRST_S * 2.0**record.probations)
    doubted = WorkerRecord(fast_failures, record.probations + 1, on_probation=True)
    return WorkerVerdict(doubted, suspect=not record.on_probation, pause_s=pause_s)
