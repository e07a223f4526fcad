"""Unpacks a scene's zip on the worker: regular files and folders only, below one new folder, or nothing at all.

What may be unpacked is decided by `scheduler.protocol.archives`. Here every file is created anew (`O_EXCL`) relative to
an open folder and never through a link (`O_NOFOLLOW`), and its CRC-32 is verified. Python's own `extractall` rewrites
hostile names instead of refusing them, and `tarfile`'s filter has been bypassed (CVE-2025-4517).
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from scheduler.protocol.archives import READ_ERRORS, Member, UnsafeArchive, damaged, open_archive

COPY_BYTES: Final = 2**20
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def extract(path: Path, into: Path, cancelled: Callable[[], bool] = lambda: False) -> tuple[Member, ...]:
    """Unpacks the zip at `path` into the empty folder `into`, and empties it again on any failure.

    `cancelled` is asked between pieces of `COPY_BYTES`.

    Returns:
        the members, in the archive's order.

    Raises:
        UnsafeArchive: the archive is hostile, damaged or not a zip; or `cancelled` said so (code `cancelled`).
        FileExistsError: `into` is not empty.
        OSError: the disk is full, or `into` is not a folder that can be written.
    """
    root = os.open(into, _FOLDER)
    try:
        if _names(root):
            raise FileExistsError(errno.EEXIST, "the folder to unpack into is not empty", str(into))
        with path.open("rb") as file:
            try:
                return _extract(file, root, cancelled)
            except BaseException:
                _empty(root)
                raise
    finally:
        os.close(root)


def _extract(file: IO[bytes], root: int, cancelled: Callable[[], bool]) -> tuple[Member, ...]:
    archive, members = open_archive(file)
    try:
        for member in members:
            _unpack(archive, member, root, cancelled)
    except READ_ERRORS as error:
        raise damaged(error) from error
    return members


def _names(root: int) -> list[str]:
    with os.scandir(root) as entries:
        return [entry.name for entry in entries]


def _empty(root: int) -> None:
    for name in _names(root):
        if stat.S_ISDIR(os.stat(name, dir_fd=root, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=root)
        else:
            os.unlink(name, dir_fd=root)


def _unpack(archive: zipfile.ZipFile, member: Member, root: int, cancelled: Callable[[], bool]) -> None:
    *folders, name = member.path.split("/")
    if member.folder:
        os.close(_descend(root, [*folders, name]))
        return
    parent = _descend(root, folders)
    try:
        descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=parent)
    finally:
        os.close(parent)
    with os.fdopen(descriptor, "wb") as target, archive.open(member.info) as source:
        written = 0
        # `source` stops at the declared size and compares the CRC-32 of what it gave.
        while piece := source.read(COPY_BYTES):
            if cancelled():
                raise UnsafeArchive("cancelled", "Unpacking was stopped.")
            written += target.write(piece)
    if written != member.size:
        raise UnsafeArchive("archive_damaged", f"The archive's member {member.path!r} is shorter than it says.")


def _descend(root: int, folders: list[str]) -> int:
    """An open descriptor of the folder below `root`, made where it is missing; the caller closes it."""
    here = os.dup(root)
    for folder in folders:
        try:
            _make(folder, here)
            below = os.open(folder, _FOLDER, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def _make(folder: str, parent: int) -> None:
    try:
        os.mkdir(folder, 0o700, dir_fd=parent)
    except FileExistsError:
        return
