"""Objects in Google Cloud Storage, through google-cloud-storage. Credentials come from Google's own chain alone.

Small files go by one upload; large ones as parts, each an object of its own below `.parts/KEY/`, which `compose` joins
on the store's side. Both are committed with `if_generation_match=0`
(https://cloud.google.com/storage/docs/request-preconditions). Parts are listed before they are sent, so an upload that
was broken off goes on after a crash without anything being remembered; GCS's own resumable sessions have an address
that would have to be.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import google.api_core.exceptions as answers
import google.auth
import google.auth.exceptions
import requests
from google.auth.credentials import AnonymousCredentials, Signing
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from scheduler.objects.local import Limited
from scheduler.objects.parts import OneByOne, Part, Piece, md5_of, plan_parts, read_piece, side_by_side
from scheduler.objects.port import Announced, Signed, Transfer, checked, denied, no_bucket, unreachable

COMPOSE_MAX = 32
"""Objects that one call of compose joins."""

PARTS_MAX = COMPOSE_MAX**2
PARTS = ".parts/"
CALL_S, RETRY_S = 60.0, 30.0
READ_BYTES = 4 << 20
_RETRY = DEFAULT_RETRY.with_timeout(RETRY_S)
_AWAY = (
    answers.GoogleAPIError,
    google.auth.exceptions.GoogleAuthError,
    requests.exceptions.RequestException,
    ConnectionError,
    TimeoutError,
)

Result = TypeVar("Result")


def make_client(endpoint: str | None) -> tuple[Any, Any]:
    """A client, and what signs URLs (None: nothing does). To an endpoint without TLS no credentials are ever sent.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: none were found.
    """
    options = {"api_endpoint": endpoint} if endpoint else None
    if endpoint is not None and endpoint.startswith("http://"):
        anonymous = AnonymousCredentials()
        return storage.Client(project="none", credentials=anonymous, client_options=options), None
    credentials, project = google.auth.default(scopes=storage.Client.SCOPE)
    client = storage.Client(project=project or "none", credentials=credentials, client_options=options)
    return client, credentials if isinstance(credentials, Signing) else None


class GcsObjects:
    """One bucket, below one prefix."""

    def __init__(self, client: Any, bucket: str, prefix: str, transfer: Transfer, *, signing: Any = None) -> None:
        """`signing` are credentials that can sign; without them no URLs are handed out."""
        self._bucket, self._transfer, self._signing = client.bucket(bucket), transfer, signing
        self._endpoint = client.api_endpoint if hasattr(client, "api_endpoint") else None
        self._prefix = f"{prefix}/" if prefix else ""
        self._uploads, self._lanes = OneByOne(), threading.BoundedSemaphore(transfer.parallel)

    @property
    def url(self) -> str:
        """`gs://bucket/prefix`."""
        return f"gs://{self._bucket.name}/{self._prefix}".rstrip("/")

    def put(self, key: str, file: Path) -> bool:
        """See the port. The file stays where it is."""
        size, name = file.stat().st_size, self._name(key)
        with self._telling():
            if size > self._transfer.single_max_bytes:
                with self._uploads.alone(name):
                    return self._put_parts(name, file, size)
            piece = read_piece(file, Part(1, 0, size))
            return self._commit(lambda: self._send(name, piece, if_generation_match=0))

    def open(self, key: str, offset: int = 0, length: int | None = None) -> BinaryIO:
        """See the port."""
        found = self._found(key)
        if found is None:
            raise FileNotFoundError(key)
        if not found.size:
            return io.BytesIO()
        reader = found.open("rb", chunk_size=READ_BYTES, timeout=CALL_S, retry=_RETRY)
        reader.seek(offset)
        stream = _Told(reader, self._telling)
        return io.BufferedReader(stream if length is None else Limited(io.BufferedReader(stream), length))

    def size(self, key: str) -> int | None:
        """See the port."""
        found = self._found(key)
        return None if found is None else int(found.size)

    def remove(self, key: str) -> None:
        """See the port."""
        with self._telling():
            self._delete(self._bucket.blob(self._name(key)))

    def sign(
        self, method: Literal["GET", "PUT"], key: str, *, seconds: float, announced: Announced | None = None
    ) -> Signed | None:
        """See the port. The size is part of the signature; the hash is checked when the file is taken."""
        if self._signing is None:
            return None
        headers = {} if announced is None else {"x-goog-content-length-range": f"0,{announced.size}"}
        with self._telling():
            url = self._bucket.blob(self._name(key)).generate_signed_url(
                version="v4", expiration=timedelta(seconds=seconds), method=method, headers=dict(headers) or None,
                credentials=self._signing, api_access_endpoint=self._endpoint or "https://storage.googleapis.com",
            )  # fmt: skip
        return Signed(url, headers)

    def sweep(self, prefix: str, *, before_s: float, objects: bool) -> int:
        """See the port. Parts of uploads that were broken off lie below `.parts/`."""
        swept = 0
        with self._telling():
            for place in (PARTS + prefix, *((prefix,) if objects else ())):
                for blob in self._listed(self._prefix + place):
                    if blob.updated.timestamp() < before_s:
                        self._delete(blob)
                        swept += 1
        return swept

    def _put_parts(self, name: str, file: Path, size: int) -> bool:
        if self._transfer.look_first and self._bucket.get_blob(name, timeout=CALL_S, retry=_RETRY) is not None:
            return False
        plan = plan_parts(size, self._transfer.part_bytes, PARTS_MAX)
        folder = f"{self._prefix}{PARTS}{name.removeprefix(self._prefix)}/"
        there = {blob.name for blob in self._listed(folder)}

        def send(part: Part) -> Any:
            with self._lanes:
                piece = read_piece(file, part)
                own = f"{folder}{part.number:05d}.{piece.md5.hex()}"  # by its content, so that no two uploads can mix
                if own not in there:
                    self._send(own, piece)
                return self._bucket.blob(own)

        blobs = side_by_side(send, plan, self._transfer.parallel)
        groups = [blobs[start : start + COMPOSE_MAX] for start in range(0, len(blobs), COMPOSE_MAX)]
        joined = (
            blobs if len(groups) == 1 else [self._group(folder, number, group) for number, group in enumerate(groups)]
        )
        whole = self._bucket.blob(name)
        fresh = self._commit(lambda: whole.compose(joined, if_generation_match=0, timeout=CALL_S, retry=_RETRY))
        for blob in self._listed(folder):
            self._delete(blob)
        return fresh

    def _group(self, folder: str, number: int, blobs: list[Any]) -> Any:
        content = md5_of("".join(blob.name for blob in blobs).encode()).hex()
        group = self._bucket.blob(f"{folder}group.{number:03d}.{content}")
        group.compose(blobs, timeout=CALL_S, retry=_RETRY)
        return group

    def _send(self, name: str, piece: Piece, **conditions: Any) -> None:
        blob = self._bucket.blob(name)
        blob.md5_hash = base64.b64encode(piece.md5).decode()
        blob.upload_from_file(
            io.BytesIO(piece.data), size=len(piece.data), timeout=CALL_S, retry=_RETRY, checksum=None, **conditions
        )

    def _commit(self, commit: Callable[[], Any]) -> bool:
        """Whether it was this call that made the object."""
        try:
            commit()
        except answers.PreconditionFailed:
            return False
        return True

    def _found(self, key: str) -> Any:
        with self._telling():
            return self._bucket.get_blob(self._name(key), timeout=CALL_S, retry=_RETRY)

    def _listed(self, prefix: str) -> list[Any]:
        return list(self._bucket.list_blobs(prefix=prefix, timeout=CALL_S, retry=_RETRY))

    def _delete(self, blob: Any) -> None:
        try:
            blob.delete(timeout=CALL_S, retry=_RETRY)
        except answers.NotFound:
            return

    def _name(self, key: str) -> str:
        return self._prefix + checked(key)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Whatever goes wrong in words."""
        try:
            yield
        except answers.NotFound as error:
            raise no_bucket(self.url) from error
        except (answers.Forbidden, answers.Unauthorized, google.auth.exceptions.RefreshError) as error:
            raise denied(self.url, _first_line(error)) from error
        except _AWAY as error:
            raise unreachable(self.url, _first_line(error)) from error


class _Told(io.RawIOBase):
    """A reader of the library, whose troubles are told in words."""

    def __init__(self, reader: Any, telling: Callable[[], Any]) -> None:
        self._reader, self._telling = reader, telling

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes; 0 at the end."""
        with self._telling():
            try:
                data = self._reader.read(len(buffer))
            except answers.NotFound as error:  # it was there a moment ago
                raise FileNotFoundError("the object was removed") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the reader, too."""
        self._reader.close()
        super().close()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
