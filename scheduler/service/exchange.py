"""The transaction of the hot road: end what a worker reports, lease what it may have, in one change.

Only reports that need nothing but the fence are ended here; files go through `publishing`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.domain.states import TaskStatus
from scheduler.protocol.work import Ack, Input, Lease, Report, SampleSlice, Scene, Tile
from scheduler.routing.machines import Needs
from scheduler.service.ending import Fence, complete, deliver, fail, give_back, is_checkpoint
from scheduler.service.ledger import Ledger
from scheduler.service.plan import StepCard
from scheduler.store import hot
from scheduler.store.transaction import Transaction

FILELESS_RENDERER = "null"
"""The one renderer whose tasks make no files."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take at most `count` tasks of this step."""

    card: StepCard
    count: int
    priority: int


@dataclass(slots=True)
class Granted:
    """A lease with what memory must know of it."""

    lease: Lease
    step: int
    job: int
    needs: Needs


class SomeStale(Exception):
    """Not every report of the short way was current; nothing was changed, the long way will tell which."""


@dataclass
class Exchange:
    """One worker's exchange: what it hands over and what it may take.

    `plain` maps tasks without output, whose leases are in memory, to their steps: their reports are ended all at once.
    """

    worker: str
    reports: Sequence[Report]
    takes: Sequence[Take]
    want: int
    lease_s: float
    other_workers: bool
    doubted: bool
    started_jobs: set[int]
    fileless: frozenset[int]
    plain: Mapping[int, int]
    ledger: Ledger
    direct: Callable[[int, int], str] | None = None
    """The key that seals what an attempt puts into the store itself; None: it sends its files to the scheduler."""
    acks: list[Ack] = field(default_factory=list)
    granted: list[Granted] = field(default_factory=list)
    delivered: list[tuple[int, int]] = field(default_factory=list)

    def run(self, tx: Transaction) -> Exchange:
        """Runs in the writer's thread, inside its savepoint.

        Raises:
            SomeStale: the short way found a stale report.
        """
        if self.plain and not self.doubted:
            self._end_plain(tx)
        else:
            for report in self.reports:
                self.acks.append(self._end(tx, report))
        for take in self.takes:
            if len(self.granted) >= self.want:
                break
            self._take(tx, take, min(take.count, self.want - len(self.granted)))
        self.ledger.settle(tx, started_jobs=self.started_jobs)
        return self

    def _end_plain(self, tx: Transaction) -> None:
        """Every report is of a task without output: two statements for all of them."""
        now_s = self.ledger.now_s
        fences = [(report.task, report.attempt, report.secret) for report in self.reports]
        if tx.run_many(hot.COMPLETE_PLAIN, fences) != len(fences):
            raise SomeStale
        tx.run_many(hot.ATTEMPT_SUCCEEDED, [(now_s, r.seconds, r.task, r.attempt) for r in self.reports])
        for report in self.reports:
            self.ledger.move(self.plain[report.task], TaskStatus.LEASED, TaskStatus.SUCCEEDED)
            self.ledger.end_lease(report.task, report.attempt)
            self.acks.append(Ack(report.task, report.attempt, 200))

    def _end(self, tx: Transaction, report: Report) -> Ack:
        if report.outcome == "done" and not report.files and report.task in self.fileless:
            fence = Fence(report.task, report.attempt, report.secret)
            ok = complete(tx, self.ledger, fence, seconds=report.seconds, doubted=self.doubted)
        elif report.outcome == "done" or is_checkpoint(report):
            ok = deliver(tx, self.ledger, report)
            if ok:
                self.delivered.append((report.task, report.attempt))
                return Ack(report.task, report.attempt, 202)
        elif report.outcome == "returned":
            ok = give_back(tx, self.ledger, report)
        else:
            ok = fail(tx, self.ledger, report, other_workers=self.other_workers)
        return Ack(report.task, report.attempt, 200) if ok else Ack(report.task, report.attempt, 409, "stale_attempt")

    def _take(self, tx: Transaction, take: Take, count: int) -> None:
        card, now_s = take.card, self.ledger.now_s
        rows = tx.rows(hot.READY_TASKS, (card.step, now_s, self.worker, now_s, card.job, count))
        if not rows:
            return
        secret = secrets.token_hex(16)
        tx.run_many(hot.LEASE, [(row[1], self.worker, secret, row[0]) for row in rows])
        tx.run_many(hot.ATTEMPT_OPEN, [(row[0], row[1], self.worker, now_s) for row in rows])
        for task, attempt, frames, tile, part, feeds in rows:
            lease = _lease(take, int(task), int(attempt), secret, self.lease_s)
            lease.frames = [int(frame) for frame in frames.split(",")]
            lease.tile = _tile(tile)
            lease.slice = _slice(part)
            lease.partial = feeds is not None
            if self.direct is not None:
                lease.direct, lease.seal = True, self.direct(int(task), int(attempt))
            lease.inputs = _inputs(tx, int(task)) if card.kind == "merge" else []
            lease.resume = _checkpoint(tx, int(task)) if attempt > 1 and card.kind == "render" else None
            self.granted.append(Granted(lease, card.step, card.job, card.needs))
        self.ledger.move(card.step, TaskStatus.READY, TaskStatus.LEASED, len(rows))


def _lease(take: Take, task: int, attempt: int, secret: str, lease_s: float) -> Lease:
    card = take.card
    return Lease(
        task=task,
        attempt=attempt,
        secret=secret,
        job=f"{card.job:05d}",
        kind="merge" if card.kind == "merge" else "render",
        renderer=card.renderer,
        frames=[],
        format=card.format,
        settings=card.settings,
        scene=Scene(**card.scene),
        final=card.final,
        timeout_s=card.timeout_s,
        lease_s=lease_s,
        priority=take.priority,
        name=card.job_name,
    )


def _tile(text: str | None) -> Tile | None:
    return None if text is None else Tile(*(int(part) for part in text.split(",")))


def _slice(text: str | None) -> SampleSlice | None:
    return None if text is None else SampleSlice(*(int(part) for part in text.split(",")))


def _checkpoint(tx: Transaction, task: int) -> Input | None:
    """What the latest attempt that was stopped half-way has saved. Asked of tasks that were tried before alone."""
    rows = tx.rows(hot.CHECKPOINT, (task,))
    if not rows:
        return None
    file = json.loads(rows[0][0])[0]
    return Input(file["hash"], file["size"], file["name"], file.get("meta", {}))


def _inputs(tx: Transaction, task: int) -> list[Input]:
    """The parts that a merge reads, in task order, whatever the order they arrived in."""
    found: list[Input] = []
    for _producer, output in tx.rows(hot.INPUTS, (task,)):
        part = json.loads(output)
        found.append(Input(part["hash"], part["size"], part["name"], part["meta"]))
    return found
