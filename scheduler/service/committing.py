"""Committing: a verified file goes home to its path, or becomes an object of the farm's storage. Only here, and once.

Whatever refuses for a while (a full disk, a store that does not answer) is waited for with the verified file in hand,
instead of rendering again. Files that a worker has put into the store itself are brought here first: nothing is
published that this process has not hashed and had decoded.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog

from scheduler.errors import Unavailable
from scheduler.objects.port import CHUNK_BYTES, ObjectStore
from scheduler.protocol.work import FailureClass, OutputFile
from scheduler.scenes.outputs import frame_path, lies_under
from scheduler.service.delivery import Delivery, load_delivery
from scheduler.service.farm import Farm
from scheduler.service.picturing import forget_picture
from scheduler.service.placing import WAITABLE, file_hash, place
from scheduler.store.blobs import Incoming
from scheduler.store.frames import staging_key

WAIT_FIRST_S = 1.0
WAIT_MAX_S = 60.0
"""First and longest pause before a file system or a store that refused is tried again."""

Result = TypeVar("Result")

log = structlog.get_logger()


class NotAsAsked(Exception):
    """The delivered files are not what the task was to make."""

    def __init__(self, message: str, failure: FailureClass) -> None:
        self.message = message
        self.failure: FailureClass = failure
        super().__init__(message)


class Committer:
    """Brings, places and forgets the files of deliveries."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._brought: set[tuple[int, int]] = set()
        self.waiting: dict[int, str] = {}
        """Tasks whose files are there but cannot be brought or placed, with the reason."""

    def staged(self, delivery: Delivery, file: OutputFile) -> Path:
        """Where the file is staged on this machine, or will be."""
        return self._farm.store.folders.attempt(delivery.task, delivery.attempt) / file.name

    async def bring(self, delivery: Delivery, file: OutputFile) -> None:
        """Stage here what the worker has put into the store; nothing to do for what it has sent to the scheduler.

        Raises:
            NotAsAsked: it is not what was announced, or the job has ended meanwhile.
        """
        staged = self.staged(delivery, file)
        if not self._farm.store.frames.remote or staged.exists():
            return
        self._brought.add((delivery.task, delivery.attempt))
        await self._patiently(delivery, "the staging folder", lambda: self._fetch(delivery, file, staged))

    async def place(self, delivery: Delivery, file: OutputFile) -> str:
        """Place a verified frame; returns where it is.

        Raises:
            NotAsAsked: the file is gone or another one, its place is not allowed any more, or the job has ended.
        """
        staged, target = self.staged(delivery, file), frame_path(delivery.output, file.frame or 0)
        if delivery.stored:
            frames, job, digest = self._farm.store.frames, delivery.job, file.hash
            await asyncio.to_thread(_check_hash, staged, file)
            return await self._patiently(
                delivery, "the storage", lambda: frames.store(staged, job=job, name=target.name, sha256=digest)
            )
        if delivery.roots and not lies_under(target.parent, delivery.roots):
            # The folder was under an output root when the job came in; a link may have taken its place since.
            raise NotAsAsked(f"{target.parent} does not lie under an output root any more.", "user")
        await self._patiently(
            delivery, str(target.parent), lambda: place(staged, target, digest=file.hash, mark=delivery.mark)
        )
        return str(target)

    async def adopt(self, delivery: Delivery, file: OutputFile) -> dict[str, Any]:
        """A partial becomes a blob, so that any worker can merge it; returns the task's output.

        Raises:
            NotAsAsked: as for `place`.
        """
        staged, blobs = self.staged(delivery, file), self._farm.store.blobs

        def adopt() -> None:
            if not blobs.has(file.hash):
                _check_hash(staged, file)
                blobs.adopt(staged, file.hash)

        await self._patiently(delivery, "the storage", adopt)
        return {"hash": file.hash, "size": file.size, "name": file.name, "meta": file.meta}

    async def forget(self, delivery: Delivery) -> None:
        """Remove what was staged, here and in the store."""
        self.waiting.pop(delivery.task, None)
        await asyncio.to_thread(self._forget, delivery)

    def _forget(self, delivery: Delivery) -> None:
        forget_picture(self._farm, delivery.job, delivery.task, delivery.attempt)
        folder = self._farm.store.folders.attempt(delivery.task, delivery.attempt)
        shutil.rmtree(folder, ignore_errors=True)
        if folder.parent.is_dir() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()
        key = (delivery.task, delivery.attempt)
        if key not in self._brought:
            return
        self._brought.discard(key)
        try:
            for file in delivery.files:
                self._farm.store.storage.objects.remove(staging_key(*key, file.name))
        except Unavailable as error:
            log.info("staging.left", task=delivery.task, attempt=delivery.attempt, reason=error.message)  # swept later

    def _fetch(self, delivery: Delivery, file: OutputFile, staged: Path) -> None:
        """Receive the object as if the worker had sent it."""
        limits, key = self._farm.settings.limits, staging_key(delivery.task, delivery.attempt, file.name)
        if file.size > limits.output_max_bytes:
            raise NotAsAsked(f"{file.name} is larger than this farm takes.", "infra")
        objects = self._farm.store.storage.objects
        if _size(objects, key) != file.size:
            raise NotAsAsked(f"{file.name} is not in the store as the worker said.", "infra")
        part = staged.with_name(f".{staged.name}.part")
        incoming = Incoming(part, size_max=file.size, free_min=limits.free_min_bytes)
        try:
            with objects.open(key) as source:
                while chunk := source.read(CHUNK_BYTES):
                    incoming.write(chunk)
            digest = incoming.finish()
        except BaseException as error:
            incoming.abandon()
            if isinstance(error, Unavailable) and error.code == "storage_damaged":
                raise NotAsAsked(f"{file.name} in the store is not what the worker sealed.", "infra") from error
            raise
        if digest != file.hash:
            part.unlink()
            raise NotAsAsked(f"{file.name} in the store has another SHA-256 than the worker said.", "infra")
        part.replace(staged)

    async def _patiently(self, delivery: Delivery, where: str, call: Callable[[], Result]) -> Result:
        """Do it as soon as it can be done; give up when the job has ended."""
        pause_s = WAIT_FIRST_S
        while True:
            try:
                done = await asyncio.to_thread(call)
            except FileNotFoundError as error:
                raise NotAsAsked("The staged file is gone.", "infra") from error
            except OSError as error:
                if error.errno not in WAITABLE:
                    raise
                reason = f"{where}: {error.strerror}"
            except Unavailable as error:
                reason = error.message
            else:
                self.waiting.pop(delivery.task, None)
                return done
            self.waiting[delivery.task] = reason
            log.warning("publishing.waits", task=delivery.task, attempt=delivery.attempt, reason=reason)
            await asyncio.sleep(pause_s)
            pause_s = min(WAIT_MAX_S, pause_s * 2)
            if await asyncio.to_thread(load_delivery, self._farm, delivery.task, delivery.attempt) is None:
                raise NotAsAsked("The job was ended while its frame waited to be placed.", "infra")


def _size(objects: ObjectStore, key: str) -> int | None:
    """The object's size; None too for one that is not what it should be."""
    try:
        return objects.size(key)
    except Unavailable as error:
        if error.code == "storage_damaged":
            return None
        raise


def _check_hash(staged: Path, file: OutputFile) -> None:
    """What is named by its hash must be what it says."""
    if not staged.is_file() or staged.stat().st_size != file.size or file_hash(staged) != file.hash:
        raise NotAsAsked(f"The staged file {file.name} is not what the worker announced.", "infra")
