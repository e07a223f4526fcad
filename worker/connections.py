"""The worker's connections to the scheduler: one per lane, so that a parked poll or a large upload never holds up a
renewal."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit

import httpx

from worker.answers import failure, unreachable
from worker.credentials import fetch_authority, show_certificate, tls_context
from worker.settings import WorkerSettings

Lane = Literal["poll-a", "poll-b", "report", "renew", "files", "log", "blobs", "pictures"]

ANSWER_MAX_BYTES = 2**20
"""Longest error answer that is read."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Connections:
    """Thread-safe; `token` may be set once the worker has joined."""

    def __init__(self, settings: WorkerSettings, token: str = "") -> None:
        self._settings, self.token = settings, token
        self._lock = threading.Lock()
        self._clients: dict[Lane, httpx.Client] = {}
        self._transports: dict[Lane, httpx.HTTPTransport] = {}
        self._tls: ssl.SSLContext | bool = tls_context(settings)
        # A proxy from the environment must not stand between a worker and a scheduler on the same machine.
        self._proxied = urlsplit(settings.server).hostname not in LOOPBACK

    def learn_authority(self) -> None:
        """Fetch the farm's authority and believe it, if a pin says which one it must be.

        Raises:
            WrongPin: it is another one. Unreachable: the scheduler does not answer.
        """
        try:
            found = fetch_authority(self._settings)
        except httpx.HTTPError as error:
            raise unreachable(self._settings.server, error) from error
        if found is not None and not isinstance(self._tls, bool):
            self._tls.load_verify_locations(found)

    def show_certificate(self) -> None:
        """Show the worker's certificate on every connection that is made from now on."""
        if not isinstance(self._tls, bool):
            show_certificate(self._tls, self._settings.data)

    def call(
        self,
        lane: Lane,
        method: str,
        path: str,
        *,
        content: bytes | Iterator[bytes],
        headers: dict[str, str] | None = None,
        length: int | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """One request and its answer; `timeout_s` None: as the settings say.

        Raises:
            CallFailed: there is no answer, or one that is no success.
        """
        sent = self.headers(headers or {"Content-Type": "application/json"})
        if length is not None:
            sent["Content-Length"] = str(length)
        wait = self.timeout(timeout_s or self._settings.read_timeout_s)
        try:
            response = self._client(lane).request(method, path, content=content, headers=sent, timeout=wait)
        except httpx.HTTPError as error:
            raise unreachable(self._settings.server, error) from error
        if response.is_success:
            return response
        raise failure(response, response.content[:ANSWER_MAX_BYTES])

    @contextmanager
    def stream(self, lane: Lane, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """An answer whose body is read as it comes, whatever its status.

        Raises:
            Unreachable: there is none, or it breaks off.
        """
        client, timeout = self._client(lane), self.timeout(self._settings.file_timeout_s)
        try:
            with client.stream("GET", path, headers=self.headers(headers), timeout=timeout) as response:
                yield response
        except httpx.HTTPError as error:
            raise unreachable(self._settings.server, error) from error

    def send(self, lane: Lane, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """The hot road's way: on the same machine through httpx's transport directly, because the full client costs
        0.4 ms more per call.

        Raises:
            Unreachable: there is no answer.
        """
        try:
            response = self._sent(lane, request)
            return response, response.read()
        except httpx.HTTPError as error:
            raise unreachable(self._settings.server, error) from error

    def _sent(self, lane: Lane, request: httpx.Request) -> httpx.Response:
        if self._proxied:
            return self._client(lane).send(request)
        with self._lock:
            if lane not in self._transports:
                self._transports[lane] = httpx.HTTPTransport(verify=self._tls)
            transport = self._transports[lane]
        return transport.handle_request(request)

    def headers(self, more: dict[str, str]) -> dict[str, str]:
        """These, and who the worker is."""
        return {**more, "Authorization": f"Bearer {self.token}"} if self.token else dict(more)

    def timeout(self, read_s: float) -> httpx.Timeout:
        """How long to wait for an answer, and for a connection."""
        return httpx.Timeout(read_s, connect=self._settings.connect_timeout_s)

    def _client(self, lane: Lane) -> httpx.Client:
        with self._lock:
            if lane not in self._clients:
                self._clients[lane] = httpx.Client(
                    base_url=self._settings.server, verify=self._tls, trust_env=self._proxied
                )
            return self._clients[lane]

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            for transport in self._transports.values():
                transport.close()
            self._clients.clear()
            self._transports.clear()
