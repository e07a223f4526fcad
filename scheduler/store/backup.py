"""Backups are SQLite files: written under a temporary name, verified, then renamed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scheduler.errors import Refused


def _connect(path: Path, *, read_only: bool = False) -> Any:
    from scheduler.store.engine import sqlite_module

    suffix = "?mode=ro" if read_only else ""
    return sqlite_module().connect(f"{path.absolute().as_uri()}{suffix}", uri=True)


def backup_sqlite(source: Path, target: Path) -> int:
    """Copy a live database into one file; returns its size in bytes.

    Uses SQLite's online backup, so the farm goes on meanwhile (https://sqlite.org/backup.html).

    Raises:
        Refused: the copy does not pass SQLite's integrity check, or the target cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    temporary.unlink(missing_ok=True)
    live, copy = _connect(source, read_only=True), _connect(temporary)
    try:
        live.backup(copy)
    finally:
        copy.close()
        live.close()
    return finish(temporary, target)


def finish(part: Path, target: Path) -> int:
    """Verify a backup that is written, and give it its name; returns its size in bytes.

    Raises:
        Refused: it does not pass SQLite's integrity check.
    """
    verify_sqlite(part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, target)
    return target.stat().st_size


def verify_sqlite(path: Path) -> None:
    """Check that a file is a whole Outfield database.

    Raises:
        Refused: it is not.
    """
    from scheduler.store.engine import sqlite_module

    if not path.is_file():
        raise Refused(f"{path} is not there.", code="backup_missing", hint="Check the path of the backup.")
    connection = _connect(path, read_only=True)
    try:
        if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise Refused(f"{path} is damaged.", code="backup_damaged", hint="Use an older backup.")
        connection.execute("SELECT count(*) FROM job").fetchone()
    except sqlite_module().DatabaseError as error:
        raise Refused(f"{path} is no backup of Outfield: {error}.", code="backup_damaged") from error
    finally:
        connection.close()


def restore_sqlite(backup: Path, target: Path) -> None:
    """Put a verified backup in the place of a database that no scheduler uses."""
    verify_sqlite(backup)
    temporary = target.with_name(f".{target.name}.restore")
    source, copy = _connect(backup, read_only=True), _connect(temporary)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    for leftover in (f"{target}-wal", f"{target}-shm"):
        Path(leftover).unlink(missing_ok=True)
    os.replace(temporary, target)
