"""Immutable files known by their SHA-256: `blobs/ab/abcdef…` in the farm's storage.

A blob appears at its place whole, after its hash was verified, or not at all. Where the place is, `scheduler.objects`
knows; bodies are received on the local disk in any case.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from scheduler.errors import Refused
from scheduler.objects.opening import Storage
from scheduler.objects.port import Signed
from scheduler.store.disk import explain_disk, storage_full

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
            raise too_large(self._size_max)
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


def too_large(size_max: int) -> Refused:
    """The error for a file over the limit, in bytes."""
    return Refused(
        f"The file is larger than this farm takes ({size_max} bytes).",
        code="body_too_large",
        hint="Ask the farm's admin to raise the limit, or send less.",
    )


class BlobStore:
    """The blobs of one farm."""

    def __init__(self, storage: Storage, incoming: Path) -> None:
        """`incoming` is a local folder for bodies that are being received."""
        self._storage, self._objects, self._copies = storage, storage.objects, storage.copies
        self._incoming = incoming
        self.remote = storage.remote

    def path(self, blob: str) -> Path:
        """A local file with the blob: where it lies, or a copy. Blocking.

        Raises:
            FileNotFoundError: it is in no remote store. Unavailable: `storage_…`.
        """
        return self._copies.path(key_of(blob), blob)

    def has(self, blob: str) -> bool:
        """Whether the blob is here."""
        return is_hash(blob) and self._objects.size(key_of(blob)) is not None

    def size(self, blob: str) -> int:
        """The blob's size in bytes.

        Raises:
            FileNotFoundError: it is not here.
        """
        size = self._objects.size(key_of(blob)) if is_hash(blob) else None
        if size is None:
            raise FileNotFoundError(blob)
        return size

    def open(self, blob: str, offset: int = 0, length: int | None = None) -> BinaryIO:
        """The blob's bytes as a stream. Raises as `ObjectStore.open`."""
        return self._objects.open(key_of(blob), offset, length)

    def signed(self, blob: str, seconds: float) -> Signed | None:
        """A URL from which the blob can be fetched for so long without a key; None: fetch it from the scheduler."""
        return self._objects.sign("GET", key_of(blob), seconds=seconds)

    def seal(self, blob: str) -> str:
        """The key (hex) that opens what is fetched by a signed URL; empty: it is not sealed."""
        return self._storage.seal_of(key_of(blob))

    def incoming(self, *, size_max: int, free_min: int) -> Incoming:
        """A place to receive a new blob."""
        return Incoming(self._incoming / uuid.uuid4().hex, size_max=size_max, free_min=free_min)

    def adopt(self, file: Path, blob: str) -> None:
        """Move a verified file into its place; the same blob again changes nothing.

        Raises:
            Unavailable: `storage_…`; the file is still there.
        """
        key = key_of(blob)
        self._objects.put(key, file)
        self._copies.keep(key, file)
        file.unlink(missing_ok=True)

    def remove(self, blob: str) -> None:
        """Delete a blob that nothing refers to."""
        self._objects.remove(key_of(blob))
        self._copies.drop(key_of(blob))

    def sweep(self) -> None:
        """Remove what a crash left half received."""
        shutil.rmtree(self._incoming, ignore_errors=True)


def key_of(blob: str) -> str:
    """The key under which a blob is stored."""
    return f"blobs/{blob[:2]}/{blob}"
