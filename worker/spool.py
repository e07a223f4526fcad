"""Finished work that could not be delivered yet, safe on disk: it outlives outages of the scheduler and the worker's
own restarts.

A row in SQLite (WAL, `synchronous=FULL`: https://sqlite.org/pragma.html#pragma_synchronous) per attempt, its files in
a folder beside it. Files are synced first, then the row is committed: a row without whole files cannot exist, files
without a row are swept at start. Bounded in rows and bytes.
"""

from __future__ import annotations

import importlib
import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scheduler.protocol.work import Lease, OutputKind, Report, TaskRef
from worker.runners.base import Produced
from worker.state import ref_of
from worker.telemetry import logger

BUSY_TIMEOUT_S = 10.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS finished (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    task INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    lease BLOB NOT NULL,
    report BLOB NOT NULL,
    files BLOB NOT NULL,
    log_offset INTEGER NOT NULL,
    log BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    UNIQUE (task, attempt)
)
"""
SELECT = "SELECT id, lease, report, files, log_offset, log FROM finished"

_log = logger("spool")


class SpoolFull(Exception):
    """The spool has reached its limit; deliver what it holds before more is finished."""


class _File(msgspec.Struct):
    name: str
    kind: OutputKind
    frame: int | None
    meta: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """An attempt that has ended: its report without the files' hashes, the files, and the log that has not arrived.

    `row` is its number in the spool, None while it is only in memory.
    """

    lease: Lease
    report: Report
    files: tuple[Produced, ...] = ()
    log_offset: int = 0
    log: bytes = b""
    row: int | None = None

    @property
    def ref(self) -> TaskRef:
        """The attempt."""
        return ref_of(self.lease)


class Spool:
    """The spool of one worker. Thread-safe: one connection, one lock."""

    def __init__(self, folder: Path, *, rows_max: int, bytes_max: int) -> None:
        # The wheel has no type stubs, and only a worker that runs needs a database.
        dbapi2: Any = importlib.import_module("pysqlite3.dbapi2")
        self._folder, self._rows_max, self._bytes_max = folder, rows_max, bytes_max
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        # Autocommit: every statement here is a transaction of its own.
        self._db: Any = dbapi2.connect(
            str(folder / "spool.sqlite"), timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._errors: type[Exception] = dbapi2.Error
        (folder / "spool.sqlite").chmod(0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.execute(SCHEMA)
        self._sweep()

    def add(self, finished: Finished) -> Finished:
        """Take the files in (by hard link where that works), make them durable, commit the row.

        Returns the work as the spool holds it; the caller's own files may then be removed. An attempt that is in the
        spool already stays as it is.

        Raises:
            SpoolFull: a limit is reached, the disk is full, or a file is gone; the work is as it was.
        """
        with self._lock:
            known = self._find(finished.ref)
            if known is not None:
                return known
            rows, used = self._usage()
            try:
                size = sum(file.path.stat().st_size for file in finished.files) + len(finished.log)
                if rows >= self._rows_max or used + size > self._bytes_max:
                    raise SpoolFull(f"The spool holds {rows} tasks and {used} bytes; it takes no more.")
                self._insert(finished, self._take_in(finished.ref, finished.files), size)
            except (OSError, self._errors) as error:
                shutil.rmtree(self._place(finished.ref), ignore_errors=True)
                raise SpoolFull(f"The spool in {self._folder} cannot take this: {error}.") from error
            return self._find(finished.ref) or finished

    def all(self) -> list[Finished]:
        """Everything that waits, in the order in which it was finished."""
        with self._lock:
            rows = self._db.execute(SELECT + " ORDER BY id").fetchall()
            return [self._load(row) for row in rows]

    def remove(self, ref: TaskRef) -> None:
        """The work has been delivered or dropped: forget it and its files."""
        with self._lock:
            self._db.execute("DELETE FROM finished WHERE task=? AND attempt=?", (ref.task, ref.attempt))
        shutil.rmtree(self._place(ref), ignore_errors=True)

    def scrub(self) -> None:
        """Keep nothing on the disk of work that was delivered: removed rows are overwritten, their log is cut."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def full(self) -> bool:
        """Is a limit reached? Then no work should be asked for."""
        with self._lock:
            rows, used = self._usage()
            return rows >= self._rows_max or used >= self._bytes_max

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def _place(self, ref: TaskRef) -> Path:
        return self._folder / "files" / f"{ref.task}.{ref.attempt}"

    def _usage(self) -> tuple[int, int]:
        rows, used = self._db.execute("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM finished").fetchone()
        return int(rows), int(used)

    def _find(self, ref: TaskRef) -> Finished | None:
        row = self._db.execute(SELECT + " WHERE task=? AND attempt=?", (ref.task, ref.attempt)).fetchone()
        return None if row is None else self._load(row)

    def _take_in(self, ref: TaskRef, files: Sequence[Produced]) -> list[Produced]:
        if not files:
            return []
        place = self._place(ref)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        taken: list[Produced] = []
        for file in files:
            target = place / file.name
            _link(file.path, target)
            _sync(target)
            taken.append(Produced(target, file.kind, file.frame, file.meta))
        _sync(place)
        _sync(place.parent)
        return taken

    def _insert(self, finished: Finished, files: Sequence[Produced], size: int) -> None:
        encode = msgspec.json.encode
        described = [_File(file.name, file.kind, file.frame, file.meta) for file in files]
        self._db.execute(
            "INSERT INTO finished (task, attempt, lease, report, files, log_offset, log, bytes)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                finished.ref.task,
                finished.ref.attempt,
                encode(finished.lease),
                encode(finished.report),
                encode(described),
                finished.log_offset,
                finished.log,
                size,
            ),
        )

    def _load(self, row: Sequence[Any]) -> Finished:
        number, lease, report, files, log_offset, log = row
        decoded = msgspec.json.decode(lease, type=Lease)
        place = self._place(ref_of(decoded))
        produced = [
            Produced(place / file.name, file.kind, file.frame, file.meta)
            for file in msgspec.json.decode(files, type=list[_File])
        ]
        return Finished(
            decoded, msgspec.json.decode(report, type=Report), tuple(produced), int(log_offset), bytes(log), int(number)
        )

    def _sweep(self) -> None:
        """Files without a row are what a crash left between moving and committing."""
        root = self._folder / "files"
        if not root.exists():
            return
        kept = {f"{task}.{attempt}" for task, attempt in self._db.execute("SELECT task, attempt FROM finished")}
        for place in root.iterdir():
            if place.name not in kept:
                _log.warning("spool_swept", folder=place.name)
                shutil.rmtree(place, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
