"""From staged files to published frames: verify, place, record.

A delivered attempt belongs to the scheduler: its lease cannot expire, and after a crash `resume` takes it up again
from its manifest. Pixels are decoded in child processes (`scheduler.imaging`), files placed by one rename, and only
then the task succeeds, behind the same fence as ever. A frame's row is the truth; a file without a row is garbage.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import structlog
from sqlmodel import select

from scheduler.domain.states import AttemptStatus, TaskStatus
from scheduler.imaging.facts import INFRA_CODES, Expectation, ImageFacts, Verdict
from scheduler.protocol.renderers import Format
from scheduler.protocol.work import FailureClass, OutputFile, Report
from scheduler.scenes.outputs import frame_path, lies_under
from scheduler.service.ending import Fence, complete, fail
from scheduler.service.exchange import FILELESS_RENDERER
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.service.placing import WAITABLE, file_hash, place
from scheduler.service.preparing import output_roots
from scheduler.store.tables import Attempt, Blob, Frame, Job, Task
from scheduler.store.writer import Transaction

WAIT_FIRST_S = 1.0
WAIT_MAX_S = 60.0
"""First and longest pause before a file system that refused is tried again."""

PUBLISHERS_MAX = 8
"""Attempts that are verified and placed side by side."""

log = structlog.get_logger()


class Imaging(Protocol):
    """What publishing needs of the imaging pool."""

    async def check(self, path: Path, expect: Expectation) -> Verdict:
        """Decode a file in a child process and say what it is."""
        ...


@dataclass(frozen=True)
class Delivery:
    """An attempt whose files are staged."""

    task: int
    attempt: int
    secret: str
    worker: str | None
    job: int
    final: bool
    fileless: bool
    format: str
    width: int | None
    height: int | None
    output: str
    roots: tuple[Path, ...]
    seconds: float
    frames: frozenset[int]
    files: tuple[OutputFile, ...]


class NotAsAsked(Exception):
    """The delivered files are not what the task was to make."""

    def __init__(self, message: str, failure: FailureClass) -> None:
        self.message = message
        self.failure: FailureClass = failure
        super().__init__(message)


class Publisher:
    """Verifies and publishes deliveries in the background."""

    def __init__(self, farm: Farm, imaging: Imaging) -> None:
        self._farm, self._imaging = farm, imaging
        self._gate = asyncio.Semaphore(PUBLISHERS_MAX)
        self._running: dict[tuple[int, int], asyncio.Task[None]] = {}
        self.waiting: dict[int, str] = {}
        """Tasks whose files are verified but cannot be placed, with the reason."""

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
            delivery = await asyncio.to_thread(self._load, task, attempt)
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
            self._forget(task, attempt)

    async def _publish_delivery(self, delivery: Delivery) -> None:
        staged = self._farm.store.folders.attempt(delivery.task, delivery.attempt)
        self._check_manifest(delivery)
        if not delivery.files:
            await self._finish(delivery, [], None)
            return
        if not delivery.final:
            output = await asyncio.to_thread(self._adopt, staged, delivery.files[0])
            await self._finish(delivery, [], output)
            return
        rows: list[Frame] = []
        for file in delivery.files:
            facts = await self._verify(delivery, staged / file.name, file)
            target = frame_path(delivery.output, file.frame or 0)
            await self._place(delivery, staged / file.name, target, file)
            rows.append(self._frame(delivery, file, target, facts))
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
        placed = frame_path(delivery.output, file.frame or 0)
        if not path.exists() and placed.is_file():
            path = placed  # placed before a crash, not yet recorded
        expect = Expectation(format=cast("Format", delivery.format), width=delivery.width, height=delivery.height)
        verdict = await self._imaging.check(path, expect)
        if verdict.ok and verdict.facts is not None:
            return verdict.facts
        failure: FailureClass = "infra" if verdict.code in INFRA_CODES else "user"
        raise NotAsAsked(f"Frame {file.frame}: {verdict.message}", failure)

    async def _place(self, delivery: Delivery, staged: Path, target: Path, file: OutputFile) -> None:
        """Place the file; where the target's file system refuses, wait for it instead of rendering again."""
        self._check_target(delivery, target)
        pause_s = WAIT_FIRST_S
        mark = f"{delivery.task}.{delivery.attempt}"
        while True:
            try:
                await asyncio.to_thread(place, staged, target, digest=file.hash, mark=mark)
            except FileNotFoundError as error:
                raise NotAsAsked("The staged file is gone.", "infra") from error
            except OSError as error:
                if error.errno not in WAITABLE:
                    raise
                self.waiting[delivery.task] = f"{target.parent}: {error.strerror}"
                log.warning("publishing.waits", task=delivery.task, target=str(target), reason=error.strerror)
                await asyncio.sleep(pause_s)
                pause_s = min(WAIT_MAX_S, pause_s * 2)
                if await asyncio.to_thread(self._load, delivery.task, delivery.attempt) is None:
                    raise NotAsAsked("The job was ended while its frame waited to be placed.", "infra") from error
                continue
            self.waiting.pop(delivery.task, None)
            return

    def _check_target(self, delivery: Delivery, target: Path) -> None:
        """The folder was under an output root when the job came in; a link may have taken its place since."""
        if delivery.roots and not lies_under(target.parent, delivery.roots):
            raise NotAsAsked(f"{target.parent} does not lie under an output root any more.", "user")

    def _adopt(self, staged: Path, file: OutputFile) -> dict[str, Any]:
        """A partial becomes a blob, so that any worker can merge it."""
        blobs, path = self._farm.store.blobs, staged / file.name
        if not blobs.has(file.hash):
            if not path.is_file() or path.stat().st_size != file.size or file_hash(path) != file.hash:
                raise NotAsAsked("The staged part is not what the worker announced.", "infra")
            blobs.adopt(path, file.hash)
        return {"hash": file.hash, "size": file.size, "name": file.name, "meta": file.meta}

    def _frame(self, delivery: Delivery, file: OutputFile, target: Path, facts: ImageFacts) -> Frame:
        return Frame(
            job_id=delivery.job,
            frame=file.frame or 0,
            task_id=delivery.task,
            attempt=delivery.attempt,
            path=str(target),
            size=file.size,
            hash=file.hash,
            width=facts.width,
            height=facts.height,
            channels=",".join(facts.channels),
            black=facts.black,
            published_at=self._farm.now_s(),
        )

    async def _finish(self, delivery: Delivery, rows: list[Frame], output: dict[str, Any] | None) -> None:
        """The task succeeds, behind the fence; its frames are recorded in the same transaction."""

        def change(tx: Transaction, ledger: Ledger) -> bool:
            fence = Fence(delivery.task, delivery.attempt, delivery.secret)
            if not complete(tx, ledger, fence, seconds=delivery.seconds, output=output):
                return False
            for row in rows:
                tx.session.merge(row)
                ledger.event(
                    tx, "frame.published", job=delivery.job, task=delivery.task, attempt=delivery.attempt,
                    frame=row.frame, path=row.path, size=row.size, hash=row.hash,
                )  # fmt: skip
            if output is not None:
                tx.session.merge(_blob_row(output, ledger.now_s))
            return True

        if not await self._farm.change(change):
            log.info("publishing.stale", task=delivery.task, attempt=delivery.attempt)

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

    def _forget(self, task: int, attempt: int) -> None:
        """Remove the attempt's staging folder, and the task's when it is empty."""
        folder = self._farm.store.folders.attempt(task, attempt)
        shutil.rmtree(folder, ignore_errors=True)
        if folder.parent.is_dir() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()

    def _roots(self, job: Job) -> tuple[Path, ...]:
        """Where the job's frames may go; nothing to check for frames in the farm's own storage."""
        output = Path(job.output or "")
        if output.is_relative_to(self._farm.store.folders.frames):
            return ()
        scene = job.scene.get("path")
        return output_roots(self._farm.settings, Path(scene).parent if scene else None)

    def _load(self, task: int, attempt: int) -> Delivery | None:
        """The delivery as it stands in the store; None if it is not current any more."""
        with self._farm.store.read() as session:
            row = session.get(Task, task)
            tried = session.get(Attempt, (task, attempt))
            if row is None or tried is None or row.attempt != attempt or tried.status != AttemptStatus.PUBLISHING:
                return None
            if row.status != TaskStatus.LEASED or row.secret is None:
                return None
            job = session.get(Job, row.job_id)
        if job is None:
            return None
        width, height = _asked_size(job.settings)
        return Delivery(
            task=task,
            attempt=attempt,
            secret=row.secret,
            worker=row.worker,
            job=row.job_id,
            final=row.feeds is None,
            fileless=job.renderer == FILELESS_RENDERER,
            format=job.format,
            width=width,
            height=height,
            output=job.output or "",
            roots=self._roots(job),
            seconds=tried.seconds or 0.0,
            frames=frozenset(int(frame) for frame in row.frames.split(",")),
            files=tuple(msgspec.json.decode(tried.manifest or "[]", type=list[OutputFile])),
        )


def _asked_size(settings: dict[str, Any]) -> tuple[int | None, int | None]:
    """The size that the job asked for, as far as it did. A percentage scales what the scene says."""
    width, height, percentage = settings.get("width"), settings.get("height"), settings.get("percentage")
    if percentage is None:
        return width, height
    return (
        width * percentage // 100 if width else None,
        height * percentage // 100 if height else None,
    )


def _blob_row(output: dict[str, Any], now_s: float) -> Blob:
    return Blob(hash=output["hash"], size=output["size"], created_at=now_s, used_at=now_s)
