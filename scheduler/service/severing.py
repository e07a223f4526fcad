"""What becomes of a worker whose machine goes: it takes nothing new, or it is lost at once with all that it held.

A machine that is gone is no guess, so nobody waits for its leases to run out, and no user's retries are spent.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlmodel import col, select

from scheduler.domain.states import WORKER_TRANSITIONS, WorkerEvent, WorkerStatus, may
from scheduler.protocol.work import FailureClass, Report
from scheduler.service.ending import fail
from scheduler.service.ledger import Ledger
from scheduler.service.live import Live
from scheduler.service.registering import worker_event
from scheduler.store import hot
from scheduler.store.tables import Token, Worker
from scheduler.store.transaction import Transaction


class Held(NamedTuple):
    """A lease by what names it."""

    task: int
    attempt: int


def held_by(live: Live, worker: str) -> list[Held]:
    """The leases that a worker holds now."""
    known = live.workers.get(worker)
    return [Held(lease.task, lease.attempt) for lease in known.leases.values()] if known else []


def sever(
    tx: Transaction, ledger: Ledger, worker: str, held: list[Held], *, preempted: bool, other_workers: bool
) -> None:
    """The worker's machine is gone: its leases go back to the queue, and its token is worth nothing any more.

    Its row stays, for what its attempts have cost; memory forgets it (`Live.forget`).
    """
    failure = "preempted" if preempted else "lost"
    words = "the provider took its machine back" if preempted else "its machine is gone"
    take_back(tx, ledger, held, failure=failure, message=words, other_workers=other_workers)
    row = tx.session.get(Worker, worker)
    if row is None:
        return
    row.drain = True
    for token in tx.session.exec(select(Token).where(Token.worker == worker, col(Token.revoked_at).is_(None))).all():
        token.revoked_at = ledger.now_s
    tx.session.flush()
    if may(WORKER_TRANSITIONS, WorkerStatus(row.status), WorkerEvent.LOSE):
        worker_event(tx, ledger, worker, WorkerEvent.LOSE)


def take_back(
    tx: Transaction, ledger: Ledger, held: list[Held], *, failure: FailureClass, message: str, other_workers: bool
) -> None:
    """End leases that are still out, as failures of a kind that spends nobody's retries."""
    for task, attempt in held:
        rows = tx.rows(hot.SECRET, (task, attempt))
        if rows:
            report = Report(task, attempt, rows[0][0], "failed", failure=failure, message=message)
            fail(tx, ledger, report, other_workers=other_workers)


def drain_row(tx: Transaction, ledger: Ledger, worker: str) -> str:
    """A worker takes nothing new, inside a larger change; returns its id, or nothing if there is no such worker."""
    row = tx.session.get(Worker, worker) if worker else None
    if row is None:
        return ""
    row.drain = True
    tx.session.flush()
    if may(WORKER_TRANSITIONS, WorkerStatus(row.status), WorkerEvent.DRAIN):
        worker_event(tx, ledger, worker, WorkerEvent.DRAIN)
    return worker
