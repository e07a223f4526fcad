"""SHA-256 of files, and files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CHUNK_BYTES = 2**20


class HashSink:
    """Takes bytes and keeps only their SHA-256."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        """Take some."""
        self._digest.update(data)
        return len(data)

    def hex(self) -> str:
        """The hash of what was taken so far."""
        return self._digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hex."""
    sink = HashSink()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sink.write(chunk)
    return sink.hex()


@contextmanager
def written_whole(target: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name when the block ends well, and not at all otherwise."""
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
