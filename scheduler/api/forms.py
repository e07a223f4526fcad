"""A multipart form with one file, received straight into the farm's storage: no memory, no temporary file holds it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from scheduler.api.bodies import parse_json
from scheduler.errors import Refused
from scheduler.protocol.submission import NewJob
from scheduler.service.farm import Farm
from scheduler.store.blobs import Incoming

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD_MAX_BYTES = 64 * 1024
HEADERS_MAX_BYTES = 16 * 1024
FIELDS_MAX = 64
NAME_MAX = 200
"""Characters of a file name that become the job's name."""

_TEXT_FIELDS = frozenset({"name", "renderer", "scene", "frames", "output", "format", "cloud", "deadline"})


@dataclass(frozen=True)
class Form:
    """A form that was received whole. `path` holds the file, `hash` is its SHA-256 in hex."""

    path: Path
    hash: str
    size: int
    file_name: str
    fields: dict[str, str]


@dataclass
class _Part:
    name: str = ""
    file_name: str | None = None
    text: bytearray = field(default_factory=bytearray)


class _Receiver:
    """The multipart parser's callbacks."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._header_name, self._header_value = bytearray(), bytearray()
        self._headers: dict[str, bytes] = {}
        self._header_bytes = 0
        self._part = _Part()
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self.ended = False

    def callbacks(self) -> MultipartCallbacks:
        """What the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header(self._header_name, data[start:end]),
            "on_header_value": lambda data, start, end: self._header(self._header_value, data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._whole,
        }

    def _begin(self) -> None:
        self._headers, self._part, self._header_bytes = {}, _Part(), 0

    def _header(self, so_far: bytearray, data: bytes) -> None:
        so_far.extend(data)
        self._header_bytes += len(data)
        if self._header_bytes > HEADERS_MAX_BYTES:
            raise Refused("The form's headers are too long.", code="invalid_form")

    def _header_end(self) -> None:
        self._headers[self._header_name.decode("latin-1").lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _headers_end(self) -> None:
        _kind, options = parse_options_header(self._headers.get("content-disposition", b""))
        file_name = options.get(b"filename")
        self._part = _Part(_text(options.get(b"name", b"")), None if file_name is None else _text(file_name))
        if self._part.name == "file":
            if self.file_name is not None:
                raise Refused("The form holds more than one file.", code="invalid_form", hint="Send one zip as `file`.")
            self.file_name = self._part.file_name or "scene.zip"
        elif len(self.fields) >= FIELDS_MAX:
            raise Refused("The form holds too many fields.", code="invalid_form")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == "file":
            self._incoming.write(data[start:end])
            return
        self._part.text.extend(data[start:end])
        if len(self._part.text) > FIELD_MAX_BYTES:
            raise Refused(f"The form's field {self._part.name[:40]!r} is too long.", code="invalid_form")

    def _end(self) -> None:
        if self._part.name != "file":
            self.fields[self._part.name] = _text(bytes(self._part.text))

    def _whole(self) -> None:
        self.ended = True


async def receive_form(request: Request, farm: Farm) -> Form:
    """Receive the form. The caller removes `path`, or adopts it as a blob.

    Raises:
        Refused: it is no multipart form, it is broken, or it has no `file`. Unavailable: the disk is full.
    """
    boundary = _boundary(request)
    limits = farm.settings.limits
    incoming = farm.store.blobs.incoming(size_max=limits.blob_max_bytes, free_min=limits.free_min_bytes)
    try:
        receiver = _Receiver(incoming)
        parser = MultipartParser(boundary, receiver.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
        if not receiver.ended:
            raise Refused("The form ends in the middle.", code="invalid_form", hint="Send it again.")
        if receiver.file_name is None:
            raise Refused(
                "The form has no file.",
                code="invalid_form",
                hint="Send a zip as the form field `file`: curl -F file=@x.zip …",
            )
        digest = await asyncio.to_thread(incoming.finish)
    except (FormParserError, MultipartParseError) as error:
        incoming.abandon()
        raise Refused(f"The form cannot be read: {error}.", code="invalid_form") from error
    except BaseException:
        incoming.abandon()
        raise
    return Form(incoming.path, digest, incoming.size, receiver.file_name, receiver.fields)


def submission_fields(form: Form) -> dict[str, Any]:
    """The form's fields as those of a submission: text as it is, everything else as JSON.

    Raises:
        Refused: `invalid_field` for what is not JSON, `invalid_text` for what holds NUL.
    """
    fields: dict[str, Any] = {"name": _name(form.file_name)}
    for name, text in form.fields.items():
        if name in _TEXT_FIELDS or name not in NewJob.model_fields:
            fields[name] = parse_json(msgspec.json.encode(text))
            continue
        try:
            fields[name] = parse_json(text.encode())
        except Refused as error:
            raise Refused(f"{name}: {error.message}", code="invalid_field", details=[{"field": name}]) from error
    return fields


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Refused(
            "Send the scene as a multipart form.",
            code="invalid_form",
            hint="curl -F file=@scene.zip …; a job as JSON goes to POST /new_job.",
        )
    return boundary


def _name(file_name: str) -> str:
    """The job's name: the file's, without folders and ending."""
    stem = PurePosixPath(file_name.replace("\\", "/").replace("\0", "")).name
    return stem.removesuffix(".zip")[:NAME_MAX].strip() or "scene"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
