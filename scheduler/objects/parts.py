"""A large file as parts: where each begins, and sending them side by side. The plan is arithmetic."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Part(NamedTuple):
    """Part `number` of a file, counted from 1."""

    number: int
    offset: int
    size: int


class Piece(NamedTuple):
    """The bytes of a part, and their MD5: what S3 and GCS compare on arrival and list afterwards."""

    data: bytes
    md5: bytes

    @property
    def md5_text(self) -> str:
        """The MD5 as headers carry it."""
        return base64.b64encode(self.md5).decode()


def plan_parts(size: int, part_bytes: int, parts_max: int) -> list[Part]:
    """The parts of a file of `size` bytes: each of `part_bytes` but the last, larger if there were too many."""
    each = max(1, part_bytes, -(-size // parts_max))
    starts = range(0, max(size, 1), each)
    return [Part(number, start, min(each, size - start)) for number, start in enumerate(starts, 1)]


def read_piece(file: Path, part: Part) -> Piece:
    """A part's bytes; each reader opens the file for itself, so that parts travel side by side.

    Raises:
        OSError: the file cannot be read, or has become shorter.
    """
    with file.open("rb") as source:
        source.seek(part.offset)
        data = source.read(part.size)
    if len(data) != part.size:
        raise OSError(f"{file} has changed while it was being uploaded")
    return Piece(data, md5_of(data))


class OneByOne:
    """Lets one thread at a time work on a key; others wait for it, and find what it has made."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy: set[str] = set()

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Wait until nobody works on the key."""
        with self._changed:
            self._changed.wait_for(lambda: key not in self._busy)
            self._busy.add(key)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(key)
                self._changed.notify_all()


def md5_of(data: bytes) -> bytes:
    """MD5, against damage on the way; nothing is trusted because of it."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item], parallel: int) -> list[Result]:
    """The results in the order of the items; after the first error nothing more is begun, and it is raised."""
    with ThreadPoolExecutor(parallel, thread_name_prefix="objects") as pool:
        waiting = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in waiting]
        except BaseException:
            for future in waiting:
                future.cancel()
            raise
