"""How an attempt ends: completed, delivered (files to be verified), failed, given back, expired.

Each function is one conditional statement behind the fence (task, attempt, secret) and what follows from it. False
means stale: nothing was changed, and the worker must drop the work.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from scheduler.domain.handover import SITE_WORKER
from scheduler.domain.retrying import FailedAttempt, FailureClass, RetryDecision, decide_retry
from scheduler.domain.states import AttemptStatus, TaskStatus
from scheduler.protocol.work import Report
from scheduler.service.ledger import Ledger
from scheduler.service.suspecting import judge
from scheduler.store import hot
from scheduler.store.transaction import Transaction

MESSAGE_MAX = 4000
"""Characters of a failure message that are kept."""

_OPEN_ATTEMPTS = (AttemptStatus.LEASED.value, AttemptStatus.LOST.value)


class Fence(NamedTuple):
    """What every write of a worker must name: the task, its attempt, and the lease's secret."""

    task: int
    attempt: int
    secret: str


class Current(NamedTuple):
    """The row of `hot.CURRENT`: the task as the attempt that holds it sees it."""

    step: int
    job: int
    worker: str
    status: str
    failures: int
    troubles: int
    attempt_status: str
    leased_at: float
    max_attempts: int


def _current(tx: Transaction, report: Report) -> Current | None:
    """The task, if the report passes the fence."""
    rows = tx.rows(hot.CURRENT, (report.task, report.attempt, report.secret))
    return Current(*rows[0]) if rows else None


def complete(
    tx: Transaction,
    ledger: Ledger,
    fence: Fence,
    *,
    seconds: float | None = None,
    output: dict[str, Any] | None = None,
    doubted: bool = True,
) -> bool:
    """The task has succeeded. Late work of a lost lease counts as long as nobody else has taken the task.

    `doubted` False: the worker is known to be in good standing, so that its success is no news.
    """
    task, attempt, secret = fence
    text = json.dumps(output) if output is not None else None
    before = TaskStatus.LEASED
    rows = tx.rows(hot.COMPLETE, (text, task, attempt, secret, before.value))
    if not rows:
        before = TaskStatus.READY
        rows = tx.rows(hot.COMPLETE, (text, task, attempt, secret, before.value))
    if not rows:
        return False
    step_id, feeds, worker = rows[0]
    ledger.move(int(step_id), before, TaskStatus.SUCCEEDED)
    ledger.end_lease(task, attempt)
    tx.run(hot.ATTEMPT_SUCCEEDED, (ledger.now_s, seconds, task, attempt))
    if feeds is not None:
        _feed(tx, ledger, int(feeds))
    if doubted:
        judge(tx, ledger, worker, succeeded=True, seconds=seconds or 0.0, failure=FailureClass.INFRA)
    return True


def _feed(tx: Transaction, ledger: Ledger, reducer: int) -> None:
    """One part less for the reducer to wait for."""
    waiting, step_id, status = tx.rows(hot.FEED, (reducer,))[0]
    if int(waiting) <= 0 and status == TaskStatus.BLOCKED.value and tx.run(hot.UNBLOCK, (reducer,)):
        ledger.move(int(step_id), TaskStatus.BLOCKED, TaskStatus.READY)


def deliver(tx: Transaction, ledger: Ledger, report: Report) -> bool:
    """The attempt's files are staged; from now on the scheduler itself holds the lease until they are published."""
    current = _current(tx, report)
    if current is None:
        return False
    held = current.status in (TaskStatus.LEASED.value, TaskStatus.READY.value)
    if not held or current.attempt_status not in _OPEN_ATTEMPTS:
        # The same delivery again (its answer was lost) is taken again; whatever else is stale.
        return current.attempt_status == AttemptStatus.PUBLISHING.value
    manifest = msgspec.json.encode(report.files).decode()
    tx.run(hot.ATTEMPT_DELIVERED, (manifest, report.seconds, report.task, report.attempt))
    if tx.run(hot.HOLD, (report.task, report.attempt)):
        ledger.move(current.step, TaskStatus.READY, TaskStatus.LEASED)
    ledger.end_lease(report.task, report.attempt)
    return True


def fail(tx: Transaction, ledger: Ledger, report: Report, *, other_workers: bool) -> bool:
    """The attempt has failed: try again, elsewhere, later, or give the task up."""
    current = _current(tx, report)
    if current is None or current.status != TaskStatus.LEASED.value:
        return False
    failure, worker = FailureClass(report.failure), current.worker
    spent, pause_s = (current.failures, current.troubles, current.max_attempts), max(0.0, report.retry_after_s)
    decision = decide_retry(FailedAttempt(failure, *spent, other_workers, pause_s))
    after = TaskStatus.READY if decision.retry else TaskStatus.FAILED
    if after is TaskStatus.READY and worker.startswith(SITE_WORKER) and tx.rows(hot.LACKS_PARTS, (report.task,)):
        after = TaskStatus.BLOCKED
    message = report.message[:MESSAGE_MAX]
    if not _release(tx, ledger.now_s, report, decision, after, worker):
        return False
    ledger.move(current.step, TaskStatus.LEASED, after)
    ledger.end_lease(report.task, report.attempt)
    status = AttemptStatus.LOST if failure is FailureClass.LOST else AttemptStatus.FAILED
    seconds = report.seconds or max(0.0, ledger.now_s - current.leased_at)
    ended = (status.value, ledger.now_s, seconds, failure.value, message, report.exit_code, report.task, report.attempt)
    tx.run(hot.ATTEMPT_ENDED, ended)
    kind = "task.retried" if decision.retry else "task.failed"
    ledger.event(
        tx, kind, job=current.job, task=report.task, attempt=report.attempt, worker=worker,
        failure=failure.value, message=message, reason=decision.reason,
    )  # fmt: skip
    if failure is not FailureClass.LOST:
        judge(tx, ledger, worker, succeeded=False, seconds=seconds, failure=failure)
    return True


def _release(
    tx: Transaction, now_s: float, report: Report, decision: RetryDecision, after: TaskStatus, worker: str
) -> bool:
    parameters = (
        after.value,
        decision.user_failures,
        decision.troubles,
        report.message[:MESSAGE_MAX],
        worker if decision.avoid_s else None,
        now_s + decision.avoid_s if decision.avoid_s else None,
        now_s + decision.delay_s if decision.delay_s else None,
        report.task,
        report.attempt,
    )
    return tx.run(hot.RELEASE, parameters) > 0


def give_back(tx: Transaction, ledger: Ledger, report: Report) -> bool:
    """The worker returns the lease unharmed: nobody pays for it. What it delivered as a checkpoint stays in its row."""
    current = _current(tx, report)
    if current is None or current.status != TaskStatus.LEASED.value:
        return False
    spent = (current.failures, current.troubles)
    released = (TaskStatus.READY.value, *spent, None, None, None, None, report.task, report.attempt)
    if not tx.run(hot.RELEASE, released):
        return False
    ledger.move(current.step, TaskStatus.LEASED, TaskStatus.READY)
    ledger.end_lease(report.task, report.attempt)
    status, message = AttemptStatus.RETURNED.value, report.message[:MESSAGE_MAX] or None
    failure = report.failure if report.failure == FailureClass.PREEMPTED.value else None
    ended = (status, ledger.now_s, report.seconds, failure, message, None, report.task, report.attempt)
    tx.run(hot.ATTEMPT_ENDED, ended)
    return True


def is_checkpoint(report: Report) -> bool:
    """Does the report hand over a checkpoint, and the lease with it?"""
    return report.outcome == "returned" and [file.kind for file in report.files] == ["checkpoint"]


def reclaim(tx: Transaction, ledger: Ledger, worker: str, task: int, attempt: int) -> tuple[int, int] | None:
    """The worker was lost, is back, and still works on the task: the lease is its own again, unless it went elsewhere.

    Returns the task's (step, job), or None where the lease has gone.
    """
    rows = tx.rows(hot.RECLAIM, (task, attempt, worker))
    if not rows:
        return None
    step_id, job_id = rows[0]
    ledger.move(int(step_id), TaskStatus.READY, TaskStatus.LEASED)
    tx.run(hot.ATTEMPT_RECLAIMED, (task, attempt))
    ledger.event(tx, "task.reclaimed", job=int(job_id), task=task, attempt=attempt, worker=worker)
    return int(step_id), int(job_id)


def expire(tx: Transaction, ledger: Ledger, task: int, attempt: int, *, other_workers: bool) -> bool:
    """The worker was not heard of in time. Its secret stays valid until the task is leased again."""
    rows = tx.rows(hot.SECRET, (task, attempt))
    if not rows:
        return False
    report = Report(task, attempt, rows[0][0], "failed", failure="lost", message="the worker was not heard of any more")
    return fail(tx, ledger, report, other_workers=other_workers)
