"""What is reported of an attempt: done, failed (and whose fault it was) or handed back. PURE."""

from __future__ import annotations

from scheduler.protocol.work import FailureClass, Lease, Report
from worker.state import Ended, Halt, Held
from worker.telemetry import plain_text


def verdict(held: Held, ended: Ended) -> Report:
    """The report of an attempt whose runner has come back. A complete result counts although it was interrupted."""
    lease = held.lease
    if ended.failed is None and not ended.cancelled:
        return Report(lease.task, lease.attempt, lease.secret, "done", seconds=ended.seconds)
    if held.halt is Halt.TIMEOUT:
        return failure(lease, "user", _timeout_message(lease), seconds=ended.seconds)
    if held.halt is Halt.PREEMPTED:
        return returned(lease, "preempted", "The worker had to leave before the task was done.")
    if ended.failed is not None:
        return ended.failed
    return failure(lease, "infra", "The renderer stopped although nobody had asked it to.", seconds=ended.seconds)


def failure(
    lease: Lease, kind: FailureClass, message: str, *, seconds: float = 0.0, exit_code: int | None = None
) -> Report:
    """A report that an attempt has failed. `kind` decides who pays for the retry; `seconds` is how long it ran."""
    return Report(
        lease.task,
        lease.attempt,
        lease.secret,
        "failed",
        failure=kind,
        message=plain_text(message, MESSAGE_MAX),
        exit_code=exit_code,
        seconds=seconds,
    )


def returned(lease: Lease, kind: FailureClass, message: str) -> Report:
    """A report that hands a lease back unharmed."""
    return Report(lease.task, lease.attempt, lease.secret, "returned", failure=kind, message=message)


def _timeout_message(lease: Lease) -> str:
    return (
        f"The task took longer than timeout_s ({lease.timeout_s:g} s) and was stopped. "
        "Raise timeout_s, or split the frame into tiles."
    )


MESSAGE_MAX = 4000
"""Characters of a failure's message; the whole story is in the task's log."""
