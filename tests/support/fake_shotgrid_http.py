"""The HTTP of the fake ShotGrid site: the JSON endpoint, the upload forms, and the faults that a test has asked for."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from fake_shotgrid_filters import Wrong

if TYPE_CHECKING:
    from fake_shotgrid import FakeShotGrid

INFO: dict[str, Any] = {
    "version": [8, 92, 0],
    "full_version": [8, 92, 0, 0],
    "build": "fake",
    "user_authentication_method": "default",
    "s3_uploads_enabled": True,
    "s3_direct_uploads_enabled": False,
    "s3_enabled_upload_types": {},
    "api_max_entities_per_page": 500,
}
HANG_MAX_S = 60.0
FAULT_CODE, AUTHENTICATION_CODE = 104, 102


@dataclass
class Seen:
    """One request: `method` is the API's (`read`, `create` …), or the path of an upload; the key is left out.

    `payload` is the request as it came, `answer` what it got (None: nothing, or a fault that was asked for).
    """

    method: str
    params: list[Any]
    user_agent: str
    payload: dict[str, Any] = field(default_factory=dict)
    answer: Any = None


@dataclass
class Fault:
    """What shall go wrong with the next `times` requests (of `method`, if it is set)."""

    kind: str
    times: int
    method: str | None = None
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def serve(fake: FakeShotGrid, port: int = 0) -> ThreadingHTTPServer:
    """A server on a free port, one thread per connection; the caller runs it."""
    return _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"fake": fake}))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A client that gives up mid-request is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeShotGrid

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/api3/json":
            self._call(json.loads(body))
        elif self.path in ("/upload/upload_file", "/upload/publish_thumbnail"):
            self._upload(body)
        else:
            self._send(404, b"no such page", "text/html")

    def do_GET(self) -> None:
        number = self.path.rpartition("/")[2]
        upload = self.fake.site.uploads.get(int(number)) if number.isdigit() else None
        self._send(200 if upload else 404, upload.data if upload else b"", "application/octet-stream")

    def _call(self, payload: dict[str, Any]) -> None:
        method, params = payload["method_name"], payload["params"]
        login = params[0] if params and "script_key" in params[0] else {}
        rest = params[1:] if login else params
        seen = Seen(method, rest, self.headers.get("User-Agent", ""), payload)
        fault = self._note(seen)
        if fault is not None and fault.kind != "drop_answer":
            return self._fail(fault)
        answer = INFO | {} if method == "info" else self._results(method, login, rest)
        if fault is not None:
            return self._hang_up()
        seen.answer = answer
        return self._send(200, json.dumps(answer).encode(), "application/json")

    def _results(self, method: str, login: dict[str, Any], params: list[Any]) -> dict[str, Any]:
        fake = self.fake
        if (login.get("script_name"), login.get("script_key")) != (fake.script_name, fake.api_key):
            message = f"Can't authenticate script '{login.get('script_name')}'"
            return {"exception": True, "message": message, "error_code": AUTHENTICATION_CODE}
        call = fake.site.calls.get(method)
        if call is None:
            return {"exception": True, "message": f"unknown method {method}", "error_code": FAULT_CODE}
        try:
            with fake.site.lock:
                return {"results": json.loads(json.dumps(call(*params)))}
        except Wrong as wrong:
            return {"exception": True, "message": str(wrong), "error_code": FAULT_CODE}

    def _upload(self, body: bytes) -> None:
        """Multipart with the login among the fields; the answer is text: `1:<number>` or `0` and a reason."""
        form, files = _parts(self.headers["Content-Type"], body)
        key = form.pop("script_key", None)
        fault = self._note(Seen(self.path, [form], self.headers.get("User-Agent", "")))
        if fault is not None and fault.kind != "drop_answer":
            return self._fail(fault)
        if (form.get("script_name"), key) != (self.fake.script_name, self.fake.api_key):
            return self._send(200, b"0\nCan't authenticate", "text/html")
        part, (name, data) = next(iter(files.items()))
        field_name = "image" if part == "thumb_image" else form.get("field_name", "")
        try:
            with self.fake.site.lock:
                number = self.fake.site.receive(form, field_name, name, data)
        except Wrong as wrong:
            return self._send(200, f"0\n{wrong}".encode(), "text/html")
        if fault is not None:
            return self._hang_up()
        return self._send(200, f"1:{number}\n".encode(), "text/html")

    def _note(self, seen: Seen) -> Fault | None:
        """Remember a request; the fault that it shall meet."""
        with self.fake.site.lock:
            self.fake.requests.append(seen)
            if self.fake.down:
                return Fault("hang_up", 1)
            for fault in self.fake.faults:
                if fault.times > 0 and fault.method in (None, seen.method):
                    fault.times -= 1
                    return fault
        return None

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "hang_up":
            return self._hang_up()
        if fault.kind == "hang":
            self.fake.released.wait(HANG_MAX_S)
            return self._hang_up()
        return self._send(fault.status, fault.body, "application/json", fault.headers)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, body: bytes, media: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests read `requests`, not a log."""


def _parts(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    fields: dict[str, str] = {}
    files: dict[str, tuple[str, bytes]] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        data = part.get_payload(decode=True) or b""
        if part.get_filename() is None:
            fields[name] = data.decode()
        else:
            files[name] = (str(part.get_filename()), data)
    return fields, files


def start(server: ThreadingHTTPServer) -> None:
    """Serve in a thread of its own."""
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
