"""The scheduler's door to pixels: a few warm decoder processes behind an async API that never raises for a bad file.

A process is replaced after a crash, a timeout, a request that was given up, or `files_max` files. What happens to it
becomes a verdict for the one file it was looking at; everyone else only waits a little longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from scheduler.imaging.facts import Expectation, Verdict
from scheduler.imaging.process import ChildLost, DecoderProcess
from scheduler.imaging.requests import Cell, Check, Preview, Question, Sheet
from scheduler.protocol.renderers import IMAGE_PIXELS_MAX

SIZE: Final = 1
FILES_MAX: Final = 1000
MEMORY_MAX_BYTES: Final = 4 * 2**30
TIMEOUT_S: Final = 120.0
SHEET_ENTRIES_MAX: Final = 1000

PreviewFormat = Literal["webp", "png"]


@dataclass
class _Slot:
    """A place for one process; empty until it is first needed again after a loss."""

    child: DecoderProcess | None = None


class ImagingPool:
    """`size` decoder processes for one asyncio event loop: `start()` before the first question, `close()` at the end.

    `timeout_s` is the longest a single file may take, on the clock and in processor time; waiting for a free process
    does not count. `memory_max_bytes` caps a process's address space (an 8K float EXR with 12 channels needs 1.6 GB).
    """

    def __init__(
        self,
        size: int = SIZE,
        *,
        files_max: int = FILES_MAX,
        memory_max_bytes: int = MEMORY_MAX_BYTES,
        timeout_s: float = TIMEOUT_S,
        pixels_max: int = IMAGE_PIXELS_MAX,
    ) -> None:
        if size < 1:
            raise ValueError("a pool needs at least one process")
        self._size = size
        self._files_max = files_max
        self._memory_max_bytes = memory_max_bytes
        self._timeout_s = timeout_s
        self._pixels_max = pixels_max
        self._idle: asyncio.Queue[_Slot] = asyncio.Queue()
        self._slots: list[_Slot] = []
        self._replacing: set[asyncio.Task[None]] = set()
        self._closed = True

    async def start(self) -> None:
        """Starts all processes and waits until they are warm; a process that fails to start is tried again on use."""
        self._closed = False
        self._slots = [_Slot() for _ in range(self._size)]
        await asyncio.gather(*(self._fill(slot) for slot in self._slots))
        for slot in self._slots:
            self._idle.put_nowait(slot)

    async def close(self) -> None:
        """Ends all processes. Questions still waiting, and all later ones, are answered with `pool_closed`."""
        self._closed = True
        for task in self._replacing:
            task.cancel()
        await asyncio.gather(*self._replacing, return_exceptions=True)
        await asyncio.gather(*(slot.child.end() for slot in self._slots if slot.child))
        self._idle.put_nowait(_Slot())

    @property
    def pids(self) -> list[int]:
        """Process ids of the children that run now."""
        return [slot.child.pid for slot in self._slots if slot.child and slot.child.alive]

    async def check(self, path: Path, expect: Expectation) -> Verdict:
        """Is the file a whole image, as it was asked for? Decodes all of it."""
        return await self._ask(Check(_name(path), expect))

    async def preview(self, path: Path, out: Path, width_px: int, kind: PreviewFormat = "webp") -> Verdict:
        """Writes a small picture of `path` to `out`, which is replaced in one step. The folder must exist."""
        return await self._ask(Preview(_name(path), _name(out), width_px, kind))

    async def sheet(self, entries: Sequence[tuple[str, Path]], out: Path, columns: int, cell_px: int) -> Verdict:
        """Writes a contact sheet (`out` ends in .png, .jpg or .webp) of labelled images, in the order given.

        A file that cannot be shown gets a cell that says why; the verdict is good as long as the sheet was written.
        """
        if not 1 <= len(entries) <= SHEET_ENTRIES_MAX:
            message = f"A sheet shows 1 to {SHEET_ENTRIES_MAX} images, not {len(entries)}."
            return Verdict(False, None, "sheet_too_large", message)
        if out.suffix not in (".png", ".jpg", ".jpeg", ".webp"):
            return Verdict(False, None, "unsupported", "A sheet is written as .png, .jpg or .webp.")
        try:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=".sheet-", dir=Path(_name(out)).parent))
        except OSError as error:
            return Verdict(False, None, "cannot_write", f"The sheet cannot be written: {error.strerror}.")
        try:
            cells = await self._cells(entries, folder, cell_px)
            return await self._ask(Sheet(cells, _name(out), columns, cell_px))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _cells(self, entries: Sequence[tuple[str, Path]], folder: Path, cell_px: int) -> list[Cell]:
        # No more questions at once than there are processes, so that checks do not queue behind a whole sheet.
        turns = asyncio.Semaphore(self._size)

        async def cell(index: int, label: str, path: Path) -> Cell:
            small = folder / f"{index}.png"
            async with turns:
                verdict = await self.preview(path, small, cell_px, "png")
            return Cell(label, str(small) if verdict.ok else None, verdict.code.replace("_", " "))

        return await asyncio.gather(*(cell(index, *entry) for index, entry in enumerate(entries)))

    async def _ask(self, question: Question) -> Verdict:
        if self._closed:
            return _POOL_CLOSED
        slot = await self._idle.get()
        if self._closed:
            self._idle.put_nowait(slot)
            return _POOL_CLOSED
        healthy = False
        try:
            verdict = await self._answer(slot, question)
            healthy = slot.child is None or slot.child.files < self._files_max
            return verdict
        except ChildLost as loss:
            if self._closed:
                return _POOL_CLOSED
            return Verdict(False, None, "decoder_crashed", f"The image decoder crashed on this file ({loss}).")
        except TimeoutError:
            message = f"The image could not be decoded within {self._timeout_s:g} s."
            return Verdict(False, None, "decoder_timeout", message)
        finally:
            # Also when the caller gave up: an answer that nobody waited for must not meet the next question.
            if healthy or self._closed:
                self._idle.put_nowait(slot)
            else:
                task = asyncio.create_task(self._replace(slot))
                self._replacing.add(task)
                task.add_done_callback(self._replacing.discard)

    async def _answer(self, slot: _Slot, question: Question) -> Verdict:
        """What the slot's process says; without one, that there is none."""
        if slot.child is None or not slot.child.alive:
            await self._fill(slot)
        if slot.child is None:
            return _UNAVAILABLE
        slot.child.files += 1
        async with asyncio.timeout(self._timeout_s):
            return await slot.child.ask(question)

    async def _replace(self, slot: _Slot) -> None:
        """Ends the slot's process, starts another and gives the slot back, with or without one."""
        try:
            if slot.child:
                await slot.child.kill()
            await self._fill(slot)
        finally:
            self._idle.put_nowait(slot)

    async def _fill(self, slot: _Slot) -> None:
        slot.child = None
        with contextlib.suppress(ChildLost):
            child = await DecoderProcess.start(self._memory_max_bytes, self._timeout_s, self._pixels_max)
            if self._closed:
                await child.kill()
            else:
                slot.child = child


def _name(path: Path) -> str:
    """Absolute, because a child need not share the scheduler's current folder; links are left as they are."""
    return str(path.absolute())


_UNAVAILABLE: Final = Verdict(
    False, None, "decoder_unavailable", "The image decoder cannot be started on this machine; see `outfield doctor`."
)
_POOL_CLOSED: Final = Verdict(False, None, "pool_closed", "The image decoder is shut down.")
