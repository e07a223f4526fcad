"""The farm's object store as a worker sees it: signed URLs and nothing else, no key of the cloud, no token of the farm.

It is a short cut. Whatever goes wrong here, the scheduler's own road is still open; a store that failed is left alone
for a while, so that one behind a wall does not cost a time-out per file.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import httpx

from worker.settings import WorkerSettings
from worker.telemetry import logger

READ_BYTES = 2**18
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
                response = self._open().put(url, content=_chunks(file), headers=sent)
            except httpx.HTTPError as error:
                raise StoreFailed(_shown(error)) from error
        if not response.is_success:
            raise StoreFailed(f"the store answered with status {response.status_code}")

    def get(self, url: str, into: IO[bytes], offset: int) -> Iterator[int]:
        """Write an object from byte `offset` on into an open file; yields the bytes written so far.

        Raises:
            StoreFailed, BadRange.
        """
        plain = {"Accept-Encoding": "identity"}
        headers = {**plain, "Range": f"bytes={offset}-"} if offset else plain
        try:
            with self._open().stream("GET", url, headers=headers) as response:
                if response.status_code == 416:
                    raise BadRange
                if response.status_code not in (200, 206):
                    raise StoreFailed(f"the store answered with status {response.status_code}")
                yield from write(response, into, offset)
        except httpx.HTTPError as error:
            raise StoreFailed(_shown(error)) from error

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


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(READ_BYTES):
        yield chunk


def _shown(error: httpx.HTTPError) -> str:
    """Without the URL, which is a credential for a while."""
    return type(error).__name__
