"""Calls to another farm's REST API: one connection for small talk, or for files. Belongs to one thread.

It fulfils both ports that `scheduler.service.liaison` declares (`Talker`, `Carrier`). Every call has time-outs, no
redirect is followed (the token would go along), and whatever goes wrong is one of `troubles`.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from scheduler.backends.site.answers import check, data_of, frames_of, job_of
from scheduler.backends.site.pace import Pace
from scheduler.backends.site.troubles import SiteDenied, SiteSilent
from scheduler.clock import Clock
from scheduler.domain.handover import FarFrame, FarJob
from scheduler.errors import Conflict, NotFound
from scheduler.settings import SitePool

CHUNK_BYTES = 2**18
PAGE_ROWS = 500
PARTIAL_CONTENT = 206
_TOKEN = re.compile(r"[!-~]{1,200}")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SiteClient:
    """One other farm. Connections are made when they are needed and after each trouble anew."""

    def __init__(self, settings: SitePool, clock: Clock) -> None:
        self._settings = settings
        self._pace = Pace(settings.bytes_per_s_max, clock)
        self._client: httpx.Client | None = None

    # ---- Small talk ------------------------------------------------------------------------------------------------

    def farm_id(self) -> str:
        """The other farm's own id."""
        found = self._data("GET", "/info").get("farm_id")
        if not isinstance(found, str) or not found:
            raise SiteSilent("it does not say which farm it is")
        return found

    def submit(self, key: str, payload: Mapping[str, Any]) -> FarJob:
        """Submit a job; the same key and payload again give the same job.

        Raises:
            SiteRefused: it does not take the job; nothing was stored.
            SiteSilent: nobody knows whether it was stored.
        """
        return job_of(self._data("POST", "/new_job", json=dict(payload), headers={"Idempotency-Key": key}))

    def look(self, job: str, *, closely: bool) -> FarJob | None:
        """How a job stands there, `closely` with the reason that it waits; None: it is not known there."""
        try:
            found = self._data("GET", f"/jobs/{job}")
            return job_of(found, self._data("GET", f"/jobs/{job}/why") if closely else None)
        except NotFound:
            return None

    def tell(self, job: str, order: str, body: Mapping[str, Any] | None = None) -> None:
        """`cancel`, `pause`, `resume` or `priority`. What the job's state makes pointless is passed over."""
        with suppress(Conflict, NotFound):
            self._data("POST", f"/jobs/{job}/{order}", json=dict(body) if body else None)

    # ---- Files -----------------------------------------------------------------------------------------------------

    def ship(self, digest: str, path: Path) -> None:
        """Make a file known there by its SHA-256; one that is there already is not sent again.

        Raises:
            SiteRefused: it does not take the file.
            FileNotFoundError: it is not here any more.
        """
        with self._calling() as client:
            there = client.head(f"/blobs/{digest}", headers=self._headers())
            if there.is_success:
                return
            size = path.stat().st_size
            with path.open("rb") as file:
                headers = self._headers() | {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
                check(client.put(f"/blobs/{digest}", content=self._chunks(file), headers=headers))

    def frames(self, job: str) -> list[FarFrame]:
        """The frames that are published there."""
        rows, cursor = list[Any](), ""
        with self._calling() as client:
            while True:
                params = {"limit": str(PAGE_ROWS)} | ({"cursor": cursor} if cursor else {})
                response = client.get(f"/jobs/{job}/frames", params=params, headers=self._headers())
                check(response)
                rows += data_of(response)
                cursor = response.headers.get("x-next-cursor", "")
                if not cursor:
                    return frames_of(rows)

    def fetch(self, job: str, frame: FarFrame, part: Path) -> None:
        """Bring a frame's file to `part`, whole and with its hash; what lies there already is gone on from.

        Raises:
            SiteSilent: it broke off, or arrived damaged; what came so far is kept only if it may be right.
        """
        part.parent.mkdir(parents=True, exist_ok=True)
        digest, there = _hashed(part)
        if there > frame.size:
            part.unlink()
            digest, there = hashlib.sha256(), 0
        with part.open("ab") as file:
            if there < frame.size:
                with self._calling() as client:
                    self._receive(client, f"/jobs/{job}/frames/{frame.frame}", file, digest, there)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        if digest.hexdigest() != frame.hash or size != frame.size:
            part.unlink(missing_ok=True)
            raise SiteSilent(f"frame {frame.frame} arrived damaged")

    def _receive(self, client: httpx.Client, path: str, file: Any, digest: Any, there: int) -> None:
        headers = self._headers() | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        with client.stream("GET", path, headers=headers) as response:
            if not response.is_success:
                response.read()
            check(response)
            if there and response.status_code != PARTIAL_CONTENT:
                raise SiteSilent("it does not go on where a file broke off")
            for chunk in response.iter_bytes(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                self._pace.spend(len(chunk))

    def _chunks(self, file: Any) -> Iterator[bytes]:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
            self._pace.spend(len(chunk))

    # ---- The line --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Hang up; the next call makes a new connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _data(self, method: str, path: str, **request: Any) -> Any:
        with self._calling() as client:
            headers = self._headers() | request.pop("headers", {})
            response = client.request(method, path, headers=headers, **request)
            check(response)
            return data_of(response)

    @contextmanager
    def _calling(self) -> Iterator[httpx.Client]:
        """The connection; a line that failed is not used again."""
        try:
            if self._client is None:
                self._client = self._connect()
            yield self._client
        except httpx.HTTPError as error:
            self.close()
            raise SiteSilent(f"it cannot be reached: {_words(error)}") from error

    def _connect(self) -> httpx.Client:
        settings = self._settings
        return httpx.Client(
            base_url=settings.url,
            timeout=httpx.Timeout(settings.timeout_s, connect=settings.connect_timeout_s),
            # A proxy from the environment must not stand before this machine.
            trust_env=urlsplit(settings.url).hostname not in LOOPBACK,
            verify=self._trust(),
            follow_redirects=False,
        )

    def _trust(self) -> ssl.SSLContext | bool:
        settings = self._settings
        if not settings.verify or not settings.url.startswith("https:"):
            return settings.verify
        try:
            return ssl.create_default_context(cafile=settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SiteDenied(f"ca_file {settings.ca_file} cannot be used: {error}") from error

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {read_token(self._settings)}", "Accept": "application/json"}


def _hashed(part: Path) -> tuple[Any, int]:
    """The running SHA-256 of what has come of a file so far, and its length."""
    digest, length = hashlib.sha256(), 0
    if part.exists():
        with part.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                length += len(chunk)
    return digest, length


def read_token(settings: SitePool) -> str:
    """The token, from the settings or, each time anew, from its file.

    Raises:
        SiteDenied: there is none, or what there is cannot be one (a header with it would be shown in an error).
    """
    path, where = settings.token_file, "token"
    token = settings.token.get_secret_value() if settings.token is not None else ""
    if settings.token is None and path is not None:
        where = f"token_file {path}"
        try:
            token = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SiteDenied(f"{where} cannot be read: {error}") from error
    if not _TOKEN.fullmatch(token):
        raise SiteDenied(f"the pool's {where} holds no token")
    return token


def _words(error: httpx.HTTPError) -> str:
    return str(error)[:200] or type(error).__name__
