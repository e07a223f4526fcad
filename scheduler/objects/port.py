"""The port of object storage: six methods, all blocking, to be called in threads.

An object is written once, whole, and never changed: its key holds the SHA-256 of what it is. Bytes go in as a file and
come out as a stream, so that a layer that encrypts can stand in between without a change above or below; the hash in
the key stays the one of the plain bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, Protocol

from scheduler.errors import Unavailable

CHUNK_BYTES = 1 << 20

_KEY = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


class Signed(NamedTuple):
    """A URL that allows one thing for a while without any key, and the headers that must be sent with it."""

    url: str
    headers: dict[str, str]


class Announced(NamedTuple):
    """What somebody says that he will upload: size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Transfer:
    """How files travel: larger ones than `single_max_bytes` in parts of `part_bytes`, at most `parallel` in all.

    `look_first` spares the sending of parts for an object that is there; the trial of a store wants the condition of
    the commit itself put to the test.
    """

    part_bytes: int
    single_max_bytes: int
    parallel: int
    look_first: bool = True


class ObjectStore(Protocol):
    """A place for objects. `url` names it for people and in the rows of frames."""

    @property
    def url(self) -> str:
        """The place, without credentials and without a slash at the end."""
        ...

    def put(self, key: str, file: Path) -> bool:
        """Store a file under a key, whole and only if nothing is there; False: something was there already.

        What an earlier try of the same file has brought over is used. The file may be moved away. Who made the object
        is told as well as the store knows: after a lost answer False, and of two schedulers that end the same upload
        maybe both True. For a key that holds the hash, either is as good.

        Raises:
            Unavailable: `storage_…`. OSError: the local disk refuses.
        """
        ...

    def open(self, key: str, offset: int = 0, length: int | None = None) -> BinaryIO:
        """The object's bytes from `offset` on, at most `length` of them, as a stream to be closed by the caller.

        Raises:
            FileNotFoundError: there is no such object. Unavailable: `storage_…`, also while reading.
        """
        ...

    def size(self, key: str) -> int | None:
        """The object's size in bytes; None if there is none."""
        ...

    def remove(self, key: str) -> None:
        """Remove an object, if it is there."""
        ...

    def sign(
        self, method: Literal["GET", "PUT"], key: str, *, seconds: float, announced: Announced | None = None
    ) -> Signed | None:
        """A URL that allows to get the object, or to put exactly what was `announced`; None: this store signs none."""
        ...

    def sweep(self, prefix: str, *, before_s: float, objects: bool) -> int:
        """Abort uploads below `prefix` that were begun before (seconds since the epoch); how much was removed.

        With `objects`, remove the objects there that are as old, too.
        """
        ...


class Copies(Protocol):
    """Objects as files of this machine, for those who need a path: decoders, and readers of scenes."""

    def path(self, key: str, sha256: str) -> Path:
        """A file with the object's bytes; it stays for some minutes at least.

        Raises:
            FileNotFoundError: there is no such object. Unavailable: `storage_…`.
        """
        ...

    def keep(self, key: str, file: Path) -> None:
        """The object's bytes are in this file: what will be asked for soon need not be fetched."""
        ...

    def drop(self, prefix: str) -> None:
        """Forget the copies of a key, or of all keys in a folder."""
        ...


def checked(key: str) -> str:
    """A key that is safe on every store and as a path.

    Raises:
        ValueError: it is not; keys are made by this program, so that is a bug.
    """
    if not _KEY.fullmatch(key) or any(part in {".", ".."} for part in key.split("/")):
        raise ValueError(f"{key!r} is no key of an object")
    return key


def unreachable(url: str, why: str) -> Unavailable:
    """The error for a store that does not answer, or not in time."""
    return Unavailable(
        f"The storage {url} cannot be reached: {why}.",
        code="storage_unreachable",
        hint="Check the network and the store; what waits for it goes on by itself.",
    )


def denied(url: str, why: str) -> Unavailable:
    """The error for credentials that are missing or do not suffice."""
    return Unavailable(
        f"The storage {url} does not let this scheduler in: {why}.",
        code="storage_denied",
        hint="Give the scheduler's user credentials that may read, write, list and delete there; see the how-to.",
    )


def no_bucket(url: str) -> Unavailable:
    """The error for a bucket that does not exist."""
    return Unavailable(
        f"There is no bucket for the storage {url}.",
        code="storage_no_bucket",
        hint="Make the bucket first, or correct server.storage.",
    )


def damaged(url: str, key: str) -> Unavailable:
    """The error for an object that is not what its name says."""
    return Unavailable(
        f"The object {key} in {url} is damaged: its SHA-256 is not the one in its name.",
        code="storage_damaged",
        hint="Remove the object and send its file again; look whether something else writes there.",
    )
