"""The HTTP of the fake scheduler: from requests to its methods and back, and connections that just close."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from scheduler.protocol.work import TaskRef

if TYPE_CHECKING:
    from fake_scheduler import FakeScheduler


def serve(fake: FakeScheduler) -> ThreadingHTTPServer:
    """A server on a free port, one thread per connection; the caller runs it."""
    return _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))


def ref_from(attempt: str) -> TaskRef:
    """An attempt as paths name it, `7.2`."""
    task, _, number = attempt.partition(".")
    return TaskRef(int(task), int(number))


def error(code: str, message: str) -> dict[str, Any]:
    """What an error's envelope holds; the message is moved to its own place when it is sent."""
    return {"code": code, "details": None, "hint": "", "message": message}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that is killed mid-request is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeScheduler

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body, parts = self._begin()
        if body is None:
            return
        if parts == ["workers"]:
            self._answer(*self.fake.join(body))
        elif self.headers["Authorization"] != f"Bearer {self.fake.token}":
            self._answer(401, error("token_unknown", "The token is not known."))
        elif parts[0] == "workers" and parts[-1] == "sync":
            self._answer(*self.fake.sync(body))
        else:
            offset = int(parse_qs(urlsplit(self.path).query)["offset"][0])
            self._answer(*self.fake.log(parts[1], offset, body))

    def do_PUT(self) -> None:
        body, parts = self._begin()
        if body is not None:
            self._answer(*self.fake.put(parts[1], parts[3], body, self.headers["X-Content-SHA256"]))

    def do_GET(self) -> None:
        body, parts = self._begin()
        if body is None:
            return
        asked = self.headers.get("Range", "")
        with self.fake.changed:
            self.fake.seen.downloads.append((parts[1], asked))
        blob = self.fake.blobs.get(parts[1])
        if blob is None:
            self._answer(404, error("not_found", "There is no such blob."))
            return
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        self._raw(206 if start else 200, blob[start:])

    def _begin(self) -> tuple[bytes | None, list[str]]:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path).path.strip("/").split("/")
        if self.fake.down or (self.fake.sync_down and parts[-1] == "sync"):
            self.close_connection = True
            self.connection.close()
            return None, []
        return body, parts

    def _answer(self, status: int, data: Any) -> None:
        if self.fake.down or (self.fake.sync_down and self.path.endswith("sync")):
            self.close_connection = True
            self.connection.close()
            return
        message = data.pop("message", "") if isinstance(data, dict) else ""
        self._raw(status, msgspec.json.encode({"data": data, "message": message}))

    def _raw(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        if self.fake.cut_downloads_at and self.command == "GET":
            body, self.fake.cut_downloads_at = body[: self.fake.cut_downloads_at], 0
            self.close_connection = True
        self.wfile.write(head + body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Tests read the record, not a log."""
