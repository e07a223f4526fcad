"""Delivery of finished work: spool what was costly, hash, stage files, send the log's end; then the report may go.

Threads of its own, so that a slot renders on meanwhile. What cannot be delivered (outage, full disk, fence reached)
is parked, safe in the spool, and offered again in the order in which it was finished.
"""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from scheduler.protocol.work import OutputFile, Report, TaskRef
from worker.answers import CallFailed, Refused, StaleAttempt, Unreachable
from worker.backoff import Backoff
from worker.client import SchedulerClient
from worker.clock import Clock
from worker.logs import LogShipper
from worker.settings import WorkerSettings
from worker.spool import Finished, Spool, SpoolFull
from worker.telemetry import logger
from worker.transfers import sha256_of
from worker.verdicts import failure

ERRORS_MAX = 10
"""Answers that are errors of the scheduler (such as 500) after which a result is given up."""

NOT_NOW = frozenset({0, 408, 425, 429, 503})
"""No answer, or one that says to try later: never a reason to give up."""

_log = logger("uploads")


class DeliveryListener(Protocol):
    """What the agent lends to delivery, and what it is told."""

    def may_publish(self, ref: TaskRef) -> bool:
        """Is the right to publish this attempt certain at this moment?"""
        ...

    def published(self, ref: TaskRef, report: Report) -> None:
        """All files are staged; the report may go."""
        ...

    def dropped(self, ref: TaskRef, why: str) -> None:
        """The attempt is not ours any more."""
        ...


class FenceReached(Exception):
    """The lease may have ended: nothing more is published until the scheduler has been heard."""


@dataclass(frozen=True)
class _Tools:
    client: SchedulerClient
    spool: Spool
    logs: LogShipper
    clock: Clock


@dataclass(frozen=True)
class _Batch:
    """Work to deliver in this order; `retry` if it was parked before."""

    items: Sequence[Finished]
    retry: bool = False


class Deliveries:
    """The queue of finished work. `loop` is run by each upload thread, `tick` by the agent's main loop."""

    def __init__(
        self,
        settings: WorkerSettings,
        listener: DeliveryListener,
        *,
        client: SchedulerClient,
        spool: Spool,
        logs: LogShipper,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._spool_after_s, self._listener = settings.spool_after_s, listener
        self._tools = _Tools(client, spool, logs, clock)
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._known: dict[TaskRef, Finished] = {}
        self._parked: list[TaskRef] = []
        self._retrying = False
        self._errors: dict[TaskRef, int] = {}
        self._backoff = Backoff(settings.backoff_base_s, settings.backoff_cap_s, rng)
        self._retry_at = 0.0

    def submit(self, *batch: Finished) -> None:
        """Deliver these, one after the other, as soon as a thread is free."""
        with self._lock:
            self._known.update((finished.ref, finished) for finished in batch)
        self._queue.put(_Batch(batch))

    def remember(self, finished: Finished) -> None:
        """A report without files or log goes straight to the scheduler; `save` must know of it all the same."""
        with self._lock:
            self._known[finished.ref] = finished

    def forget(self, ref: TaskRef) -> None:
        """Delivered or dropped: remove what the spool has of it."""
        with self._lock:
            finished = self._known.pop(ref, None)
            self._errors.pop(ref, None)
            if ref in self._parked:
                self._parked.remove(ref)
        if finished is not None and finished.row is not None:
            self._tools.spool.remove(ref)

    def tick(self, now: float, *, online: bool) -> None:
        """Offer parked work again when the scheduler answers and the last refusal is long enough ago."""
        with self._lock:
            if not online or not self._parked or self._retrying or now < self._retry_at:
                return
            ready = [self._known[ref] for ref in self._parked if ref in self._known]
            self._parked.clear()
            self._retrying = True
        self._queue.put(_Batch(ready, retry=True))

    def parked(self) -> tuple[TaskRef, ...]:
        """Attempts that wait to be offered again, in the order in which they will be."""
        with self._lock:
            return tuple(self._parked)

    def save(self) -> None:
        """Put everything that has not been delivered into the spool: before the worker goes, or in an outage."""
        with self._lock:
            unsaved = [finished for finished in self._known.values() if finished.row is None]
        for finished in unsaved:
            self._spooled(finished)

    def loop(self) -> None:
        """An upload thread. Fresh work queues up behind parked work, so that the order is kept."""
        while (batch := self._queue.get()) is not None:
            outage = False
            for finished in batch.items:
                with self._lock:
                    behind = not batch.retry and (self._retrying or bool(self._parked))
                if outage or behind:
                    self._park(finished)
                else:
                    outage = not self._deliver(finished)
            if batch.retry:
                with self._lock:
                    self._retrying = False

    def close(self, threads: int) -> None:
        """End the upload threads."""
        for _ in range(threads):
            self._queue.put(None)

    def _deliver(self, finished: Finished) -> bool:
        """Deliver or park; False when the scheduler cannot be reached, so that the others need not be tried."""
        if finished.row is None and finished.report.seconds >= self._spool_after_s and finished.files:
            finished = self._spooled(finished)
        try:
            report = self._staged(finished)
            self._end_log(finished.ref)
        except StaleAttempt as error:
            self._listener.dropped(finished.ref, error.code or "stale_attempt")
            return True
        except (Refused, OSError) as error:
            report = self._refused(finished, str(error))
        except (CallFailed, FenceReached) as error:
            if not self._hopeless(finished.ref, error):
                self._wait_after(finished.ref, error)
                self._park(finished)
                return not (isinstance(error, Unreachable) and error.status in NOT_NOW)
            report = self._refused(finished, str(error))
        with self._lock:
            self._backoff.reset()
            self._errors.pop(finished.ref, None)
        self._listener.published(finished.ref, report)
        return True

    def _refused(self, finished: Finished, reason: str) -> Report:
        _log.error("delivery_refused", task=finished.ref.task, attempt=finished.ref.attempt, reason=reason)
        return failure(finished.lease, "infra", f"The result could not be delivered: {reason}")

    def _hopeless(self, ref: TaskRef, error: Exception) -> bool:
        """A scheduler that answers, and fails again and again over one result, will not take it."""
        if not isinstance(error, Unreachable) or error.status in NOT_NOW:
            return False
        with self._lock:
            self._errors[ref] = self._errors.get(ref, 0) + 1
            return self._errors[ref] >= ERRORS_MAX

    def _wait_after(self, ref: TaskRef, error: Exception) -> None:
        asked_s = error.retry_after_s if isinstance(error, CallFailed) else 0.0
        reason = str(error) or "the lease may have ended"
        with self._lock:
            delay_s = self._backoff.next_s(asked_s)
            self._retry_at = self._tools.clock.monotonic() + delay_s
        _log.info("delivery_waits", task=ref.task, attempt=ref.attempt, reason=reason, retry_s=round(delay_s, 2))

    def _staged(self, finished: Finished) -> Report:
        """Put every file; returns the report with what was put."""
        files: list[OutputFile] = []
        for file in finished.files:
            if not self._listener.may_publish(finished.ref):
                raise FenceReached
            sha256 = sha256_of(file.path)
            lease = finished.lease
            self._tools.client.transfers.put(
                finished.ref, lease.secret, file.path, sha256, direct=lease.direct, seal=lease.seal
            )
            size = file.path.stat().st_size
            files.append(OutputFile(file.name, size, sha256, file.kind, file.frame, file.meta))
        return msgspec.structs.replace(finished.report, files=files)

    def _end_log(self, ref: TaskRef) -> None:
        """Send the log's end before the report. A scheduler that answers but takes no log must not cost the result."""
        try:
            self._tools.logs.flush(ref)
        except StaleAttempt:
            raise
        except CallFailed as error:
            if error.status == 0:
                raise
            _log.warning("log_lost", task=ref.task, attempt=ref.attempt, reason=error.message)

    def _park(self, finished: Finished) -> None:
        if finished.row is None:
            finished = self._spooled(finished)
        with self._lock:
            if finished.ref in self._known:
                self._parked.append(finished.ref)
                self._parked.sort(key=_order(self._known))

    def _spooled(self, finished: Finished) -> Finished:
        """The work as the spool has it; unchanged when the spool is full, which is better than losing it."""
        stream = self._tools.logs.get(finished.ref)
        if stream is not None:
            offset, rest = stream.remainder()
            finished = replace(finished, log_offset=offset, log=rest)
        try:
            kept = self._tools.spool.add(finished)
        except SpoolFull as error:
            if finished.ref in self._known:  # else it was delivered or dropped meanwhile, and its files are gone
                _log.error("spool_full", task=finished.ref.task, attempt=finished.ref.attempt, reason=str(error))
            return finished
        with self._lock:
            if finished.ref in self._known:
                self._known[finished.ref] = kept
                return kept
        self._tools.spool.remove(finished.ref)  # dropped while it was being written
        return kept


def _order(known: dict[TaskRef, Finished]) -> Callable[[TaskRef], float]:
    """By row; what could not be spooled comes last."""
    return lambda ref: row if (row := known[ref].row) is not None else float("inf")
