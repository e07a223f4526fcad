"""Frames where they lie: at an artist's path, in the farm's folder, or as objects of a store; all are read alike.

A frame's row says where: a path, or an address such as `s3://bucket/prefix/frames/00042/HASH/beauty.0001.png`. What
stands before `frames/` is for people; a store that was moved is read under its new address.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import BinaryIO

from scheduler.objects.opening import Storage

BLOBS = "blobs/"
FRAMES = "frames/"
STAGING = "staging/"


class FrameStore:
    """The frames of one farm, and what workers have put into the store for them."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._objects, self._copies = storage, storage.objects, storage.copies

    @property
    def remote(self) -> bool:
        """Whether frames without a path of their own become objects of a store."""
        return self._storage.remote

    def store(self, file: Path, *, job: int, name: str, sha256: str) -> str:
        """Store a verified frame as an object, once; returns where it is. Again with the same file changes nothing.

        Raises:
            Unavailable: `storage_…`; the file is still there.
        """
        key = f"{job_folder(job)}{sha256}/{name}"
        self._objects.put(key, file)
        self._copies.keep(key, file)
        return f"{self._objects.url}/{key}"

    def open(self, where: str, size: int, offset: int = 0, length: int | None = None) -> BinaryIO:
        """A frame's bytes as a stream, if it still is what was published.

        Raises:
            FileNotFoundError: it is gone, no ordinary file, or of another size. Unavailable: `storage_…`.
        """
        if is_object(where):
            return self._objects.open(_key(where), offset, length)
        file = open_file(Path(where), size)
        file.seek(offset)
        return file

    def is_there(self, where: str, size: int) -> bool:
        """Whether it can be opened."""
        if is_object(where):
            return self._objects.size(_key(where)) == size
        try:
            open_file(Path(where), size).close()
        except FileNotFoundError:
            return False
        return True

    def copy(self, where: str, sha256: str) -> Path:
        """A frame as a file of this machine; one that lies on a disk is its own copy.

        Raises:
            FileNotFoundError: the object is gone. Unavailable: `storage_…`.
        """
        return self._copies.path(_key(where), sha256) if is_object(where) else Path(where)

    def seal_of_attempt(self, task: int, attempt: int) -> str:
        """The key (hex) that seals what an attempt puts into the store itself; empty: nothing is sealed."""
        return self._storage.seal_of(staging_key(task, attempt, "file"))

    def forget(self, job: int) -> None:
        """Remove a job's objects. Frames at an artist's path stay where they are."""
        if self.remote:
            self._objects.sweep(job_folder(job), before_s=math.inf, objects=True)
            self._copies.drop(job_folder(job))

    def sweep(self, before_s: float) -> int:
        """Remove broken uploads and what workers have put, but never reported, if it is older; returns how much."""
        if not self.remote:
            return self._objects.sweep(BLOBS, before_s=before_s, objects=False)
        broken = self._objects.sweep("", before_s=before_s, objects=False)
        return broken + self._objects.sweep(STAGING, before_s=before_s, objects=True)


def is_object(where: str) -> bool:
    """Whether a frame's row names an object, not a path."""
    return "://" in where


def name_of(where: str) -> str:
    """The file name of a frame."""
    return where.rpartition("/")[2]


def job_folder(job: int) -> str:
    """The beginning of the keys of a job's frames."""
    return f"{FRAMES}{job:05d}/"


def staging_key(task: int, attempt: int, name: str) -> str:
    """The key under which a worker puts a file for the scheduler to look at."""
    return f"{STAGING}{task}/{attempt}/{name}"


def open_file(path: Path, size: int) -> BinaryIO:
    """A file, if it still is what was published. Whoever may write there could have put a link in its place.

    Raises:
        FileNotFoundError: it is gone, no ordinary file, or of another size.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise FileNotFoundError(str(path)) from error
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size != size:
        os.close(handle)
        raise FileNotFoundError(str(path))
    return os.fdopen(handle, "rb")


def _key(where: str) -> str:
    return FRAMES + where.rpartition(f"/{FRAMES}")[2]
