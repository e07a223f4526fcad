"""A farm of a hundred lines for the add-ons' core: blobs, bundles, idempotency keys, jobs, and faults on demand.

It answers in the shapes of the real one, with which `tests/addons/test_blender_road.py` compares the whole road.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "ofd_test"
INFO = {
    "farm": "fake",
    "you": {"name": "ada", "role": "user"},
    "renderers": [{"name": "blender", "settings": {"properties": {"samples": {"type": "integer", "minimum": 1}}}}],
    "limits": {"frames_per_job_max": 1000},
    "output_roots": ["/"],
}


class FakeFarm:
    """What it has and what it was asked."""

    def __init__(self) -> None:
        self.url, self.info = "", INFO
        self.blobs: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []
        self.answered: dict[str, tuple[str, dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.bad: dict[str, tuple[int, Any]] = {}
        """Answers in place of the real ones: "METHOD /path" to status and body (bytes, or data)."""
        self.hang = threading.Event()
        self.hangs_on = ""
        self.entered = threading.Event()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Status and data."""
        bare = path.partition("?")[0]
        self.asked.append(f"{method} {bare}")
        if self.hangs_on and f"{method} {bare}".startswith(self.hangs_on):
            self.entered.set()
            self.hang.wait(20)
        if f"{method} {bare}" in self.bad:
            return self.bad[f"{method} {bare}"]
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"code": "unauthenticated", "hint": "Send a token."}
        if method == "PUT" and bare.startswith("/blobs/"):
            return self._keep(bare.rpartition("/")[2], body)
        if bare == "/new_job":
            return self._new_job(headers.get("Idempotency-Key", ""), body)
        if bare == "/info":
            return 200, self.info
        if bare == "/workers":
            return 200, []
        if bare == "/jobs":
            return 200, list(self.jobs)
        if bare.startswith("/jobs/"):
            return (200, []) if bare.endswith("/frames") else (200, {})
        return 404, {"code": "not_found", "hint": "Look again."}

    def _keep(self, digest: str, body: bytes) -> tuple[int, Any]:
        if hashlib.sha256(body).hexdigest() != digest:
            return 422, {"code": "hash_mismatch", "hint": "Send it again."}
        self.blobs[digest] = body
        return 201, {"hash": digest, "size": len(body)}

    def _new_job(self, key: str, body: bytes) -> tuple[int, Any]:
        if key in self.answered:
            known, job = self.answered[key]
            return (
                (201, job)
                if known == body.decode()
                else (422, {"code": "idempotency_conflict", "hint": "Another key."})
            )
        wish = json.loads(body)
        scene = str(wish.get("scene", ""))
        if scene.startswith("bundle:"):
            digest = scene.partition(":")[2]
            wanted = {digest}
            if digest in self.blobs:
                wanted |= set(json.loads(self.blobs[digest])["files"].values())
            missing = sorted(wanted - set(self.blobs))
            if missing:
                return 422, {"code": "bundle_incomplete", "details": {"missing": missing}, "hint": "Upload them."}
        progress = {"total": 2, "done": 0, "running": 0, "failed": 0, "waiting": 2, "canceled": 0}
        number = f"{len(self.jobs) + 1:05d}"
        job = {"jobID": number, "name": wish["name"], "status": "QUEUED", "progress": progress, "priority": 50}
        self.jobs.append(job)
        self.answered[key] = (body.decode(), job)
        return 201, job


@contextmanager
def fake_farm(port: int = 0) -> Iterator[FakeFarm]:
    """A farm that listens (on a port)."""
    farm = FakeFarm()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, data = farm.answer(self.command, self.path, self.headers, body)
            content = (
                data if isinstance(data, bytes) else json.dumps({"data": data, "message": f"Status {status}."}).encode()
            )
            try:
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", farm.url + "/elsewhere")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                return

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    farm.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield farm
    finally:
        farm.hang.set()
        server.shutdown()
        server.server_close()
        thread.join()
