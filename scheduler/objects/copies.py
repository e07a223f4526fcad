"""Copies of remote objects in the data folder, for decoders and readers of scenes: fetched once, verified, bounded.

The least recently used go first; one that was handed out within the last minutes never does, for somebody may be about
to open it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scheduler.objects.port import CHUNK_BYTES, ObjectStore, checked, damaged

KEEP_S = 600.0
"""How long a copy that was handed out stays whatever happens."""

EVICT_TO = 0.9
"""Share of the limit down to which an eviction frees."""


class FetchedCopies:
    """The copies in `folder` of objects of one store, about `bytes_max` in all. Thread-safe."""

    def __init__(self, objects: ObjectStore, folder: Path, bytes_max: int) -> None:
        self._objects, self._folder, self._bytes_max = objects, folder, bytes_max
        self._lock = threading.Lock()
        self._bytes = self._measure()

    def path(self, key: str, sha256: str) -> Path:
        """See the port.

        Raises:
            Unavailable: `storage_damaged` too, if the object is not what its name says.
        """
        target = self._folder / checked(key)
        try:
            os.utime(target)
        except FileNotFoundError:
            self._fetch(key, sha256, target)
        return target

    def keep(self, key: str, file: Path) -> None:
        """Link the file as the copy; where that is not possible, it is fetched when it is asked for."""
        target = self._folder / checked(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            os.link(file, target)
            os.utime(target)
            self._added(target.stat().st_size)

    def drop(self, prefix: str) -> None:
        """See the port."""
        place = self._folder / checked(prefix.rstrip("/"))
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
        with self._lock:
            self._bytes = self._measure()

    def _fetch(self, key: str, sha256: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            digest = hashlib.sha256()
            with self._objects.open(key) as source, part.open("wb") as copy:
                while chunk := source.read(CHUNK_BYTES):
                    digest.update(chunk)
                    copy.write(chunk)
            if digest.hexdigest() != sha256:
                raise damaged(self._objects.url, key)
            size = part.stat().st_size
            os.replace(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        self._added(size)

    def _added(self, size: int) -> None:
        with self._lock:
            self._bytes += size
            if self._bytes > self._bytes_max:
                self._evict()

    def _evict(self) -> None:
        """Remove the least recently used, but nothing that somebody may be about to open."""
        found = sorted(self._files())
        left, newest_s = sum(size for _when, size, _path in found), found[-1][0] if found else 0.0
        for when_s, size, path in found:
            if left <= EVICT_TO * self._bytes_max or when_s > newest_s - KEEP_S:
                break
            path.unlink(missing_ok=True)
            left -= size
        self._bytes = left

    def _measure(self) -> int:
        return sum(size for _when, size, _path in self._files())

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Time of last use, bytes, path of every copy; others may be removing them meanwhile."""
        for folder, _folders, names in os.walk(self._folder):
            for path in (Path(folder) / name for name in names):
                with suppress(FileNotFoundError):
                    status = path.stat()
                    yield status.st_mtime, status.st_size, path
