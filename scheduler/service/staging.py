"""What a worker hands over while it holds a lease: output files and log lines, each behind the fence.

Files are received under `staging/<task>/<attempt>/`, hashed on the way; nothing there is visible to anyone until
`publishing` has verified it. Log bytes are addressed by offset, so that a repeated call appends nothing twice.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import select

from scheduler.domain.states import AttemptStatus
from scheduler.errors import NotFound, Refused, StaleAttempt
from scheduler.objects.port import Announced, Signed
from scheduler.protocol.names import is_file_name
from scheduler.service.farm import Farm
from scheduler.store.blobs import Incoming, receive, too_large
from scheduler.store.disk import explain_disk
from scheduler.store.frames import staging_key
from scheduler.store.tables import Attempt, Task

FILES_PER_ATTEMPT_MAX = 10_000
_ATTEMPT = re.compile(r"^(\d{1,15})\.(\d{1,9})$")


@dataclass(frozen=True)
class StagedFile:
    """A file that was received whole: `hash` is its SHA-256 in hex, `size` its bytes."""

    name: str
    size: int
    hash: str


@dataclass(frozen=True)
class Held:
    """An attempt that still holds its task."""

    job: int
    task: int
    attempt: int


def parse_attempt(text: str) -> tuple[int, int]:
    """`1234.2` as (task, attempt).

    Raises:
        NotFound: it is no attempt's name.
    """
    match = _ATTEMPT.match(text)
    if match is None:
        raise NotFound(f"{text!r} is no attempt.", code="attempt_unknown", hint="An attempt is written TASK.ATTEMPT.")
    return int(match[1]), int(match[2])


class Staging:
    """Receives files and logs of current attempts."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    async def stage_file(
        self, task: int, attempt: int, secret: str, name: str, chunks: AsyncIterator[bytes], expected_hash: str | None
    ) -> StagedFile:
        """Receive one output file.

        Raises:
            StaleAttempt: the attempt does not hold the task any more.
            Refused: the name is not plain, the hash differs, or the file is too large.
            Unavailable: the disk is full.
        """
        _check_name(name)
        await self.held(task, attempt, secret)
        limits, folder = self._farm.settings.limits, self._farm.store.folders.attempt(task, attempt)
        if folder.is_dir() and sum(1 for _file in folder.iterdir()) >= FILES_PER_ATTEMPT_MAX:
            raise Refused(f"One attempt may stage {FILES_PER_ATTEMPT_MAX} files.", code="too_many_files")
        part = folder / f".{name}.part"
        incoming = Incoming(part, size_max=limits.output_max_bytes, free_min=limits.free_min_bytes)
        digest = await receive(incoming, chunks)
        if expected_hash is not None and expected_hash.lower() != digest:
            part.unlink(missing_ok=True)
            raise Refused(
                f"The file {name!r} arrived with another SHA-256 than announced.",
                code="hash_mismatch",
                hint="Send it again; it was damaged on the way.",
            )
        os.replace(part, folder / name)
        return StagedFile(name, incoming.size, digest)

    async def direct_url(self, task: int, attempt: int, secret: str, name: str, announced: Announced) -> Signed | None:
        """A URL by which the worker may put one output file into the farm's store itself; None: send it here.

        Raises:
            StaleAttempt: the attempt does not hold the task any more.
            Refused: the name is not plain, or the file is too large.
        """
        _check_name(name)
        limits, storage = self._farm.settings.limits, self._farm.settings.storage
        if announced.size > limits.output_max_bytes:
            raise too_large(limits.output_max_bytes)
        await self.held(task, attempt, secret)
        if not self._farm.direct:
            return None
        sign, key = self._farm.store.storage.objects.sign, staging_key(task, attempt, name)
        return await asyncio.to_thread(sign, "PUT", key, seconds=storage.url_s, announced=announced)

    async def append_log(self, task: int, attempt: int, secret: str, offset: int, data: bytes) -> int:
        """Append to an attempt's log at `offset`; returns the log's new length in bytes.

        Bytes that are already there are passed over, a gap is refused.

        Raises:
            StaleAttempt: the attempt does not hold the task any more.
            Refused: there is a gap before `offset`.
            Unavailable: the disk is full.
        """
        held = await self.held(task, attempt, secret, ended_too=True)
        path = self._farm.store.folders.log(held.job, task, attempt)
        try:
            return await asyncio.to_thread(_append, path, offset, data, self._farm.settings.limits.log_max_bytes)
        except OSError as error:
            raise explain_disk(error) from error

    async def held(self, task: int, attempt: int, secret: str, *, ended_too: bool = False) -> Held:
        """Behind the fence: the attempt is current (for logs: it may just have ended).

        A lease that is in memory is one on the disk; only what is not there is looked up.

        Raises:
            StaleAttempt: it does not hold the task any more. NotFound: there is no such attempt.
        """
        lease = self._farm.live.leases.get(task)
        if lease is not None and lease.attempt == attempt and lease.secret and _same(lease.secret, secret):
            return Held(lease.job, task, attempt)
        return await asyncio.to_thread(self._read_held, task, attempt, secret, ended_too)

    def _read_held(self, task: int, attempt: int, secret: str, ended_too: bool) -> Held:
        with self._farm.store.read() as session:
            found = session.exec(
                select(Task.job_id, Task.attempt, Task.secret, Attempt.status).where(
                    Task.id == task, Attempt.task_id == Task.id, Attempt.attempt == attempt
                )
            ).first()
        if found is None:
            raise NotFound(f"There is no attempt {task}.{attempt}.", code="attempt_unknown")
        job, current, known_secret, status = found
        is_open = status in (AttemptStatus.LEASED, AttemptStatus.LOST) or (
            ended_too and status != AttemptStatus.CANCELED
        )
        if current != attempt or not secret or known_secret != secret or not is_open:
            raise StaleAttempt
        return Held(job, task, attempt)


def _check_name(name: str) -> None:
    if not is_file_name(name):
        hint = "Use letters, digits, . _ and -."
        raise Refused(f"{name!r} is not a plain file name.", code="invalid_name", hint=hint)


def _same(one: str, other: str) -> bool:
    """Compare secrets in constant time, whatever characters were sent."""
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass"))


def _append(path: Path, offset: int, data: bytes, length_max: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        length = file.tell()
        if offset > length:
            raise Refused(
                f"The log is {length} bytes long; there is a gap before {offset}.",
                code="log_gap",
                details={"length": length},
                hint="Send the log from its present length.",
            )
        fresh = data[length - offset :][: max(0, length_max - length)]
        file.write(fresh)
        return length + len(fresh)
