"""Immutable files known by their SHA-256, on the local disk: `blobs/ab/abcdef…`.

A blob appears at its place by one rename, after its hash was verified, or not at all.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from scheduler.errors import Refused, Unavailable
from scheduler.store.writer import explain_storage

HASH = re.compile(r"^[0-9a-f]{64}$")
CHUNK_BYTES = 1 << 20


def is_hash(text: str) -> bool:
    """Whether `text` looks like a SHA-256 in hex."""
    return HASH.match(text) is not None


class Incoming:
    """A file being received: counts, hashes, and refuses what grows too large."""

    def __init__(self, path: Path, *, size_max: int, free_min: int) -> None:
        self.path, self._size_max = path, size_max
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < free_min:
            raise storage_full()
        self._file = path.open("wb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append a chunk.

        Raises:
            Refused: `body_too_large`.
            Unavailable: `storage_full`.
        """
        self.size += len(chunk)
        if self.size > self._size_max:
            raise Refused(
                f"The file is larger than this farm takes ({self._size_max} bytes).",
                code="body_too_large",
                hint="Ask the farm's admin to raise the limit, or send less.",
            )
        self._digest.update(chunk)
        try:
            self._file.write(chunk)
        except OSError as error:
            raise explain_disk(error) from error

    def finish(self) -> str:
        """Flush to the disk; returns the SHA-256 in hex."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise explain_disk(error) from error
        finally:
            self._file.close()
        return self._digest.hexdigest()

    def abandon(self) -> None:
        """Forget what was received."""
        self._file.close()
        self.path.unlink(missing_ok=True)


async def receive(incoming: Incoming, chunks: AsyncIterator[bytes]) -> str:
    """Take in a whole body; returns its SHA-256. On any error nothing is left behind."""
    try:
        async for chunk in chunks:
            incoming.write(chunk)
        return await asyncio.to_thread(incoming.finish)  # it waits for the disk
    except BaseException:
        incoming.abandon()
        raise


def storage_full() -> Unavailable:
    """The error for a disk that is (nearly) full."""
    return Unavailable(
        "The farm's disk is full; nothing was stored.",
        code="storage_full",
        hint="Tell the farm's admin; workers keep their results and try again.",
    )


def explain_disk(error: OSError) -> BaseException:
    """A failed write in words."""
    explained = explain_storage(error)
    return explained if explained is not error else storage_full() if error.errno in (28, 122) else error


class BlobStore:
    """The blobs of one data folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / ".incoming"

    def path(self, blob: str) -> Path:
        """Where the blob lies, or would lie."""
        return self._root / blob[:2] / blob

    def has(self, blob: str) -> bool:
        """Whether the blob is here."""
        return is_hash(blob) and self.path(blob).is_file()

    def incoming(self, *, size_max: int, free_min: int) -> Incoming:
        """A place to receive a new blob."""
        return Incoming(self._incoming / uuid.uuid4().hex, size_max=size_max, free_min=free_min)

    def adopt(self, file: Path, blob: str) -> Path:
        """Move a verified file into its place; the same blob again changes nothing."""
        target = self.path(blob)
        if target.is_file():
            file.unlink(missing_ok=True)
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)
        sync_folder(target.parent)
        return target

    def remove(self, blob: str) -> None:
        """Delete a blob that nothing refers to."""
        self.path(blob).unlink(missing_ok=True)

    def all(self) -> Iterator[str]:
        """Every blob that is here."""
        for folder in sorted(self._root.glob("??")):
            yield from (file.name for file in sorted(folder.iterdir()) if is_hash(file.name))

    def sweep(self) -> None:
        """Remove what a crash left half received."""
        shutil.rmtree(self._incoming, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
