"""Files between the worker and the farm: blobs come, what was made goes.

Where the farm has an object store they take its short cut (`worker.direct`); the scheduler's own road is there for what
does not go that way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import quote

import msgspec

from scheduler.protocol.sealed import Tampered
from scheduler.protocol.work import DIRECT_HEADER, SEAL_HEADER, TaskRef
from worker.answers import Refused, Unreachable, failure
from worker.connections import ANSWER_MAX_BYTES, Connections
from worker.direct import BadRange, DirectStore, StoreFailed, chunks, write, write_sealed
from worker.settings import WorkerSettings


class Transfers:
    """Puts and gets whole files. Thread-safe."""

    def __init__(self, settings: WorkerSettings, connections: Connections) -> None:
        self._settings, self._connections = settings, connections
        self._store = DirectStore(settings)

    def put(self, ref: TaskRef, secret: str, path: Path, sha256: str, *, direct: bool = False, seal: str = "") -> None:
        """Stage one file of an attempt under its own name; `direct`: in the farm's object store, if that works.

        There it is sealed with the key `seal` (hex), if there is one.

        Raises:
            StaleAttempt, StorageFull, Unreachable, Refused: see there. OSError: the file cannot be read.
        """
        if direct and self._store.wanted() and self._put_direct(ref, secret, path, sha256, seal):
            return
        headers = {"X-Lease-Secret": secret, "X-Content-SHA256": sha256, "Content-Type": "application/octet-stream"}
        with path.open("rb") as file:
            self._connections.call(
                "files",
                "PUT",
                f"/attempts/{ref.task}.{ref.attempt}/files/{quote(path.name, safe='')}",
                headers=headers,
                content=chunks(file),
                length=path.stat().st_size,
                timeout_s=self._settings.file_timeout_s,
            )

    def get(self, sha256: str, into: IO[bytes], offset: int) -> Iterator[int]:
        """Write a blob from byte `offset` on into an open file; yields bytes written so far, so a caller may stop.

        If the scheduler ignores the range, the file is begun anew. The caller verifies the hash.
        """
        # Offsets count the file's own bytes, so nothing may compress them on the way.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        headers |= {DIRECT_HEADER: "1"} if self._store.wanted() else {}
        with self._connections.stream("blobs", f"/blobs/{sha256}", headers) as response:
            elsewhere = response.headers.get("Location", "") if response.status_code == 307 else ""
            seal = response.headers.get(SEAL_HEADER, "")
            if not elsewhere and response.status_code not in (200, 206):
                raise failure(response, response.read()[:ANSWER_MAX_BYTES])
            if not elsewhere:
                yield from write(response, into, offset)
        if elsewhere:
            yield from self._get_direct(elsewhere, seal, sha256, into, offset)

    def _get_direct(self, url: str, seal: str, sha256: str, into: IO[bytes], offset: int) -> Iterator[int]:
        """From the farm's object store; where that fails at once, from the scheduler after all."""
        reached = offset
        try:
            store = self._store
            got = store.get_sealed(url, bytes.fromhex(seal), into, offset) if seal else store.get(url, into, offset)
            for reached in got:
                yield reached
            return
        except BadRange as error:
            raise Refused("The file has fewer bytes than were fetched before.", status=416) from error
        except (StoreFailed, Tampered) as error:
            self._store.failed(error)
            if reached != offset:  # what has come is kept; the next call goes on from there, on the other road
                raise Unreachable(f"The farm's storage broke off: {error}.") from error
        yield from self.get(sha256, into, offset)

    def _put_direct(self, ref: TaskRef, secret: str, path: Path, sha256: str, seal: str) -> bool:
        """Put a file into the farm's object store; False: there is none, or it does not work."""
        if not seal:
            return self._put_as(path.name, ref, secret, path, sha256)
        sealed = path.with_name(f".{path.name}.sealed")
        try:
            return self._put_as(path.name, ref, secret, sealed, write_sealed(path, sealed, bytes.fromhex(seal), sha256))
        finally:
            sealed.unlink(missing_ok=True)

    def _put_as(self, own_name: str, ref: TaskRef, secret: str, path: Path, sha256: str) -> bool:
        """Put these very bytes under a name."""
        name = quote(own_name, safe="")
        answer = self._connections.call(
            "files",
            "POST",
            f"/attempts/{ref.task}.{ref.attempt}/files/{name}/url",
            headers={"X-Lease-Secret": secret, "Content-Type": "application/json"},
            content=msgspec.json.encode({"size": path.stat().st_size, "hash": sha256}),
        )
        signed = _signed(answer.content)
        if signed is None or signed.url is None:
            return False
        try:
            self._store.put(signed.url, signed.headers, path)
        except StoreFailed as error:
            self._store.failed(error)
            return False
        return True

    def close(self) -> None:
        """Close the connections to the object store."""
        self._store.close()


class _Signed(msgspec.Struct):
    """Where a file may be put; `url` None: only to the scheduler."""

    url: str | None
    headers: dict[str, str]


class _SignedEnvelope(msgspec.Struct):
    data: _Signed


def _signed(content: bytes) -> _Signed | None:
    try:
        return msgspec.json.decode(content, type=_SignedEnvelope).data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # not understood: there is the scheduler's own road


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
