"""Objects as files below one folder: `blobs/ab/abcdef…`. They appear by one link or rename, or not at all."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from scheduler.objects.port import CHUNK_BYTES, Announced, Signed, checked

PART_ENDING = ".part"
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
"""What a file system without hard links says."""


class LocalObjects:
    """The objects of one folder; also their own copies."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        """The folder."""
        return self._root.absolute().as_uri()

    def put(self, key: str, file: Path) -> bool:
        """See the port. The file is gone afterwards."""
        target = self._root / checked(key)
        if target.is_file():
            file.unlink(missing_ok=True)
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh = _appear(file, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            fresh = _copy_over(file, target)
        file.unlink(missing_ok=True)
        sync_folder(target.parent)
        return fresh

    def open(self, key: str, offset: int = 0, length: int | None = None) -> BinaryIO:
        """See the port."""
        file = (self._root / checked(key)).open("rb")
        file.seek(offset)
        return file if length is None else io.BufferedReader(Limited(file, length))

    def size(self, key: str) -> int | None:
        """See the port."""
        try:
            found = (self._root / checked(key)).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def remove(self, key: str) -> None:
        """See the port."""
        (self._root / checked(key)).unlink(missing_ok=True)

    def sign(
        self, method: Literal["GET", "PUT"], key: str, *, seconds: float, announced: Announced | None = None
    ) -> Signed | None:
        """A disk signs nothing."""

    def sweep(self, prefix: str, *, before_s: float, objects: bool) -> int:
        """See the port. An upload is a file that a crash has left half copied."""
        swept = 0
        for path in list(_files(self._root / prefix if prefix else self._root)):
            hidden = path.name.startswith(".") and path.name.endswith(PART_ENDING)
            if (hidden or (objects and not path.name.startswith("."))) and path.stat().st_mtime < before_s:
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def path(self, key: str, sha256: str) -> Path:  # noqa: ARG002 - who fetches copies needs it
        """Where the object lies, or would lie."""
        return self._root / checked(key)

    def keep(self, key: str, file: Path) -> None:
        """Nothing to do: the object itself is the copy."""

    def drop(self, prefix: str) -> None:
        """Nothing to do, as above."""


class Limited(io.RawIOBase):
    """The next bytes of a stream, and no more than so many; closes it with itself."""

    def __init__(self, source: BinaryIO, length: int) -> None:
        self._source, self._left = source, length

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill as much of the buffer as there is left."""
        data = self._source.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def close(self) -> None:
        """Close the stream, too."""
        self._source.close()
        super().close()


def _appear(file: Path, target: Path) -> bool:
    """Make `target` the file: by a link, which never replaces anything; False if somebody was faster."""
    try:
        os.link(file, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.replace(file, target)  # by its name it holds the same bytes as whatever it replaces
    return True


def _copy_over(file: Path, target: Path) -> bool:
    """From another file system: a hidden neighbour first, flushed to the disk."""
    part = target.with_name(f".{target.name}.{os.urandom(6).hex()}{PART_ENDING}")
    try:
        with file.open("rb") as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy, CHUNK_BYTES)
            copy.flush()
            os.fsync(copy.fileno())
        return _appear(part, target)
    finally:
        part.unlink(missing_ok=True)


def _files(root: Path) -> Iterator[Path]:
    for folder, _folders, names in os.walk(root):
        yield from (Path(folder) / name for name in names)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
