"""Progress pictures: what a running task looks like so far, taken from its worker, bounded in size and rate.

A picture is no result: it lies in the data folder beside the previews of frames whatever the storage, is never trusted
(whoever looks at it gets what a decoder's child process made of it), and goes when the task is published or its job is
forgotten.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from scheduler.errors import NotFound, Refused
from scheduler.service.farm import Farm
from scheduler.service.staging import Staging
from scheduler.service.viewing_tasks import find_task
from scheduler.store.blobs import Incoming, receive

BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"RIFF")
"""First bytes of what a picture may be: PNG or WebP."""


@dataclass(frozen=True)
class Pictured:
    """A task's latest picture: the file as it came, where its safe copy is or goes, and a tag that changes with it."""

    raw: Path
    safe: Path
    tag: str
    is_fresh: bool
    """Is the safe copy of this picture?"""


class Pictures:
    """Takes pictures of running tasks, and finds them."""

    def __init__(self, farm: Farm, staging: Staging) -> None:
        self._farm, self._staging = farm, staging

    async def take(self, task: int, attempt: int, secret: str, chunks: AsyncIterator[bytes]) -> bool:
        """Keep a picture in place of the last one; False: it came too soon after that, and was passed over.

        Raises:
            StaleAttempt: the attempt does not hold the task any more. Refused: it is too large, or no picture.
            Unavailable: the disk is full.
        """
        held = await self._staging.held(task, attempt, secret)
        limits, now_s = self._farm.settings.limits, self._farm.now_s()
        lease = self._farm.live.leases.get(task)
        soon = lease is not None and now_s < (lease.pictured_at or 0.0) + limits.picture_interval_s
        target = picture_path(self._farm, held.job, task, attempt)
        part = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
        incoming = Incoming(part, size_max=limits.picture_max_bytes, free_min=limits.free_min_bytes)
        await receive(incoming, chunks)
        try:
            if soon:
                return False
            await asyncio.to_thread(_check_kind, part)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        if lease is not None:
            lease.pictured_at = now_s
        return True

    def find(self, session: Session, task: int) -> Pictured:
        """The picture of a task's newest attempt.

        Raises:
            NotFound: there is no such task, or it has none.
        """
        row = find_task(session, task)
        raw = picture_path(self._farm, row.job_id, task, row.attempt)
        safe = raw.with_suffix(".webp")
        stamp, made = _stamp(raw), _stamp(safe)
        if stamp is None:
            raise picture_missing(task)
        return Pictured(raw, safe, f"{task}.{row.attempt}.{stamp}", made is not None and made >= stamp)


def picture_missing(task: int) -> NotFound:
    """The error for a task that has shown nothing."""
    hint = "A task that runs for some seconds has one, if its renderer shows any; published frames have previews."
    return NotFound(f"Task {task} has shown no picture.", code="picture_missing", hint=hint)


def picture_path(farm: Farm, job: int, task: int, attempt: int) -> Path:
    """Where the latest picture of an attempt lies."""
    return farm.store.folders.previews / f"{job:05d}" / f"task.{task}.{attempt}.picture"


def forget_picture(farm: Farm, job: int, task: int, attempt: int) -> None:
    """Remove the picture of an attempt."""
    raw = picture_path(farm, job, task, attempt)
    for path in (raw, raw.with_suffix(".webp")):
        path.unlink(missing_ok=True)


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _check_kind(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(8)
    if not head.startswith(BEGINNINGS):
        raise Refused("This is neither PNG nor WebP.", code="invalid_picture", hint="Send a small PNG or WebP.")
