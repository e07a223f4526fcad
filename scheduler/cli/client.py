"""Calls to the REST API: one method per kind of call, the envelope taken off, every failure an error with a hint.

httpx is imported here, and this module only when a call is made.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from scheduler.cli.connection import Connection
from scheduler.cli.exits import Unreachable
from scheduler.errors import Conflict, Denied, NotFound, OutfieldError, Refused, Unavailable

_modules: dict[str, Any] = sys.modules
_httpx_cli = _modules.setdefault("httpx._main", None)
# httpx offers a command line of its own and imports pygments and most of rich for it: 70 of the 300 ms that a verb may
# take to start. None makes that import fail, which httpx foresees (it is an optional extra).
import httpx  # noqa: E402

if _httpx_cli is None:
    del _modules["httpx._main"]

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0
STREAM_TIMEOUT_S = 60.0
"""Silence on an event stream after which it counts as broken; the scheduler sends a comment far more often."""

PAGE_ROWS = 500
CHUNK_BYTES = 2**20
ERROR_MAX_BYTES = 2**20

ERRORS: Mapping[int, type[OutfieldError]] = {
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Conflict,
    429: Unavailable,
    502: Unreachable,  # a proxy answers in the scheduler's place
    503: Unavailable,
    504: Unreachable,
    507: Unavailable,
}

Params = Mapping[str, Any]
_Progress = Callable[[int], object]


@dataclass(frozen=True)
class Answer:
    """The envelope of an answer: `data`, and what happened in words."""

    data: Any
    message: str = ""
    next_cursor: str = ""


@dataclass(frozen=True)
class ServerEvent:
    """One server-sent event."""

    id: str
    kind: str
    data: Any


class Sink(Protocol):
    """What takes bytes."""

    def write(self, data: bytes, /) -> object:
        """Take some."""
        ...


class Client:
    """Calls to one scheduler."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        headers = {"Accept": "application/json", "User-Agent": "outfield-cli"}
        if connection.token:
            headers["Authorization"] = f"Bearer {connection.token}"
        self._http = httpx.Client(
            base_url=connection.server,
            headers=headers,
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=not connection.local,  # a proxy from the environment must not stand before this machine
            verify=_tls(connection),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, params: Params | None = None) -> Any:
        """The data of a GET."""
        return self._call("GET", path, params=_given(params)).data

    def pages(self, path: str, params: Params | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The rows of a list, page after page, at most `limit`."""
        rows, wanted = list[dict[str, Any]](), dict(params or {})
        while limit is None or len(rows) < limit:
            wanted["limit"] = PAGE_ROWS if limit is None else min(PAGE_ROWS, limit - len(rows))
            answer = self._call("GET", path, params=_given(wanted))
            rows += answer.data
            if not answer.next_cursor:
                break
            wanted["cursor"] = answer.next_cursor
        return rows

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        """Send a JSON body; `key` makes the call safe to repeat."""
        return self._call("POST", path, json=body, headers={"Idempotency-Key": key} if key else None)

    def put(self, path: str, body: Any, *, params: Params | None = None, match: str | None = None) -> Answer:
        """Replace something with a JSON body; `match` is the version that it must still have (If-Match)."""
        headers = {"If-Match": match} if match is not None else None
        return self._call("PUT", path, json=body, params=_given(params), headers=headers)

    def delete(self, path: str) -> Answer:
        """Remove something."""
        return self._call("DELETE", path)

    def has(self, path: str) -> bool:
        """Whether a HEAD finds something."""
        with self._failures():
            response = self._http.head(path)
        if response.status_code in (200, 404):
            return response.status_code == 200
        raise _error(response)

    def put_file(self, path: str, file: Path, progress: _Progress = lambda _sent: None) -> Answer:
        """Upload a file; `progress` is told how many bytes have gone."""
        with file.open("rb") as source:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)}
            return self._call("PUT", path, content=_chunks(source, progress), headers=headers)

    def post_file(self, path: str, file: Path, fields: Mapping[str, Any], *, key: str) -> Answer:
        """Send a file as `file` of a multipart form, with further fields; those that are no texts as JSON."""
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        with file.open("rb") as source:
            parts = {"file": (file.name, source, "application/zip")}
            return self._call("POST", path, files=parts, data=texts, headers={"Idempotency-Key": key})

    def download(self, path: str, target: Sink, params: Params | None = None) -> None:
        """Write the body of a GET to a file."""
        with self._failures(), self._http.stream("GET", path, params=_given(params)) as response:
            _check(response)
            for chunk in response.iter_bytes(CHUNK_BYTES):
                target.write(chunk)

    def part(self, path: str, params: Params | None = None) -> bytes:
        """The body of a GET as it is; for parts of a log."""
        with self._failures():
            response = self._http.get(path, params=_given(params))
        _check(response)
        return response.content

    def events(self, path: str, params: Params | None = None, last_id: str | None = None) -> Iterator[ServerEvent]:
        """Server-sent events until the scheduler ends the stream (https://html.spec.whatwg.org, server-sent events)."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        timeout = httpx.Timeout(STREAM_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        with (
            self._failures(),
            self._http.stream("GET", path, params=_given(params), headers=headers, timeout=timeout) as response,
        ):
            _check(response)
            yield from parse_events(response.iter_lines())

    def _call(self, method: str, path: str, **options: Any) -> Answer:
        with self._failures():
            response = self._http.request(method, path, **options)
        _check(response)
        try:
            envelope = response.json()
            cursor = response.headers.get("X-Next-Cursor", "")
            return Answer(envelope["data"], str(envelope.get("message", "")), cursor)
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable(
                f"{self.connection.server} answers, but not like a scheduler of Outfield.", hint="Check the URL."
            ) from error

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise Unreachable(
                    f"The certificate of {self.connection.server} is not trusted on this machine.",
                    hint="Name the farm's authority (its data folder's tls/ca.pem) by --ca-file or OUTFIELD_CA_FILE.",
                    details={"reason": _reason(error)},
                ) from error
            raise Unreachable(
                f"Cannot reach the scheduler at {self.connection.server}.", details={"reason": _reason(error)}
            ) from error


def parse_events(lines: Iterator[str]) -> Iterator[ServerEvent]:
    """Events from the lines of a stream; comments and unknown fields are skipped."""
    last_id, kind, data = "", "message", list[str]()
    for line in lines:
        if not line:
            if data:
                yield ServerEvent(last_id, kind, _json("\n".join(data)))
            kind, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            last_id = value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _chunks(source: IO[bytes], progress: _Progress) -> Iterator[bytes]:
    sent = 0
    while chunk := source.read(CHUNK_BYTES):
        yield chunk
        sent += len(chunk)
        progress(sent)


def _given(params: Params | None) -> dict[str, Any] | None:
    return {name: value for name, value in params.items() if value is not None} if params else None


def _check(response: httpx.Response) -> None:
    if not response.is_success:
        response.read()
        raise _error(response)


def _error(response: httpx.Response) -> OutfieldError:
    """The error that the API's envelope describes, or the status in words where there is no envelope."""
    kind = ERRORS.get(response.status_code, Refused if response.status_code < 500 else OutfieldError)
    body = _json(response.text[:ERROR_MAX_BYTES])
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        return kind(f"The scheduler answered {response.status_code} {response.reason_phrase}.")
    data = body["data"]
    return kind(
        str(body.get("message") or response.reason_phrase),
        code=str(data.get("code") or kind.code),
        hint=str(data.get("hint") or kind.hint),
        details=data.get("details"),
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _tls(connection: Connection) -> Any:
    """What certificates are checked against; a context is made only where there is TLS, it takes 20 ms."""
    if not connection.server.startswith("https:"):
        return False
    import ssl

    context = ssl.create_default_context()
    if connection.ca_file is not None:
        context.load_verify_locations(cafile=connection.ca_file)
    return context
