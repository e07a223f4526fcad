"""Putting a verified file at the path that the artist asked for: once, whole, by one atomic rename.

A file travels staged → hidden neighbour of its target → target. Each step can be repeated after a crash: whatever is
already further on is left alone.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

from scheduler.objects.local import sync_folder
from scheduler.objects.port import CHUNK_BYTES

WAITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE})
"""Troubles of the target's file system that a person mends; the verified file waits for that."""


def place(staged: Path, target: Path, *, digest: str, mark: str) -> None:
    """Make `target` the staged file. `mark` makes the hidden neighbour's name unique to the attempt.

    Raises:
        FileNotFoundError: the staged file is gone and the target is not it.
        OSError: the file system refuses; see `WAITABLE`.
    """
    neighbour = _neighbour(target, mark)
    if not neighbour.exists():
        if not staged.exists():
            if target.is_file() and file_hash(target) == digest:
                return
            raise FileNotFoundError(errno.ENOENT, "the staged file is gone", str(staged))
        target.parent.mkdir(parents=True, exist_ok=True)
        _bring(staged, neighbour)
    os.replace(neighbour, target)
    sync_folder(target.parent)


def found_on_its_way(target: Path, mark: str) -> Path | None:
    """Where a file is that left its staging folder: beside its target, or there; None if it is at neither."""
    return next((path for path in (_neighbour(target, mark), target) if path.is_file()), None)


def _neighbour(target: Path, mark: str) -> Path:
    return target.with_name(f".{target.name}.{mark}.outfield")


def _bring(staged: Path, neighbour: Path) -> None:
    """Rename where the file system is the same, else copy to a part file first, flushed to the disk."""
    try:
        os.replace(staged, neighbour)
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    part = neighbour.with_name(neighbour.name + ".part")
    try:
        with staged.open("rb") as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy, CHUNK_BYTES)
            copy.flush()
            os.fsync(copy.fileno())
        os.replace(part, neighbour)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    staged.unlink(missing_ok=True)


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
