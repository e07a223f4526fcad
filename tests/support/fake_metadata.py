"""The metadata services of GCE and EC2 over real HTTP, in this process: a test says when the machine is taken away.

As strict as the real ones where a client can be wrong: GCE asks for its header and lets `wait_for_change` wait with an
ETag; EC2 (version 2) wants a token that was asked for by PUT, and forgets it when it is told to.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

GCE_KEYS = "/computeMetadata/v1/instance/"
AWS_DATA, AWS_TOKEN = "/latest/meta-data/", "/latest/api/token"


class FakeMetadata:
    """Use as a context manager; `url` is its base. `seen` lists the paths that were asked for, with their status."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.gce = {"preempted": "FALSE", "maintenance-event": "NONE"}
        self.aws: dict[str, bytes] = {}
        self.tokens: set[str] = set()
        self.seen: list[tuple[str, int]] = []
        self.broken = False
        self.closing = False
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(*fake.get(self.path, {key.lower(): value for key, value in self.headers.items()}))

            def do_PUT(self) -> None:
                self.answer(*fake.put(self.path, {key.lower(): value for key, value in self.headers.items()}))

            def answer(self, status: int, body: bytes, etag: str = "") -> None:
                fake.seen.append((self.path, status))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if etag:
                    self.send_header("ETag", etag)
                with suppress(ConnectionError):  # the worker has gone while it was waiting
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    # --- what a test does; each returns when it was done, on this machine's monotonic clock

    def set_gce(self, key: str, value: str) -> float:
        """A key of GCE's server changes."""
        with self.changed:
            self.gce[key] = value
            self.changed.notify_all()
            return time.monotonic()

    def set_aws(self, path: str, document: Any) -> float:
        """A document of EC2's service appears."""
        self.aws[path] = document if isinstance(document, bytes) else json.dumps(document).encode()
        return time.monotonic()

    def take_back(self, cloud: str) -> float:
        """The provider's notice that a Spot machine is taken."""
        if cloud == "gce":
            return self.set_gce("preempted", "TRUE")
        return self.set_aws("spot/instance-action", {"action": "terminate", "time": "2031-01-01T00:00:00Z"})

    # --- the wire

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes] | tuple[int, bytes, str]:
        if self.broken:
            return 500, b"broken"
        parts = urlsplit(path)
        if parts.path.startswith(GCE_KEYS):
            return self._gce(parts.path.removeprefix(GCE_KEYS), parse_qs(parts.query), headers)
        if headers.get("x-aws-ec2-metadata-token") not in self.tokens:
            return 401, b""
        document = self.aws.get(parts.path.removeprefix(AWS_DATA))
        return (404, b"") if document is None else (200, document)

    def put(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        ttl = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if self.broken or path != AWS_TOKEN or not ttl.isdigit() or not 0 < int(ttl) <= 21_600:
            return 400, b""
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        return 200, token.encode()

    def _gce(
        self, key: str, query: dict[str, list[str]], headers: dict[str, str]
    ) -> tuple[int, bytes] | tuple[int, bytes, str]:
        if headers.get("metadata-flavor") != "Google":
            return 403, b"Missing Metadata-Flavor:Google header."
        with self.changed:
            if key not in self.gce:
                return 404, b""
            last = query.get("last_etag", ["0"])[0]
            if query.get("wait_for_change") == ["true"]:
                longest_s = float(query.get("timeout_sec", ["60"])[0])
                self.changed.wait_for(lambda: self.closing or _etag(self.gce[key]) != last, longest_s)
            return 200, self.gce[key].encode(), _etag(self.gce[key])


def _etag(value: str) -> str:
    return f"{hash(value) & 0xFFFFFFFF:x}"
