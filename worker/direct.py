"""The farm's object store as a worker sees it: signed URLs and nothing else, no key of the cloud, no token of the farm.

It is a short cut. Whatever goes wrong here, the scheduler's own road is still open; a store that failed is left alone
for a while, so that one behind a wall does not cost a time-out per file.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import httpx

from scheduler.protocol.sealed import HEADER_BYTES, SEGMENT_BYTES, TAG_BYTES, Opener, seal
from worker.settings import WorkerSettings
from worker.telemetry import logger

READ_BYTES = 2**18
PLAIN = {"Accept-Encoding": "identity"}
"""Offsets count the object's own bytes, so nothing may compress them on the way."""
SKIPPED = 20
"""Files that take the scheduler's road after the store has failed, before it is tried again."""

_log = logger("direct")


class StoreFailed(Exception):
    """The store did not do what its URL allows."""


class BadRange(Exception):
    """The object ends before the byte that was asked for."""


class DirectStore:
    """Puts and gets by signed URL. Thread-safe."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._skip = 0

    def wanted(self) -> bool:
        """Whether to try the store for the next file."""
        with self._lock:
            if self._skip > 0:
                self._skip -= 1
                return False
            return True

    def failed(self, error: Exception) -> None:
        """It did not work: leave it alone for a while."""
        with self._lock:
            self._skip = SKIPPED
        _log.warning("store_failed", reason=str(error), skipped=SKIPPED)

    def put(self, url: str, headers: Mapping[str, str], path: Path) -> None:
        """Put a whole file.

        Raises:
            StoreFailed. OSError: the file cannot be read.
        """
        sent = {"Content-Length": str(path.stat().st_size), **headers}
        with path.open("rb") as file:
            try:
                response = self._open().put(url, content=chunks(file), headers=sent)
            except httpx.HTTPError as error:
                raise StoreFailed(_shown(error)) from error
        if not response.is_success:
            raise StoreFailed(f"the store answered with status {response.status_code}")

    def get(self, url: str, into: IO[bytes], offset: int) -> Iterator[int]:
        """Write an object from byte `offset` on into an open file; yields the bytes written so far.

        Raises:
            StoreFailed, BadRange.
        """
        headers = {**PLAIN, "Range": f"bytes={offset}-"} if offset else PLAIN
        try:
            with self._open().stream("GET", url, headers=headers) as response:
                if response.status_code == 416:
                    raise BadRange
                if response.status_code not in (200, 206):
                    raise StoreFailed(f"the store answered with status {response.status_code}")
                yield from write(response, into, offset)
        except httpx.HTTPError as error:
            raise StoreFailed(_shown(error)) from error

    def get_sealed(self, url: str, key: bytes, into: IO[bytes], offset: int) -> Iterator[int]:
        """The same for a sealed object: what is written is what was sealed, from the segment that `offset` lies in on.

        Raises:
            StoreFailed, BadRange. Tampered: it is not what was sealed.
        """
        header, sealed = self._head(url)
        first = offset // SEGMENT_BYTES
        opener = Opener(header, sealed, key, first=first)
        into.seek(first * SEGMENT_BYTES)
        into.truncate()
        reached = first * SEGMENT_BYTES
        start = HEADER_BYTES + first * (SEGMENT_BYTES + TAG_BYTES)
        try:
            with self._open().stream("GET", url, headers={**PLAIN, "Range": f"bytes={start}-"}) as response:
                if response.status_code == 416:
                    raise BadRange
                if response.status_code != 206:
                    raise StoreFailed(f"the store answered a range with status {response.status_code}")
                for chunk in response.iter_raw():
                    into.write(plain := opener.feed(chunk))
                    reached += len(plain)
                    yield reached
        except httpx.HTTPError as error:
            raise StoreFailed(_shown(error)) from error
        opener.finish()

    def _head(self, url: str) -> tuple[bytes, int]:
        """A sealed object's header, and how many bytes it has in all."""
        try:
            response = self._open().get(url, headers={**PLAIN, "Range": f"bytes=0-{HEADER_BYTES - 1}"})
        except httpx.HTTPError as error:
            raise StoreFailed(_shown(error)) from error
        whole = response.headers.get("Content-Range", "").rpartition("/")[2]
        if response.status_code != 206 or not whole.isdigit():
            raise StoreFailed(f"the store answered a range with status {response.status_code}")
        return response.content, int(whole)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                context = ssl.create_default_context()
                if self._settings.ca_file is not None:
                    context.load_verify_locations(self._settings.ca_file)
                timeout = httpx.Timeout(self._settings.file_timeout_s, connect=self._settings.connect_timeout_s)
                self._client = httpx.Client(verify=context, timeout=timeout)
            return self._client


def write(response: httpx.Response, into: IO[bytes], offset: int) -> Iterator[int]:
    """Write an answer's body into a file; one that ignores the range begins it anew. Yields bytes written so far."""
    if response.status_code == 200 and offset:
        into.seek(0)
        into.truncate()
        offset = 0
    for chunk in response.iter_raw():  # as it arrives: what came before the line broke is kept
        into.write(chunk)
        offset += len(chunk)
        yield offset


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """A file's bytes, as an upload sends them."""
    while chunk := file.read(READ_BYTES):
        yield chunk


def _shown(error: httpx.HTTPError) -> str:
    """Without the URL, which is a credential for a while."""
    return type(error).__name__


def write_sealed(path: Path, sealed: Path, key: bytes, sha256: str) -> str:
    """Write the sealed form of a file; returns that form's own SHA-256.

    Raises:
        OSError: it cannot be read or written.
    """
    digest = hashlib.sha256()
    with path.open("rb") as source, sealed.open("wb") as target:
        for piece in seal(source, path.stat().st_size, key, sha256):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()
