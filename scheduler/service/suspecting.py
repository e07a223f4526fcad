"""Doubting workers: one that fails fast several times in a row goes on probation, one that succeeds is redeemed."""

from __future__ import annotations

from scheduler.domain.retrying import FailureClass, WorkerRecord, judge_worker
from scheduler.domain.states import WORKER_TRANSITIONS, WorkerEvent, WorkerStatus, may, step
from scheduler.service.ledger import Ledger
from scheduler.store import hot
from scheduler.store.transaction import Transaction


def judge(
    tx: Transaction, ledger: Ledger, worker: str, *, succeeded: bool, seconds: float, failure: FailureClass
) -> None:
    """Note what an ended attempt says about its worker."""
    rows = tx.rows(hot.WORKER_RECORD, (worker,))
    if not rows:
        return
    status, record = (
        WorkerStatus(rows[0][0]),
        WorkerRecord(rows[0][1], rows[0][2], rows[0][0] == WorkerStatus.PROBATION),
    )
    verdict = judge_worker(record, succeeded=succeeded, seconds=seconds, failure=failure)
    if verdict.record == record and not verdict.redeem:
        return
    event = WorkerEvent.REDEEM if verdict.redeem else WorkerEvent.SUSPECT if verdict.suspect else None
    after = step(WORKER_TRANSITIONS, status, event) if event and may(WORKER_TRANSITIONS, status, event) else status
    canary_at = ledger.now_s + verdict.pause_s if verdict.pause_s else None
    tx.run(hot.WORKER_JUDGED, (after.value, verdict.record.fast_failures, verdict.record.probations, canary_at, worker))
    ledger.workers_moved[worker] = (after, canary_at, verdict.record.fast_failures > 0 or verdict.record.on_probation)
    if after is not status:
        ledger.event(tx, "worker.status", worker=worker, old=status.value, new=after.value, pause_s=verdict.pause_s)
