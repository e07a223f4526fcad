"""A zip of a job's frames, made while it is sent: one chunk is in memory, nothing on the disk.

Frames are stored as they are; images do not get smaller by deflating. Sizes follow each file (data descriptors), so the
reader of the stream learns them in time.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from scheduler.service.viewing_frames import FrameFile
from scheduler.store.frames import FrameStore

CHUNK_BYTES = 1 << 20
MISSING = "MISSING.txt"
_ZIP_FIRST_YEAR = 1980


class _Sink:
    """What the zip is written to: keeps the bytes until they are taken. Not seekable, so the zip becomes a stream."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to do: bytes leave with `take`."""

    def take(self) -> bytes:
        """The bytes written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def stream_zip(frames: Sequence[FrameFile], store: FrameStore) -> Iterator[bytes]:
    """The bytes of a zip of these frames; a file that is gone is named in `MISSING.txt`. Blocking: runs in threads."""
    sink, missing = _Sink(), list[str]()
    names = archive_names(frames)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # type: ignore[arg-type]
        for frame, name in zip(frames, names, strict=True):
            try:
                file = store.open(frame.where, frame.size)
            except FileNotFoundError:
                missing.append(f"{frame.frame}\t{frame.where}")
                continue
            with file, archive.open(_entry(frame, name), "w", force_zip64=True) as entry:
                while chunk := file.read(CHUNK_BYTES):
                    entry.write(chunk)
                    yield sink.take()
            yield sink.take()
        if missing:
            archive.writestr(
                MISSING,
                "These frames were published, but their files are gone or changed:\n" + "\n".join(missing) + "\n",
            )
    yield sink.take()


def archive_names(frames: Sequence[FrameFile]) -> list[str]:
    """A name inside the zip for each frame: its file's, with the frame number first where two would be the same."""
    seen = Counter(frame.name for frame in frames)
    return [frame.name if seen[frame.name] == 1 else f"{frame.frame}.{frame.name}" for frame in frames]


def _entry(frame: FrameFile, name: str) -> zipfile.ZipInfo:
    when = datetime.fromtimestamp(frame.published_at, UTC)
    stamp = (max(when.year, _ZIP_FIRST_YEAR), when.month, when.day, when.hour, when.minute, when.second)
    entry = zipfile.ZipInfo(name, stamp)
    entry.external_attr = 0o644 << 16
    return entry
