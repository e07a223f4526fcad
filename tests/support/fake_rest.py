"""A small REST API that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "t0ken"

JOB: dict[str, Any] = {
    "jobID": "00007",
    "name": "shot",
    "jobs-status": "RUNNING",
    "status": "RUNNING",
    "reason": "started",
    "priority": 50,
    "user": "ada",
    "shot": "sh010",
    "project": None,
    "renderer": "kernel",
    "frames": "1-2",
    "frame_count": 2,
    "progress": {"total": 2, "done": 1, "running": 1, "failed": 0, "waiting": 0, "canceled": 0},
    "submitted_at": "2026-01-01T00:00:00.000Z",
    "started_at": None,
    "ended_at": None,
    "deadline": None,
    "frames_published": 1,
    "scene": None,
    "output": "/out/shot.####.png",
    "settings": {},
    "tracking": {},
    "depends_on": [],
}
"""A job as the API shows it."""

Answer = tuple[int, Any]


@dataclass
class Request:
    """A request that the scheduler has seen."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class FakeRest:
    """Answers `METHOD /path` with what `answers` holds: data, or a function of the request giving status and body.

    `next` in a body becomes the cursor of the next page. What `answers` does not hold is 404.
    """

    url: str
    answers: dict[str, Any] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)

    def calls(self, name: str) -> list[Request]:
        """The requests to `METHOD /path`."""
        return [request for request in self.seen if f"{request.method} {request.path}" == name]

    def fails(self, name: str, status: int, code: str, message: str = "No.", details: Any = None) -> None:
        """Answer with an error."""
        data = {"code": code, "details": details, "hint": "Do this."}
        self.answers[name] = lambda _request: (status, {"data": data, "message": message})


def _handler(fake: FakeRest) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            path, _, query = self.path.partition("?")
            body = self._body()
            request = Request(self.command, path, query, {k.lower(): v for k, v in self.headers.items()}, body)
            fake.seen.append(request)
            found = fake.answers.get(f"{self.command} {path}")
            if found is None:
                error = {"code": "not_found", "details": None, "hint": "Look again."}
                return self._send(404, {"data": error, "message": "There is no such thing."})
            if isinstance(found, Callable):
                return self._send(*found(request))
            return self._send(200, {"data": found, "message": "Done."})

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _send(self, status: int, data: Any) -> None:
            raw = data if isinstance(data, bytes) else json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            if isinstance(data, dict) and data.get("next"):
                self.send_header("X-Next-Cursor", data["next"])
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


@contextmanager
def fake_rest() -> Iterator[FakeRest]:
    """Serve on a free port."""
    fake = FakeRest("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
