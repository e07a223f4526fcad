"""From staged files to published frames: verify, place, record.

A delivered attempt belongs to the scheduler: its lease cannot expire, and after a crash `resume` takes it up again
from its manifest. Pixels are decoded in child processes (`scheduler.imaging`), files placed by one rename, and only
then the task succeeds, behind the same fence as ever. A frame's row is the truth; a file without a row is garbage.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import structlog
from sqlmodel import select

from scheduler.domain.states import AttemptStatus
from scheduler.imaging.facts import INFRA_CODES, Expectation, ImageFacts, Verdict
from scheduler.protocol.renderers import Format
from scheduler.protocol.work import FailureClass, OutputFile, Report
from scheduler.scenes.outputs import frame_path
from scheduler.service.committing import Committer, NotAsAsked
from scheduler.service.delivery import Delivery, load_delivery
from scheduler.service.ending import Fence, complete, fail, give_back
from scheduler.service.farm import Farm
from scheduler.service.homecoming import settle_parts
from scheduler.service.learning import Estimator
from scheduler.service.ledger import Ledger
from scheduler.service.placing import found_on_its_way
from scheduler.store import hot
from scheduler.store.tables import Attempt, Blob
from scheduler.store.transaction import Transaction

PUBLISHERS_MAX = 8
"""Attempts that are verified and placed side by side."""

log = structlog.get_logger()


class Imaging(Protocol):
    """What publishing needs of the imaging pool."""

    async def check(self, path: Path, expect: Expectation) -> Verdict:
        """Decode a file in a child process and say what it is."""
        ...


class Placed(NamedTuple):
    """A frame that is at its path: verified, and not yet recorded."""

    frame: int
    path: str
    size: int
    hash: str
    facts: ImageFacts


class Publisher:
    """Verifies and publishes deliveries in the background."""

    def __init__(self, farm: Farm, imaging: Imaging, estimator: Estimator) -> None:
        """`estimator` is told what every frame took."""
        self._farm, self._imaging, self._estimator = farm, imaging, estimator
        self._gate = asyncio.Semaphore(PUBLISHERS_MAX)
        self._running: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._committer = Committer(farm)

    @property
    def waiting(self) -> dict[int, str]:
        """Tasks whose files are there but cannot be brought or placed, with the reason."""
        return self._committer.waiting

    def on_delivered(self, task: int, attempt: int) -> None:
        """An attempt's files are staged."""
        key = (task, attempt)
        if key in self._running:
            return
        running = asyncio.create_task(self._publish(task, attempt), name=f"publish {task}.{attempt}")
        self._running[key] = running
        running.add_done_callback(lambda _done: self._running.pop(key, None))

    def resume(self) -> int:
        """Take up what a crash left half published; returns how many."""
        with self._farm.store.read() as session:
            found = session.exec(
                select(Attempt.task_id, Attempt.attempt).where(Attempt.status == AttemptStatus.PUBLISHING)
            ).all()
        for task, attempt in found:
            self.on_delivered(task, attempt)
        return len(found)

    async def drain(self) -> None:
        """Stop; what is not finished is taken up at the next start."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until nothing is being published."""
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _publish(self, task: int, attempt: int) -> None:
        async with self._gate:
            delivery = await asyncio.to_thread(load_delivery, self._farm, task, attempt)
            if delivery is None:
                return
            try:
                await self._publish_delivery(delivery)
            except NotAsAsked as error:
                await self._reject(delivery, error.message, error.failure)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception("publishing.failed", task=task, attempt=attempt)
                await self._reject(delivery, f"The scheduler could not publish the result: {error}", "infra")
            await self._committer.forget(delivery)

    async def _publish_delivery(self, delivery: Delivery) -> None:
        if [file.kind for file in delivery.files] == ["checkpoint"]:
            await self._keep(delivery)
            return
        self._check_manifest(delivery)
        if not delivery.files:
            await self._finish(delivery, [], None)
            return
        for file in delivery.files:
            await self._committer.bring(delivery, file)
        if not delivery.final:
            await self._finish(delivery, [], await self._committer.adopt(delivery, delivery.files[0]))
            return
        rows: list[Placed] = []
        for file in delivery.files:
            facts = await self._verify(delivery, self._committer.staged(delivery, file), file)
            where = await self._committer.place(delivery, file)
            rows.append(Placed(file.frame or 0, where, file.size, file.hash, facts))
        await self._finish(delivery, rows, None)

    def _check_manifest(self, delivery: Delivery) -> None:
        """One file for each frame, or one partial: nothing more, nothing less."""
        if delivery.fileless:
            if delivery.files:
                raise NotAsAsked("The worker delivered files where none were to be made.", "infra")
            return
        if not delivery.final:
            if [file.kind for file in delivery.files] != ["partial"]:
                raise NotAsAsked("The worker delivered no partial where one was to be made.", "infra")
            return
        frames = [file.frame for file in delivery.files if file.kind == "frame" and file.frame is not None]
        if (
            len(frames) != len(delivery.files)
            or frozenset(frames) != delivery.frames
            or len(frames) != len(delivery.frames)
        ):
            raise NotAsAsked("The worker did not deliver exactly the frames that were asked for.", "infra")

    async def _verify(self, delivery: Delivery, path: Path, file: OutputFile) -> ImageFacts:
        """Decode the whole file, in a child process, before anyone sees it."""
        if not path.exists():
            # Further on already when the scheduler died, and not yet recorded.
            path = found_on_its_way(frame_path(delivery.output, file.frame or 0), delivery.mark) or path
        expect = Expectation(format=cast("Format", delivery.format), width=delivery.width, height=delivery.height)
        verdict = await self._imaging.check(path, expect)
        if verdict.ok and verdict.facts is not None:
            return verdict.facts
        failure: FailureClass = "infra" if verdict.code in INFRA_CODES else "user"
        raise NotAsAsked(f"Frame {file.frame}: {verdict.message}", failure)

    async def _keep(self, delivery: Delivery) -> None:
        """A task that was stopped half-way: keep what it has, and give the lease back. What cannot be kept is lost."""
        kept: dict[str, Any] | None = None
        try:
            await self._committer.bring(delivery, delivery.files[0])
            kept = await self._committer.adopt(delivery, delivery.files[0])
        except NotAsAsked as error:
            log.warning("checkpoint.lost", task=delivery.task, attempt=delivery.attempt, reason=error.message)
        words = "The worker had to leave; what it had rendered is kept." if kept else "The worker had to leave."
        report = Report(
            delivery.task, delivery.attempt, delivery.secret, "returned",
            failure="preempted", message=words, seconds=delivery.seconds,
        )  # fmt: skip

        def change(tx: Transaction, ledger: Ledger) -> None:
            if not give_back(tx, ledger, report):
                return
            if kept is None:
                tx.run(hot.FORGET_CHECKPOINT, (delivery.task, delivery.attempt))
                return
            tx.session.merge(_blob_row(kept, ledger.now_s))
            ledger.event(
                tx, "task.saved", job=delivery.job, task=delivery.task, attempt=delivery.attempt,
                worker=delivery.worker, size=kept["size"], done=kept["meta"].get("done"),
            )  # fmt: skip

        await self._farm.change(change)

    async def _finish(self, delivery: Delivery, rows: list[Placed], output: dict[str, Any] | None) -> None:
        """The task succeeds, behind the fence; its frames are recorded in the same transaction."""

        def change(tx: Transaction, ledger: Ledger) -> bool:
            fence = Fence(delivery.task, delivery.attempt, delivery.secret)
            if not complete(tx, ledger, fence, seconds=delivery.seconds, output=output):
                return False
            if delivery.from_site:
                settle_parts(tx, ledger, delivery.task)
            for row in rows:
                _record(tx, delivery, row, ledger.now_s)
                ledger.event(
                    tx, "frame.published", job=delivery.job, task=delivery.task, attempt=delivery.attempt,
                    frame=row.frame, path=row.path, size=row.size, hash=row.hash,
                )  # fmt: skip
            if output is not None:
                tx.session.merge(_blob_row(output, ledger.now_s))
            return True

        if not await self._farm.change(change):
            log.info("publishing.stale", task=delivery.task, attempt=delivery.attempt)
            return
        if delivery.resumed:
            return  # it did a part of the work: its time says nothing of the next task's
        worker = self._farm.live.workers.get(delivery.worker or "")
        rating = worker.rating if worker is not None else None
        self._estimator.note(delivery.facts, delivery.kind, delivery.worth, delivery.seconds, rating)

    async def _reject(self, delivery: Delivery, message: str, failure: FailureClass) -> None:
        """The delivery is not what was asked for: the attempt has failed."""
        report = Report(
            delivery.task,
            delivery.attempt,
            delivery.secret,
            "failed",
            failure=failure,
            message=message,
            seconds=delivery.seconds,
        )
        others = self._farm.live.has_other(delivery.worker)
        await self._farm.change(lambda tx, ledger: fail(tx, ledger, report, other_workers=others))


def _record(tx: Transaction, delivery: Delivery, placed: Placed, now_s: float) -> None:
    facts, where = placed.facts, (delivery.job, placed.frame, delivery.task, delivery.attempt, placed.path)
    seen = (placed.size, placed.hash, facts.width, facts.height, ",".join(facts.channels), facts.black)
    tx.run(hot.FRAME_PUBLISHED, (*where, *seen, now_s))


def _blob_row(output: dict[str, Any], now_s: float) -> Blob:
    return Blob(hash=output["hash"], size=output["size"], created_at=now_s, used_at=now_s)
