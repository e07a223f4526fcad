# SPDX-License-Identifier: Apache-2.0
"""HTTP to the farm with `urllib`: one request at a time, with a time limit, and every failure a sentence.

Never follows a redirect: a token must not go to another host. Blocks, so it is called from a thread and never from an
artist's main thread.
"""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import IO, Any, Callable, Dict, Optional, Tuple, Type

from . import __version__
from .errors import Cancelled, Denied, FarmError, Refused, Unreachable

TIMEOUT_S = 10.0
"""Longest silence of the farm during an ordinary call."""

UPLOAD_TIMEOUT_S = 60.0
"""Longest silence during an upload: the farm writes to its disk meanwhile."""

CHUNK_BYTES = 1024 * 1024
ANSWER_BYTES_MAX = 64 * 1024 * 1024
UNAVAILABLE = frozenset({429, 502, 503, 504, 507})
"""Statuses that pass: the farm is stopping, busy or full."""

Progress = Callable[[int], None]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        return None


class Client:
    """One farm at `server` (e.g. `http://farm:8000`), with a token. Holds no connection; safe to use from threads."""

    def __init__(self, server: str, token: str = "", *, timeout_s: float = TIMEOUT_S, ca_file: str = "") -> None:
        self.server = normal_server(server)
        self._token, self._timeout_s = token.strip(), timeout_s
        handlers: list[Any] = [_NoRedirect()]
        if self.server.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file or None)))
        if _is_this_machine(self.server):
            handlers.append(urllib.request.ProxyHandler({}))  # a studio's proxy knows nothing of this machine
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, query: Optional[Dict[str, Any]] = None) -> Any:
        """The `data` of the answer.

        Raises:
            Unreachable, Denied, Refused: see `errors`.
        """
        return self._json("GET", _with_query(path, query))

    def post(self, path: str, body: Optional[Dict[str, Any]] = None, key: str = "") -> Any:
        """Post JSON; `key` makes it safe to send again. The `data` of the answer."""
        return self._json("POST", path, {} if body is None else body, key)

    def delete(self, path: str) -> Any:
        """The `data` of the answer."""
        return self._json("DELETE", path)

    def fetch(self, path: str, query: Optional[Dict[str, Any]] = None) -> Tuple[bytes, str]:
        """A file's bytes and media type: a preview, a frame, a log."""
        with self._open(self._request("GET", _with_query(path, query)), self._timeout_s) as answer:
            return _bounded(answer), answer.headers.get("Content-Type", "")

    def download(self, path: str, into: IO[bytes], cancelled: Callable[[], bool] = lambda: False) -> int:
        """Copy a file of any size into an open file; returns its bytes.

        Raises:
            Cancelled: `cancelled` said so between two pieces.
        """
        written = 0
        with self._open(self._request("GET", path), UPLOAD_TIMEOUT_S) as answer:
            while True:
                piece = _guarded(lambda: answer.read(CHUNK_BYTES), self.server)
                if not piece:
                    return written
                if cancelled():
                    raise Cancelled
                written += into.write(piece)

    def upload(
        self,
        path: str,
        source: IO[bytes],
        size: int,
        progress: Progress = lambda sent: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Any:
        """PUT `size` bytes of an open file; `progress` is told how many more were read."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        request = self._request("PUT", path, _Source(source, progress, cancelled), headers)  # type: ignore[arg-type]
        with self._open(request, UPLOAD_TIMEOUT_S) as answer:
            return _data(_bounded(answer))

    def _json(self, method: str, path: str, body: Optional[Dict[str, Any]] = None, key: str = "") -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
        content = None if body is None else json.dumps(body).encode()
        with self._open(self._request(method, path, content, headers), self._timeout_s) as answer:
            return _data(_bounded(answer))

    def _request(
        self, method: str, path: str, content: Any = None, headers: Optional[Dict[str, str]] = None
    ) -> urllib.request.Request:
        own = {"User-Agent": "outfield-addon/" + __version__, "Accept": "application/json"}
        if self._token:
            own["Authorization"] = "Bearer " + self._token
        own.update(headers or {})
        return urllib.request.Request(self.server + path, data=content, headers=own, method=method)

    def _open(self, request: urllib.request.Request, timeout_s: float) -> Any:
        return _guarded(lambda: self._opener.open(request, timeout=timeout_s), self.server)


class _Source:
    """A file as http.client reads it, with somebody watching."""

    def __init__(self, source: IO[bytes], progress: Progress, cancelled: Callable[[], bool]) -> None:
        self._source, self._progress, self._cancelled = source, progress, cancelled

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        if self._cancelled():
            raise Cancelled
        piece = self._source.read(size)
        self._progress(len(piece))
        return piece


def normal_server(text: str) -> str:
    """The address as it is asked: with a scheme, without a slash at the end; `farm:8000` becomes `http://farm:8000`.

    Raises:
        Refused: this is no address.
    """
    server = text.strip()
    if server and "://" not in server:
        server = "http://" + server
    server = server if server.endswith("://") else server.rstrip("/")
    try:
        parts = urllib.parse.urlsplit(server)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise Refused(
            "{text!r} is not a farm's address.",
            {"text": text[:200]},
            code="bad_server",
            hint="Write it like http://farm:8000, in the add-on's preferences.",
        )
    return server


def quoted(part: str) -> str:
    """One part of a path, safe to put into an address."""
    return urllib.parse.quote(part, safe="")


def _with_query(path: str, query: Optional[Dict[str, Any]]) -> str:
    said = {key: value for key, value in (query or {}).items() if value is not None}
    return path + "?" + urllib.parse.urlencode(said) if said else path


def _is_this_machine(server: str) -> bool:
    return urllib.parse.urlsplit(server).hostname in ("localhost", "127.0.0.1", "::1")


def _guarded(call: Callable[[], Any], server: str) -> Any:
    """The call's result, or its failure as one of ours."""
    try:
        return call()
    except FarmError:
        raise
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, server) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, FarmError):
            raise error.reason from error
        raise _away(server, error.reason) from error
    except (OSError, HTTPException) as error:
        raise _away(server, error) from error
    except ValueError as error:
        raise Refused("This cannot be asked: {reason}.", {"reason": error}, code="bad_request") from error


def _away(server: str, reason: Any) -> Unreachable:
    if isinstance(reason, ssl.SSLError):
        return Unreachable(
            "The farm at {server} shows a certificate that this machine does not trust ({reason}).",
            {"server": server, "reason": reason.reason},
            code="bad_certificate",
            hint="Ask for the studio's certificate and name its file in the add-on's preferences.",
        )
    is_slow = isinstance(reason, socket.timeout)
    return Unreachable(
        "The farm at {server} does not answer in time." if is_slow else "The farm at {server} cannot be reached.",
        {"server": server},
        code="unreachable",
        hint="Jobs are kept and sent when it is back.",
        details={"reason": str(reason)},
    )


def _refusal(error: urllib.error.HTTPError, server: str) -> FarmError:
    """An HTTP error as the farm means it, or as a proxy in between does."""
    try:
        answer = json.loads(error.read(ANSWER_BYTES_MAX).decode("utf-8"))
        data, message = answer["data"] or {}, str(answer["message"])
        code, hint, details = str(data.get("code", "failed")), str(data.get("hint") or ""), data.get("details") or {}
    except (ValueError, KeyError, TypeError, AttributeError, OSError, HTTPException):
        kind = _kind(error.code)
        return kind(
            "{server} answers with status {status} and no word of Outfield's.",
            {"server": server, "status": error.code},
            code="http_{}".format(error.code),
            hint="Check the farm's address in the add-on's preferences; a proxy may stand in between.",
            status=error.code,
        )
    details = details if isinstance(details, dict) else {}
    return _kind(error.code)(message, code=code, hint=hint, status=error.code, details=details)


def _kind(status: int) -> Type[FarmError]:
    if status in (401, 403):
        return Denied
    return Unreachable if status in UNAVAILABLE else Refused


def _bounded(answer: Any) -> bytes:
    content: bytes = _guarded(lambda: answer.read(ANSWER_BYTES_MAX + 1), "the farm")
    if len(content) > ANSWER_BYTES_MAX:
        raise Refused(
            "The farm's answer is larger than {count} bytes.", {"count": ANSWER_BYTES_MAX}, code="answer_too_large"
        )
    return content


def _data(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8"))["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(
            "What answers there is not an Outfield farm.",
            code="not_outfield",
            hint="Check the farm's address in the add-on's preferences.",
        ) from error
