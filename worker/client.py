"""The worker's side of the wire: one call is one request, and every way it can fail has a class of its own.

Lanes (two polls, report, renew, files, log, blobs, pictures) have connections of their own, so that a parked poll or
a large upload never holds up a renewal. Retrying is the caller's business (`worker.backoff`). `sync` is the hot road;
on the same machine it goes through httpx's transport directly, because the full client costs 0.4 ms more per call.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from scheduler.protocol.sealed import Tampered
from scheduler.protocol.work import DIRECT_HEADER, SEAL_HEADER, SyncEnvelope, SyncReply, SyncRequest, TaskRef
from scheduler.protocol.workers import WorkerHello, WorkerWelcome
from worker.credentials import fetch_authority, show_certificate, tls_context
from worker.direct import BadRange, DirectStore, StoreFailed, write, write_sealed
from worker.settings import WorkerSettings

Lane = Literal["poll-a", "poll-b", "report", "renew", "files", "log", "blobs", "pictures"]

READ_BYTES = 2**18
ANSWER_MAX_BYTES = 2**20
"""Longest error answer that is read."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class CallFailed(Exception):
    """The scheduler did not do what it was asked. `message` is for people, `code` for programs."""

    def __init__(self, message: str, *, status: int = 0, code: str = "", retry_after_s: float = 0.0) -> None:
        self.message, self.status, self.code, self.retry_after_s = message, status, code, retry_after_s
        super().__init__(message)


class Unreachable(CallFailed):
    """No answer, or one that says "not now": try again after a while."""


class TokenUnknown(CallFailed):
    """401, or 403 on sync: the scheduler does not know this token, or knows it as another worker's."""


class WorkerUnknown(CallFailed):
    """404 on sync: the scheduler does not know this worker."""


class StaleAttempt(CallFailed):
    """409: the attempt is not current any more; the work must be dropped."""


class StorageFull(CallFailed):
    """507: the farm's disk is full; keep the work and try again."""


class Refused(CallFailed):
    """Any other answer that is no success: trying again would not help."""


class SchedulerClient:
    """Calls to one scheduler. Thread-safe; `token` may be set once the worker has joined."""

    def __init__(self, settings: WorkerSettings, token: str = "") -> None:
        self._settings, self.token = settings, token
        self._lock = threading.Lock()
        self._clients: dict[Lane, httpx.Client] = {}
        self._transports: dict[Lane, httpx.HTTPTransport] = {}
        self._tls: ssl.SSLContext | bool = tls_context(settings)
        self._store = DirectStore(settings)
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(SyncEnvelope)
        # A proxy from the environment must not stand between a worker and a scheduler on the same machine.
        self._proxied = urlsplit(settings.server).hostname not in LOOPBACK

    def join(self, hello: WorkerHello) -> WorkerWelcome:
        """Trade the join code for an id and a token.

        Raises:
            Refused: the code is wrong or used up, or the scheduler speaks another protocol.
        """
        answer = self._call("report", "POST", "/workers", content=hello.model_dump_json().encode(), timeout=None)
        try:
            return WorkerWelcome.model_validate(answer.json()["data"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(
                f"{self._settings.server} answers, but not like a scheduler of Outfield. Check the URL."
            ) from error

    def certificate(self, worker: str, csr: str) -> str:
        """A new certificate (PEM) for a signing request.

        Raises:
            CallFailed: the scheduler gives none now.
        """
        path = f"/workers/{quote(worker, safe='')}/certificate"
        answer = self._call("report", "POST", path, content=msgspec.json.encode({"csr": csr}), timeout=None)
        return str(answer.json()["data"]["certificate"])

    def learn_authority(self) -> None:
        """Fetch the farm's authority and believe it, if a pin says which one it must be.

        Raises:
            WrongPin: it is another one. Unreachable: the scheduler does not answer.
        """
        try:
            found = fetch_authority(self._settings)
        except httpx.HTTPError as error:
            raise _unreachable(self._settings.server, error) from error
        if found is not None and not isinstance(self._tls, bool):
            self._tls.load_verify_locations(found)

    def show(self) -> None:
        """Show the worker's certificate on every connection that is made from now on."""
        if not isinstance(self._tls, bool):
            show_certificate(self._tls, self._settings.data)

    def sync(self, lane: Lane, worker: str, request: SyncRequest) -> SyncReply:
        """Heartbeat, reports and request for work in one. Waits up to `request.wait_s` longer than other calls."""
        body = self._encoder.encode(request)
        read_s = request.wait_s + self._settings.read_timeout_s
        message = httpx.Request(
            "POST",
            f"{self._settings.server}/workers/{quote(worker, safe='')}/sync",
            headers=self._headers({"Content-Type": "application/json"}),
            content=body,
            extensions={"timeout": self._timeout(read_s).as_dict()},
        )
        try:
            response = self._send(lane, message)
            content = response.read()
        except httpx.HTTPError as error:
            raise _unreachable(self._settings.server, error) from error
        if response.status_code != 200:
            failed = _failure(response, content)
            kind = {403: TokenUnknown, 404: WorkerUnknown}.get(failed.status, type(failed))
            raise kind(failed.message, status=failed.status, code=failed.code, retry_after_s=failed.retry_after_s)
        try:
            return self._decoder.decode(content).data
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(f"The scheduler's answer to sync is not understood: {error}. Update the worker.") from error

    def put_file(
        self, ref: TaskRef, secret: str, path: Path, sha256: str, *, direct: bool = False, seal: str = ""
    ) -> None:
        """Stage one file of an attempt under its own name; `direct`: in the farm's object store, if that works.

        There it is sealed with the key `seal` (hex), if there is one.

        Raises:
            StaleAttempt, StorageFull, Unreachable, Refused: see there. OSError: the file cannot be read.
        """
        if direct and self._store.wanted() and self._put_direct(ref, secret, path, sha256, seal):
            return
        headers = {"X-Lease-Secret": secret, "X-Content-SHA256": sha256, "Content-Type": "application/octet-stream"}
        with path.open("rb") as file:
            self._call(
                "files",
                "PUT",
                f"/attempts/{ref.task}.{ref.attempt}/files/{quote(path.name, safe='')}",
                headers=headers,
                content=_chunks(file),
                length=path.stat().st_size,
                timeout=self._settings.file_timeout_s,
            )

    def append_log(self, ref: TaskRef, secret: str, offset: int, data: bytes) -> None:
        """Append to an attempt's log at byte `offset`; sending the same bytes again changes nothing."""
        self._call(
            "log",
            "POST",
            f"/attempts/{ref.task}.{ref.attempt}/log?offset={offset}",
            headers={"X-Lease-Secret": secret, "Content-Type": "text/plain; charset=utf-8"},
            content=data,
            timeout=None,
        )

    def put_picture(self, ref: TaskRef, secret: str, data: bytes) -> None:
        """Show a small picture of a running attempt."""
        path = f"/attempts/{ref.task}.{ref.attempt}/picture"
        headers = {"X-Lease-Secret": secret, "Content-Type": "application/octet-stream"}
        self._call("pictures", "PUT", path, headers=headers, content=data, timeout=None)

    def download(self, sha256: str, into: IO[bytes], offset: int) -> Iterator[int]:
        """Write a blob from byte `offset` on into an open file; yields bytes written so far, so a caller may stop.

        If the scheduler ignores the range, the file is begun anew. The caller verifies the hash.
        """
        # Offsets count the file's own bytes, so nothing may compress them on the way.
        more = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        more |= {DIRECT_HEADER: "1"} if self._store.wanted() else {}
        client, timeout = self._client("blobs"), self._timeout(self._settings.file_timeout_s)
        elsewhere = seal = ""
        try:
            with client.stream("GET", f"/blobs/{sha256}", headers=self._headers(more), timeout=timeout) as response:
                elsewhere = response.headers.get("Location", "") if response.status_code == 307 else ""
                seal = response.headers.get(SEAL_HEADER, "")
                if not elsewhere and response.status_code not in (200, 206):
                    raise _failure(response, response.read()[:ANSWER_MAX_BYTES])
                if not elsewhere:
                    yield from write(response, into, offset)
        except httpx.HTTPError as error:
            raise _unreachable(self._settings.server, error) from error
        if elsewhere:
            yield from self._download_direct(elsewhere, seal, sha256, into, offset)

    def _download_direct(self, url: str, seal: str, sha256: str, into: IO[bytes], offset: int) -> Iterator[int]:
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
        yield from self.download(sha256, into, offset)

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
        answer = self._call(
            "files",
            "POST",
            f"/attempts/{ref.task}.{ref.attempt}/files/{name}/url",
            headers={"X-Lease-Secret": secret, "Content-Type": "application/json"},
            content=msgspec.json.encode({"size": path.stat().st_size, "hash": sha256}),
            timeout=None,
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
        """Close every connection that is not in use."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            for transport in self._transports.values():
                transport.close()
            self._clients.clear()
            self._transports.clear()
        self._store.close()

    def _call(
        self,
        lane: Lane,
        method: str,
        path: str,
        *,
        content: bytes | Iterator[bytes],
        headers: dict[str, str] | None = None,
        length: int | None = None,
        timeout: float | None,
    ) -> httpx.Response:
        sent = self._headers(headers or {"Content-Type": "application/json"})
        if length is not None:
            sent["Content-Length"] = str(length)
        wait = self._timeout(timeout or self._settings.read_timeout_s)
        try:
            response = self._client(lane).request(method, path, content=content, headers=sent, timeout=wait)
        except httpx.HTTPError as error:
            raise _unreachable(self._settings.server, error) from error
        if response.is_success:
            return response
        raise _failure(response, response.content[:ANSWER_MAX_BYTES])

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {**more, "Authorization": f"Bearer {self.token}"} if self.token else dict(more)

    def _timeout(self, read_s: float) -> httpx.Timeout:
        return httpx.Timeout(read_s, connect=self._settings.connect_timeout_s)

    def _client(self, lane: Lane) -> httpx.Client:
        with self._lock:
            if lane not in self._clients:
                self._clients[lane] = httpx.Client(
                    base_url=self._settings.server, verify=self._tls, trust_env=self._proxied
                )
            return self._clients[lane]

    def _send(self, lane: Lane, request: httpx.Request) -> httpx.Response:
        if self._proxied:
            return self._client(lane).send(request)
        with self._lock:
            if lane not in self._transports:
                self._transports[lane] = httpx.HTTPTransport(verify=self._tls)
            transport = self._transports[lane]
        return transport.handle_request(request)


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


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(READ_BYTES):
        yield chunk


def _unreachable(server: str, error: httpx.HTTPError) -> Unreachable:
    what = str(error) or type(error).__name__
    return Unreachable(f"The scheduler at {server} cannot be reached ({what}). The worker keeps trying.")


def _failure(response: httpx.Response, content: bytes) -> CallFailed:
    """The class for a status, with the scheduler's own words where it sent the usual envelope."""
    status = response.status_code
    message, code = _words(content, f"The scheduler answered with status {status}.")
    retry_after_s = _seconds(response.headers.get("Retry-After", ""))
    if status in TRANSIENT:
        return Unreachable(message, status=status, code=code, retry_after_s=retry_after_s)
    kind = {401: TokenUnknown, 409: StaleAttempt, 507: StorageFull}.get(status, Refused)
    return kind(message, status=status, code=code, retry_after_s=retry_after_s)


def _words(content: bytes, default: str) -> tuple[str, str]:
    try:
        body = msgspec.json.decode(content)
        return str(body["message"]), str(body["data"]["code"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return default, ""


def _seconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
