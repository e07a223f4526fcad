"""Before anything is trusted to a store it is tried out: does it read back what was written, and refuse what is there?

Some stores and proxies drop the condition of a conditional write and overwrite. On such a store a late worker or a
second scheduler could change a frame that was published, so it is not used.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from scheduler.errors import Unavailable
from scheduler.objects.port import ObjectStore

FIRST, SECOND = b"outfield was here first\n", b"outfield was overwritten\n"


def prove(objects: ObjectStore, folder: Path, *, way: str) -> None:
    """Write an object twice; the second time must fail and change nothing. `way` says how it is written, for the error.

    Raises:
        Unavailable: `storage_unconditional`, or what the store says itself.
    """
    key, files = f"trial/{uuid.uuid4().hex}", _files(folder)
    try:
        if not objects.put(key, files[0]):
            raise _unusable(objects, "says of an object that nobody has written that it is there already")
        if objects.put(key, files[1]) or _content(objects, key) == SECOND:
            raise Unavailable(
                f"The storage {objects.url} overwrites objects that it was asked not to ({way}).",
                code="storage_unconditional",
                hint="Use a store that honours If-None-Match (S3) or ifGenerationMatch (GCS), without a proxy that "
                "drops it. Nothing was stored there.",
            )
        if _content(objects, key) != FIRST:
            raise _unusable(objects, "does not give back what was written")
        objects.remove(key)
        if objects.size(key) is not None:
            raise _unusable(objects, "does not remove what it is asked to remove")
    finally:
        objects.remove(key)
        for file in files:
            file.unlink(missing_ok=True)


def _files(folder: Path) -> Sequence[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f".trial.{uuid.uuid4().hex}" for _content in (FIRST, SECOND)]
    for file, content in zip(files, (FIRST, SECOND), strict=True):
        file.write_bytes(content)
    return files


def _content(objects: ObjectStore, key: str) -> bytes:
    try:
        with objects.open(key) as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise _unusable(objects, "loses what was written") from error


def _unusable(objects: ObjectStore, what: str) -> Unavailable:
    return Unavailable(
        f"The storage {objects.url} {what}.",
        code="storage_unusable",
        hint="Use another store, or ask who runs this one.",
    )
