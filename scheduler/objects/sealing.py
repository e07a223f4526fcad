"""Objects that nobody but this farm can read: sealed before they leave, opened when they come back.

Stands between the port's users and a store: the same keys, the same plain bytes and hashes above, sealed bytes below
(`scheduler.protocol.sealed`). Each job's frames, each blob and each attempt's staged files have a key of their own,
derived from the farm's key by their scope; so a worker can be handed the one key that it needs and no other.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

from scheduler.errors import Unavailable
from scheduler.objects.port import CHUNK_BYTES, Announced, ObjectStore, Signed, damaged
from scheduler.protocol.sealed import KEY_BYTES, Tampered, Unsealing, derive, plain_size, seal

KEY_FILE = "seal.key"
CHECK_KEY = "seal/check"
"""An object that tells whether this farm's key is the one that the store was sealed with."""

CHECK_CONTENT = b"sealed by outfield\n"


class SealedObjects:
    """A store behind a seal. `folder` is on this machine, for files that are being sealed."""

    def __init__(self, objects: ObjectStore, key: bytes, folder: Path) -> None:
        self._objects, self._key, self._folder = objects, key, folder

    @property
    def url(self) -> str:
        """See the port."""
        return self._objects.url

    def key_of(self, key: str) -> bytes:
        """The key that opens this object, and others of its scope."""
        return derive(self._key, scope_of(key))

    def put(self, key: str, file: Path) -> bool:
        """See the port. The file stays; what is sent is a sealed copy of it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sealed = self._folder / uuid.uuid4().hex
        try:
            with file.open("rb") as source, sealed.open("wb") as target:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
                source.seek(0)
                for piece in seal(source, file.stat().st_size, self.key_of(key), digest):
                    target.write(piece)
            return self._objects.put(key, sealed)
        finally:
            sealed.unlink(missing_ok=True)

    def open(self, key: str, offset: int = 0, length: int | None = None) -> BinaryIO:
        """See the port; a changed object is noticed while it is read, as `storage_damaged`."""
        sealed = self._objects.size(key)
        if sealed is None:
            raise FileNotFoundError(key)
        with _noticing(self._objects.url, key):
            return io.BufferedReader(
                _Noticing(self._objects, key, sealed, self.key_of(key), offset, length), CHUNK_BYTES
            )

    def size(self, key: str) -> int | None:
        """See the port."""
        sealed = self._objects.size(key)
        if sealed is None:
            return None
        with _noticing(self._objects.url, key):
            return plain_size(sealed)

    def remove(self, key: str) -> None:
        """See the port."""
        self._objects.remove(key)

    def sign(
        self, method: Literal["GET", "PUT"], key: str, *, seconds: float, announced: Announced | None = None
    ) -> Signed | None:
        """See the port. What is got is sealed; what is put must be, and is announced as it is sent."""
        return self._objects.sign(method, key, seconds=seconds, announced=announced)

    def sweep(self, prefix: str, *, before_s: float, objects: bool) -> int:
        """See the port."""
        return self._objects.sweep(prefix, before_s=before_s, objects=objects)


def scope_of(key: str) -> str:
    """Whose key opens an object: a job's (frames), an attempt's (staged files), or its own (blobs and the rest)."""
    parts = key.split("/")
    if parts[0] == "frames" and len(parts) > 2:
        return "/".join(parts[:2])
    if parts[0] == "staging" and len(parts) > 3:
        return "/".join(parts[:3])
    return key


def farm_key(data: Path) -> bytes:
    """The farm's own key, made at the first call and kept in the data folder.

    Raises:
        Unavailable: `seal_key`: the file cannot be read or is no key.
    """
    path = data / KEY_FILE
    try:
        with suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(KEY_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise _no_key(path, str(error)) from error
    if len(key) != KEY_BYTES:
        raise _no_key(path, f"it holds {len(key)} bytes, not {KEY_BYTES}")
    return key


def prove_key(sealed: SealedObjects, scratch: Path) -> None:
    """Make sure that the store is sealed with this farm's key, and seal it where it is new.

    Raises:
        Unavailable: `storage_other_key`; or `storage_…` of the store itself.
    """
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    if sealed.size(CHECK_KEY) is None:
        file = scratch / uuid.uuid4().hex
        file.write_bytes(CHECK_CONTENT)
        try:
            sealed.put(CHECK_KEY, file)
        finally:
            file.unlink(missing_ok=True)
    try:
        with sealed.open(CHECK_KEY) as found:
            same = found.read() == CHECK_CONTENT
    except Unavailable as error:
        if error.code != "storage_damaged":
            raise
        same = False
    if not same:
        raise Unavailable(
            f"The storage {sealed.url} was sealed with another key than this farm's.",
            code="storage_other_key",
            hint=f"Restore {KEY_FILE} of the farm that used it into the data folder, or name another prefix.",
        )


class _Noticing(Unsealing):
    """An unsealing stream whose errors are the storage's."""

    def __init__(
        self, objects: ObjectStore, key: str, sealed: int, secret: bytes, offset: int, length: int | None
    ) -> None:
        self._of = objects.url, key
        super().__init__(lambda at, count: objects.open(key, at, count), sealed, secret, offset=offset, length=length)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """As the stream's own."""
        with _noticing(*self._of):
            return super().readinto(buffer)


class _noticing:  # noqa: N801  used like a function
    """What is not as it was sealed is a damaged object."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Tampered):
            raise damaged(self._url, self._key) from error


def _no_key(path: Path, why: str) -> Unavailable:
    return Unavailable(
        f"The farm's key {path} cannot be used: {why}.",
        code="seal_key",
        hint="Restore it from where it is kept safe; without it nothing in the storage can be read.",
    )
