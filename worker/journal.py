"""Which leases this worker holds, on disk, so that the life after a `kill -9` can say at once what became of them.

One file of JSON lines, only ever appended to: a lease taken, its task started, the attempt over. It is not synced,
which costs a task some ten microseconds: after a power cut the leases simply run out.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scheduler.protocol.work import Lease, TaskRef
from worker.state import ref_of
from worker.telemetry import logger

FILE_NAME = "leases.jsonl"
COMPACT_AT_BYTES = 2**20

_log = logger("journal")


class _Line(msgspec.Struct, omit_defaults=True):
    """One of the three: `lease` taken, `started`, or neither: over."""

    ref: TaskRef
    lease: Lease | None = None
    started: bool = False


@dataclass(frozen=True)
class Leftover:
    """A lease of the worker's former life; `started` if its task had begun to run."""

    lease: Lease
    started: bool


class Journal:
    """The journal of one worker. Thread-safe. A disk that is full costs its records, never a task."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = data / FILE_NAME
        self._lock = threading.Lock()
        self._held: dict[TaskRef, Leftover] = _read(self._path)
        self._size = 0
        self._file = self._rewritten()

    def leftovers(self) -> list[Leftover]:
        """What the journal holds; right after opening: the former life's leases, oldest first."""
        with self._lock:
            return list(self._held.values())

    def taken(self, lease: Lease) -> None:
        """A lease was taken."""
        with self._lock:
            self._held[ref_of(lease)] = Leftover(lease, started=False)
            self._write(_Line(ref_of(lease), lease=lease))

    def started(self, ref: TaskRef) -> None:
        """The lease's task runs."""
        with self._lock:
            if ref in self._held:
                self._held[ref] = Leftover(self._held[ref].lease, started=True)
                self._write(_Line(ref, started=True))

    def over(self, ref: TaskRef) -> None:
        """The attempt is done with; does nothing when it is not known."""
        with self._lock:
            if self._held.pop(ref, None) is not None:
                self._write(_Line(ref))
                if self._size > COMPACT_AT_BYTES:
                    self._compact()

    def compact(self) -> None:
        """Keep nothing on the disk of leases that are over: they name scenes and settings."""
        with self._lock:
            self._compact()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            os.close(self._file)

    def _write(self, line: _Line) -> None:
        try:
            self._size += os.write(self._file, msgspec.json.encode(line) + b"\n")
        except OSError as error:
            _log.warning("lease_not_noted", task=line.ref.task, attempt=line.ref.attempt, reason=str(error))

    def _compact(self) -> None:
        try:
            new = self._rewritten()
        except OSError as error:
            _log.warning("journal_not_compacted", reason=str(error))  # tried again after as many bytes
            self._size = 0
            return
        os.close(self._file)
        self._file = new

    def _rewritten(self) -> int:
        """A new file with what is held, in the old one's place; returns its handle."""
        new = self._path.with_suffix(".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        for ref, left in self._held.items():
            lines = [_Line(ref, lease=left.lease)] + ([_Line(ref, started=True)] if left.started else [])
            self._size += os.write(handle, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        os.replace(new, self._path)
        return handle


def _read(path: Path) -> dict[TaskRef, Leftover]:
    held: dict[TaskRef, Leftover] = {}
    decoder = msgspec.json.Decoder(_Line)
    for text in path.read_bytes().splitlines() if path.exists() else ():
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError:
            _log.warning("journal_line_unreadable")  # cut short by a crash
            continue
        if line.lease is not None:
            held[line.ref] = Leftover(line.lease, started=False)
        elif line.started and line.ref in held:
            held[line.ref] = Leftover(held[line.ref].lease, started=True)
        elif not line.started:
            held.pop(line.ref, None)
    return held
