"""Files of one site: scenes go out, frames come home, in a lane of their own beside the liaison's small talk.

Nothing is fetched twice that is here already: a file that broke off is gone on from, one that was whole is kept. A
scene is taken into the farm's storage as soon as its job leaves, whether the other farm can be reached or not.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog
from sqlmodel import Session

from scheduler.backends.site.troubles import SiteRefused, SiteSilent
from scheduler.domain.handover import FarFrame, HandoverState, Step, next_step
from scheduler.domain.states import TERMINAL_JOBS
from scheduler.errors import OutfieldError, Refused
from scheduler.priorities.lane import Lane
from scheduler.protocol.work import OutputFile
from scheduler.service import handing_over
from scheduler.service.cases import Case
from scheduler.service.farm import Farm
from scheduler.service.homecoming import AwaitedTask, arrive, awaited_tasks, is_settled
from scheduler.service.liaison import Liaison
from scheduler.service.packing import Packed, Sender, pack
from scheduler.service.placing import file_hash
from scheduler.service.viewing import reading
from scheduler.store.disk import storage_full
from scheduler.store.tables import Blob, Job
from scheduler.store.transaction import Transaction

GROWING = "site"
"""The folder, beside those of a task's attempts, in which its files grow."""

log = structlog.get_logger()


class Carrier(Protocol):
    """The other farm, as far as files go. Calls wait for the network, and raise `SiteSilent` where it breaks off."""

    def ship(self, digest: str, path: Path) -> None:
        """Make a file known there by its SHA-256."""
        ...

    def frames(self, job: str) -> list[FarFrame]:
        """The frames that are published there."""
        ...

    def fetch(self, job: str, frame: FarFrame, part: Path) -> None:
        """Bring a frame's file to `part`, whole; what lies there already is gone on from."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


class Porter:
    """Carries the files of one site. One round at a time."""

    def __init__(
        self, farm: Farm, liaison: Liaison, carrier: Carrier, on_delivered: Callable[[int, int], None]
    ) -> None:
        """`on_delivered` is told of every attempt whose files wait to be verified and published."""
        self._farm, self._liaison, self._carrier, self._on_delivered = farm, liaison, carrier, on_delivered
        self._lane = Lane(f"site {liaison.site} files")
        self._done: dict[int, tuple[str, int, int]] = {}

    async def haul(self) -> None:
        """One round: pack what leaves, send it ahead, fetch what has been made."""
        cases = await self._liaison.cases()
        here = {case.row.job_id for case in cases}
        troubles = self._liaison.note.troubles
        for job in troubles.keys() - here:
            del troubles[job]
        for case in cases:
            if _leaves(case) and not case.row.payload:
                await self._guarded(case, self._pack)
        if self._liaison.quiet():
            return
        try:
            for case in await self._liaison.cases():
                await self._carry(case)
        except SiteSilent as error:
            self._liaison.hush(error)

    def close(self) -> None:
        """Hang up; a call that hangs is left behind."""
        self._lane.close()

    async def _carry(self, case: Case) -> None:
        if _leaves(case) and case.row.payload:
            await self._guarded(case, self._ship)
        elif case.row.state == HandoverState.AWAY and case.snapshot().wanted:
            await self._guarded(case, self._bring_home)

    async def _guarded(self, case: Case, carry: Callable[[Case], Awaitable[None]]) -> None:
        """One job's trouble is its own; a silent site is everybody's."""
        job, troubles = case.row.job_id, self._liaison.note.troubles
        try:
            await carry(case)
        except SiteSilent:
            raise
        except (OutfieldError, OSError) as error:
            words = error.message if isinstance(error, OutfieldError) else f"{error.strerror}: {error.filename}"
            if troubles.get(job) != words:
                log.warning("site.trouble", site=self._liaison.site, job=job, reason=words)
            troubles[job] = words
            return
        troubles.pop(job, None)

    # ---- Out -------------------------------------------------------------------------------------------------------

    async def _pack(self, case: Case) -> None:
        farm, number, frames = self._farm, case.number, case.row.frames
        job = await reading(farm, lambda session: _detached(session, case.row.job_id))
        sender = Sender(farm.id, farm.settings.farm.name)
        settings, limits = self._liaison.settings, farm.settings.limits
        try:
            packed = await self._lane.run(lambda: pack(job, frames, sender, settings, farm.store.blobs, limits))
        except Refused as error:
            await self._liaison.refuse(case.row, error.message)
            return

        def change(tx: Transaction) -> None:
            _record(tx, packed, farm.now_s())
            handing_over.note_packed(tx, number, packed.payload, packed.manifest)

        await farm.store.awrite(change)

    async def _ship(self, case: Case) -> None:
        blobs = self._farm.store.blobs
        try:
            for file in case.row.manifest:
                digest = str(file["hash"])
                await self._lane.run(lambda digest=digest: self._carrier.ship(digest, blobs.path(digest)))
        except SiteRefused as error:
            await self._liaison.refuse(case.row, error.message)
            return
        await self._farm.store.awrite(lambda tx: handing_over.note_shipped(tx, case.number))

    # ---- Home ------------------------------------------------------------------------------------------------------

    async def _bring_home(self, case: Case) -> None:
        """Fetch what is published there and lacking here; note when nothing more can come."""
        row, farm = case.row, self._farm
        ended = row.far_status in TERMINAL_JOBS
        if not row.far_published and not ended:
            return
        tasks = await reading(farm, lambda session: awaited_tasks(session, row.job_id, farm.now_s()))
        seen = (row.far_status, row.far_published, len(tasks))
        if not ended and self._done.get(case.number) == seen:
            return  # all that was published there by then was brought home
        there = {frame.frame: frame for frame in await self._lane.run(lambda: self._carrier.frames(row.far_job))}
        ready = [task for task in tasks if all(frame in there for frame in task.frames)]
        for task in ready:
            if farm.store.free_bytes() < farm.settings.limits.free_min_bytes:
                raise storage_full()
            files = [await self._fetch(row.far_job, task, there[frame]) for frame in task.frames]
            if not await self._arrive(case, task, files):
                return  # it has ended here, or was taken back, meanwhile
        self._done[case.number] = (row.far_status, row.far_published, len(tasks) - len(ready))
        if ended and not ready and await reading(farm, lambda session: is_settled(session, row.job_id)):
            self._liaison.settled.add(case.number)

    async def _fetch(self, far_job: str, task: AwaitedTask, frame: FarFrame) -> OutputFile:
        """One frame's file into the staging folder, unless it is there."""
        # Apart from the attempts' folders: if the job is taken back, a worker's files come into the next one.
        folder, growing = self._farm.store.folders.attempt(task.task, task.next_attempt), self._growing(task)
        name = task.file_name(frame.frame)

        def fetch() -> None:
            whole, part = folder / name, growing / f"{name}.part"
            if whole.exists() and file_hash(whole) == frame.hash:
                return
            self._carrier.fetch(far_job, frame, part)
            folder.mkdir(parents=True, exist_ok=True)
            os.replace(part, whole)

        await self._lane.run(fetch)
        return OutputFile(name, frame.size, frame.hash, "frame", frame.frame)

    def _growing(self, task: AwaitedTask) -> Path:
        """Where a task's files grow before they are whole."""
        return self._farm.store.folders.staging / str(task.task) / GROWING

    async def _arrive(self, case: Case, task: AwaitedTask, files: list[OutputFile]) -> bool:
        site, job = self._liaison.site, case.row.job_id
        if not await self._farm.change(lambda tx, ledger: arrive(tx, ledger, task, site, job, files)):
            return False
        with suppress(OSError):  # nothing is in it any more
            self._growing(task).rmdir()
        self._on_delivered(task.task, task.next_attempt)
        return True


def _leaves(case: Case) -> bool:
    return next_step(case.snapshot()).step is Step.SHIP


def _detached(session: Session, job: int) -> Job:
    row = session.get_one(Job, job)
    session.expunge(row)
    return row


def _record(tx: Transaction, packed: Packed, now_s: float) -> None:
    """Files that were taken in are known, and were used now."""
    for file in packed.manifest:
        row = tx.session.get(Blob, file["hash"])
        if row is None:
            tx.session.add(Blob(hash=file["hash"], size=file["size"], created_at=now_s, used_at=now_s))
        else:
            row.used_at = now_s
