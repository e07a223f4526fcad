"""Objects in S3 and in what speaks like it, through boto3. Credentials come from boto3's own chain alone.

Small files go by one PutObject, large ones as a multipart upload; both are committed with `If-None-Match: *`
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). An upload that was broken off is found
by its key and continued: parts that arrived with the MD5 that they should have are not sent again.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import botocore.exceptions
from boto3.session import Session
from botocore.config import Config

from scheduler.objects.parts import OneByOne, Part, plan_parts, read_piece, side_by_side
from scheduler.objects.port import Announced, Signed, Transfer, checked, denied, no_bucket, unreachable

PARTS_MAX = 10_000
"""S3's own limit for one object."""

TRIES_MAX = 4
"""Tries of a commit that the store wants to be tried again, or whose upload was swept meanwhile."""

CONNECT_S, READ_S, ATTEMPTS_MAX = 5, 60, 4
COMPATIBLE = "when_required"
"""Checksums as trailers are newer than many stores; Content-MD5 is understood by all of them."""

_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_THERE = frozenset({"412", "PreconditionFailed"})
_AGAIN = frozenset({"409", "ConditionalRequestConflict", "InvalidPart", "NoSuchUpload", "OperationAborted"})
"""Try again: another scheduler has ended the same upload, or sent another part of it, or the store is in two minds."""
_DENIED = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"})

Result = TypeVar("Result")


def make_client(endpoint_url: str | None, region: str | None, transfer: Transfer, *, bucket: str = "") -> Any:
    """A client of boto3 for a bucket.

    The bucket stands in the host's name, else signed URLs name Amazon's global host, which sends on to the region's,
    where the signature is not good. It stands in the path where an endpoint is named, as few stores know host names,
    and where its name has dots, for which no certificate is.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint_url or "." in bucket else "virtual"},
        retries={"mode": "standard", "max_attempts": ATTEMPTS_MAX},
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        max_pool_connections=10 + transfer.parallel,
        request_checksum_calculation=COMPATIBLE,
        response_checksum_validation=COMPATIBLE,
    )
    return Session().client("s3", endpoint_url=endpoint_url, region_name=region, config=config)


class S3Objects:
    """One bucket, below one prefix."""

    def __init__(self, client: Any, bucket: str, prefix: str, transfer: Transfer) -> None:
        self._client, self._bucket, self._transfer = client, bucket, transfer
        self._prefix = f"{prefix}/" if prefix else ""
        self._uploads, self._lanes = OneByOne(), threading.BoundedSemaphore(transfer.parallel)

    @property
    def url(self) -> str:
        """`s3://bucket/prefix`."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def put(self, key: str, file: Path) -> bool:
        """See the port. The file stays where it is."""
        size = file.stat().st_size
        send = self._put_whole if size <= self._transfer.single_max_bytes else self._put_parts
        for _try in range(TRIES_MAX):
            try:
                return send(self._named(key), file, size)
            except botocore.exceptions.ClientError as error:
                if _code(error) not in _AGAIN:
                    raise self._explained(error) from error
        raise unreachable(self.url, "it asks again and again to try later")

    def open(self, key: str, offset: int = 0, length: int | None = None) -> BinaryIO:
        """See the port."""
        wanted = {} if not offset and length is None else {"Range": _range(offset, length)}
        try:
            with self._telling():
                body = self._client.get_object(**self._named(key), **wanted)["Body"]
        except botocore.exceptions.ClientError as error:
            if _code(error) in _GONE:
                raise FileNotFoundError(key) from error
            raise self._explained(error) from error
        return io.BufferedReader(_Body(body, self._telling))

    def size(self, key: str) -> int | None:
        """See the port."""
        try:
            with self._telling():
                return int(self._client.head_object(**self._named(key))["ContentLength"])
        except botocore.exceptions.ClientError as error:
            if _code(error) in _GONE:
                return None
            raise self._explained(error) from error

    def remove(self, key: str) -> None:
        """See the port."""
        self._call(lambda: self._client.delete_object(**self._named(key)))

    def sign(
        self, method: Literal["GET", "PUT"], key: str, *, seconds: float, announced: Announced | None = None
    ) -> Signed | None:
        """See the port. Size and SHA-256 are part of the signature, so nothing else can be put with it."""
        parameters, headers = self._named(key), dict[str, str]()
        if announced is not None:
            sha256 = base64.b64encode(bytes.fromhex(announced.sha256)).decode()
            parameters |= {"ContentLength": announced.size, "ChecksumSHA256": sha256}
            headers = {"Content-Length": str(announced.size), "x-amz-checksum-sha256": sha256}
        operation = "get_object" if method == "GET" else "put_object"
        url = self._call(
            lambda: self._client.generate_presigned_url(operation, Params=parameters, ExpiresIn=int(seconds))
        )
        return Signed(url, headers)

    def sweep(self, prefix: str, *, before_s: float, objects: bool) -> int:
        """See the port."""
        return self._call(lambda: self._sweep(self._prefix + prefix, before_s, objects))

    def _sweep(self, prefix: str, before_s: float, objects: bool) -> int:
        swept = 0
        for upload in self._pages("list_multipart_uploads", "Uploads", prefix):
            if _is_before(upload["Initiated"], before_s):
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                swept += 1
        for found in self._pages("list_objects_v2", "Contents", prefix) if objects else ():
            if _is_before(found["LastModified"], before_s):
                self._client.delete_object(Bucket=self._bucket, Key=found["Key"])
                swept += 1
        return swept

    def _put_whole(self, named: dict[str, Any], file: Path, size: int) -> bool:
        piece = read_piece(file, Part(1, 0, size))
        put = partial(self._client.put_object, **named, Body=piece.data, ContentMD5=piece.md5_text, IfNoneMatch="*")
        return self._commit(put)

    def _put_parts(self, named: dict[str, Any], file: Path, size: int) -> bool:
        with self._telling(), self._uploads.alone(named["Key"]):
            if self._transfer.look_first and self._exists(named):
                return False
            upload, there = self._begun(named)
            plan = plan_parts(size, self._transfer.part_bytes, PARTS_MAX)
            named_upload = {**named, "UploadId": upload}
            parts = side_by_side(
                lambda part: self._send(named_upload, file, part, there.get(part.number)), plan, self._transfer.parallel
            )
            complete = partial(
                self._client.complete_multipart_upload,
                **named_upload,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            )
            fresh = self._commit(complete)
            if not fresh:
                self._client.abort_multipart_upload(**named_upload)
            return fresh

    def _send(self, upload: dict[str, Any], file: Path, part: Part, there: tuple[int, str] | None) -> dict[str, Any]:
        """Send a part, unless it is there as it should be."""
        with self._lanes:
            piece = read_piece(file, part)
            tag = f'"{piece.md5.hex()}"'
            if there != (part.size, piece.md5.hex()):
                sent = partial(self._client.upload_part, **upload, PartNumber=part.number, Body=piece.data)
                tag = sent(ContentMD5=piece.md5_text)["ETag"]
            return {"PartNumber": part.number, "ETag": tag}

    def _begun(self, named: dict[str, Any]) -> tuple[str, dict[int, tuple[int, str]]]:
        """The latest upload of this key with the parts that have arrived (size, MD5), or a new one."""
        found = self._pages("list_multipart_uploads", "Uploads", named["Key"])
        begun = [each for each in found if each["Key"] == named["Key"]]
        if not begun:
            return self._client.create_multipart_upload(**named)["UploadId"], {}
        upload = max(begun, key=lambda each: each["Initiated"])["UploadId"]
        pages = self._client.get_paginator("list_parts").paginate(**named, UploadId=upload)
        parts = [part for page in pages for part in page.get("Parts", ())]
        return upload, {part["PartNumber"]: (part["Size"], part["ETag"].strip('"')) for part in parts}

    def _commit(self, commit: Callable[[], Any]) -> bool:
        """Whether it was this call that made the object."""
        try:
            with self._telling():
                commit()
        except botocore.exceptions.ClientError as error:
            if _code(error) in _THERE:
                return False
            raise
        return True

    def _exists(self, named: dict[str, Any]) -> bool:
        try:
            self._client.head_object(**named)
        except botocore.exceptions.ClientError as error:
            if _code(error) in _GONE:
                return False
            raise
        return True

    def _pages(self, operation: str, field: str, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator(operation).paginate(Bucket=self._bucket, Prefix=prefix):
            yield from page.get(field, ())

    def _named(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._prefix + checked(key)}

    def _call(self, call: Callable[[], Result]) -> Result:
        try:
            with self._telling():
                return call()
        except botocore.exceptions.ClientError as error:
            raise self._explained(error) from error

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Troubles on the way in words; what the store itself answers goes through."""
        try:
            yield
        except botocore.exceptions.ClientError:
            raise
        except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
            raise denied(self.url, "no credentials were found") from error
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError) as error:
            raise unreachable(self.url, str(error).rstrip(".")) from error

    def _explained(self, error: botocore.exceptions.ClientError) -> Exception:
        code = _code(error)
        if code == "NoSuchBucket":
            return no_bucket(self.url)
        message = str(error.response.get("Error", {}).get("Message") or error).rstrip(".")
        return denied(self.url, message) if code in _DENIED else unreachable(self.url, f"{code}: {message}")


class _Body(io.RawIOBase):
    """The body of an answer, whose troubles are told in words."""

    def __init__(self, body: Any, telling: Callable[[], Any]) -> None:
        self._body, self._telling = body, telling

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes; 0 at the end."""
        with self._telling():
            data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let go of the connection."""
        self._body.close()
        super().close()


def _range(offset: int, length: int | None) -> str:
    return f"bytes={offset}-" + ("" if length is None else str(offset + length - 1))


def _code(error: botocore.exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _is_before(when: datetime, before_s: float) -> bool:
    return when.astimezone(UTC).timestamp() < before_s
