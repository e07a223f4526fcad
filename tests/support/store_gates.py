"""What stands before object stores in tests, or in their place: gates that keep conditions, and those that drop them.

fake-gcs-server keeps `ifGenerationMatch` for simple uploads and passes over it for `compose`, where Google's does not
(https://cloud.google.com/storage/docs/request-preconditions). `GcsGate` stands before it and keeps it for both; with
`forgetful` it drops the condition altogether, as some proxies do. `ForgetfulS3` is a store that has never heard of it.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

_PRECONDITION = b'{"error": {"code": 412, "message": "Precondition Failed"}}'


class Handler(BaseHTTPRequestHandler):
    """Any method goes to `handle_any`; nothing is logged."""

    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        """Answer one request."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        """The base class looks for `do_GET` and its like."""
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""

    def body(self) -> bytes:
        """The request's body, however it was sent."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(whole)

    def answer(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Loopback:
    """A server of handlers in threads."""

    def __init__(self, handler: type[Handler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


class GcsGate(Loopback):
    """Passes everything on; keeps `ifGenerationMatch=0` of a compose, or drops it from every call."""

    def __init__(self, port: int, *, forgetful: bool = False) -> None:
        gate = threading.Lock()

        class Answers(Handler):
            def handle_any(self) -> None:
                parts, body = urlsplit(self.path), self.body()
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                composes = parts.path.endswith("/compose")
                if forgetful:
                    query.pop("ifGenerationMatch", None)
                if not composes:
                    self._pass_on(parts.path, query, body)
                    return
                with gate:
                    target = parts.path.removesuffix("/compose")
                    if query.get("ifGenerationMatch") == "0" and self._call("GET", target, b"").status == 200:
                        self.answer(412, _PRECONDITION, {"Content-Type": "application/json"})
                    else:
                        self._pass_on(parts.path, query, body)

            def _pass_on(self, path: str, query: dict[str, str], body: bytes) -> None:
                found = self._call(self.command, path + (f"?{urlencode(query)}" if query else ""), body)
                content = found.read()
                dropped = {"transfer-encoding", "content-length", "connection", "date"}
                headers = {name: value for name, value in found.getheaders() if name.lower() not in dropped}
                if location := headers.get("Location"):  # of a resumable session
                    headers["Location"] = location.replace(f"127.0.0.1:{port}", self.headers["Host"])
                length = found.getheader("Content-Length") if self.command == "HEAD" else None
                self.answer(found.status, content, headers | ({"Content-Length": length} if length else {}))

            def _call(self, method: str, path: str, body: bytes) -> http.client.HTTPResponse:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                skipped = {"host", "transfer-encoding", "content-length", "connection", "accept-encoding"}
                headers = {name: value for name, value in self.headers.items() if name.lower() not in skipped}
                connection.request(method, path, body if method != "GET" else None, headers)
                return connection.getresponse()

        super().__init__(Answers)


class ForgetfulS3(Loopback):
    """An S3 of a few lines that ignores `If-None-Match`, as some stores and proxies do. Asks nobody for a signature."""

    def __init__(self, *, forgets: str = "whole") -> None:
        """`forgets` the condition of a "whole" object, or that of one in "parts"."""
        objects: dict[str, bytes] = {}
        parts: dict[str, bytes] = {}
        self.objects = objects

        class Answers(Handler):
            def handle_any(self) -> None:
                address, body = urlsplit(self.path), self.body()
                key, query = unquote(address.path), dict(parse_qsl(address.query, keep_blank_values=True))
                if "uploads" in query and self.command == "POST":
                    name = f"<Key>{key}</Key><UploadId>{len(parts)}</UploadId>"
                    xml = f"<InitiateMultipartUploadResult>{name}</InitiateMultipartUploadResult>"
                    self.answer(200, xml.encode())
                elif "uploads" in query:
                    self.answer(200, b"<ListMultipartUploadsResult></ListMultipartUploadsResult>")
                elif "partNumber" in query:
                    parts[key] = body
                    self.answer(200, headers={"ETag": '"part"'})
                elif "uploadId" in query and self.command == "POST":
                    self._commit(key, parts.pop(key), "parts")
                elif self.command == "PUT":
                    self._commit(key, body, "whole")
                elif self.command == "DELETE":
                    objects.pop(key, None)
                    self.answer(204)
                elif key in objects:
                    self.answer(200, objects[key])
                else:
                    self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

            def _commit(self, key: str, content: bytes, how: str) -> None:
                if key in objects and self.headers.get("If-None-Match") == "*" and how != forgets:
                    self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                    return
                objects[key] = content
                xml = b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"
                self.answer(200, xml if how == "parts" else b"", {"ETag": '"x"'})

        super().__init__(Answers)
