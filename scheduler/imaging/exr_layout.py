"""The structure of an OpenEXR file: headers, offset tables and chunks, checked to the last byte without decoding.

The OpenEXR library repairs a damaged offset table, ignores bytes after the last chunk, and its Python binding only
prints a warning for a part that it could not read. This walk wants every chunk of every part where its table says, and
nothing else in the file. Layout: https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import Final

from scheduler.imaging.facts import ImageFault

SIGNATURE: Final = b"\x76\x2f\x31\x01"

PARTS_MAX: Final = 1024
ATTRIBUTES_MAX: Final = 4096
NAME_BYTES_MAX: Final = 255

_MULTI_PART: Final = 0x1000
_DEEP: Final = 0x0800
_TILED: Final = 0x0200

_TRUNCATED: Final = "The EXR is truncated: it stops before its last block of pixels."
_DAMAGED: Final = "The EXR is damaged: "
_IS_DEEP: Final = "The EXR holds deep data, which this farm cannot verify; render flat images."


@dataclass(frozen=True, slots=True)
class ExrPart:
    """One part's header: the windows as (x_min, y_min, x_max, y_max), all inclusive, and how it is stored."""

    name: str
    display: tuple[int, int, int, int]
    window: tuple[int, int, int, int]
    tiled: bool
    chunk_count: int | None
    channel_count: int

    @property
    def width(self) -> int:
        """Of the data window, in pixels."""
        return self.window[2] - self.window[0] + 1

    @property
    def height(self) -> int:
        """Of the data window, in pixels."""
        return self.window[3] - self.window[1] + 1


def check_structure(data: mmap.mmap | bytes) -> tuple[ExrPart, ...]:
    """Walks headers, offset tables and chunks of a whole file.

    Raises:
        ImageFault: truncated, corrupt, trailing_data or unsupported (deep data).
    """
    try:
        return _walk(data)
    except struct.error as error:
        raise ImageFault("truncated", _TRUNCATED) from error


def _walk(data: mmap.mmap | bytes) -> tuple[ExrPart, ...]:
    magic, version = struct.unpack_from("<4sI", data, 0)
    if magic != SIGNATURE or version & 0xFF != 2:
        raise ImageFault("corrupt", _DAMAGED + "its signature or version makes no sense.")
    if version & _DEEP:
        raise ImageFault("unsupported", _IS_DEEP)
    multi_part = bool(version & _MULTI_PART)
    parts, position = _headers(data, multi_part, bool(version & _TILED))
    tables, position = _tables(data, parts, position)
    _check_chunks(data, parts, tables, position, multi_part)
    return parts


def _headers(data: mmap.mmap | bytes, multi_part: bool, tiled: bool) -> tuple[tuple[ExrPart, ...], int]:
    parts: list[ExrPart] = []
    position = 8
    while True:
        part, position = _header(data, position, tiled)
        parts.append(part)
        if not multi_part:
            return tuple(parts), position
        if data[position : position + 1] == b"\0":
            return tuple(parts), position + 1
        if len(parts) == PARTS_MAX:
            raise ImageFault("unsupported", f"The EXR has more than {PARTS_MAX} parts.")


def _header(data: mmap.mmap | bytes, position: int, tiled: bool) -> tuple[ExrPart, int]:
    found: dict[str, bytes] = {}
    while data[position : position + 1] != b"\0":
        name, position = _text(data, position)
        _, position = _text(data, position)
        (size,) = struct.unpack_from("<i", data, position)
        position += 4
        if size < 0 or len(found) == ATTRIBUTES_MAX:
            raise ImageFault("corrupt", _DAMAGED + "its header makes no sense.")
        if position + size > len(data):
            raise ImageFault("truncated", "The EXR is truncated inside its header.")
        found[name] = data[position : position + size]
        position += size
    try:
        kind = found.get("type", b"").rstrip(b"\0").decode("ascii", "replace")
        if kind.startswith("deep"):
            raise ImageFault("unsupported", _IS_DEEP)
        part = ExrPart(
            name=found.get("name", b"").decode("utf-8", "replace"),
            display=struct.unpack("<4i", found["displayWindow"]),
            window=struct.unpack("<4i", found["dataWindow"]),
            tiled=kind == "tiledimage" if kind else tiled,
            chunk_count=struct.unpack("<i", found["chunkCount"])[0] if "chunkCount" in found else None,
            channel_count=_channel_count(found["channels"]),
        )
    except (KeyError, struct.error) as error:
        raise ImageFault("corrupt", _DAMAGED + "its header lacks what every EXR has.") from error
    if part.width < 1 or part.height < 1 or part.display[2] < part.display[0] or part.display[3] < part.display[1]:
        raise ImageFault("corrupt", _DAMAGED + "its header names an empty image.")
    return part, position + 1


def _text(data: mmap.mmap | bytes, position: int) -> tuple[str, int]:
    end = data.find(b"\0", position, position + NAME_BYTES_MAX + 1)
    if end < 0:
        if position + NAME_BYTES_MAX >= len(data):
            raise ImageFault("truncated", "The EXR is truncated inside its header.")
        raise ImageFault("corrupt", _DAMAGED + "its header makes no sense.")
    return data[position:end].decode("utf-8", "replace"), end + 1


def _channel_count(channels: bytes) -> int:
    """Entries of a `chlist`: a name ended by NUL and 16 bytes each, ended by one NUL."""
    count, position = 0, 0
    while channels[position : position + 1] not in (b"\0", b""):
        end = channels.find(b"\0", position)
        if end < 0:
            break
        count, position = count + 1, end + 17
    if not count or position != len(channels) - 1:
        raise ImageFault("corrupt", _DAMAGED + "its list of channels makes no sense.")
    return count


def _tables(data: mmap.mmap | bytes, parts: tuple[ExrPart, ...], position: int) -> tuple[list[tuple[int, ...]], int]:
    """The offset table of each part, and where the last one ends."""
    tables: list[tuple[int, ...]] = []
    for part in parts:
        count = part.chunk_count if part.chunk_count is not None else _count_of_table(data, position)
        if count < 1 or count > part.width * part.height * 2:
            raise ImageFault("corrupt", _DAMAGED + "it names an impossible number of blocks.")
        if position + 8 * count > len(data):
            raise ImageFault("truncated", _TRUNCATED)
        tables.append(struct.unpack_from(f"<{count}Q", data, position))
        position += 8 * count
    return tables, position


def _count_of_table(data: mmap.mmap | bytes, start: int) -> int:
    """Length of a single part's offset table: chunks follow it at once, so the lowest offset in it is where it ends."""
    lowest = len(data)
    position = start
    while position < lowest:
        (offset,) = struct.unpack_from("<Q", data, position)
        if offset <= position:
            raise ImageFault("truncated", "The EXR was not finished: a block of pixels was never written.")
        lowest = min(lowest, offset)
        position += 8
    if position != lowest:
        raise ImageFault("corrupt", _DAMAGED + "its table of blocks makes no sense.")
    return (lowest - start) // 8


def _check_chunks(
    data: mmap.mmap | bytes,
    parts: tuple[ExrPart, ...],
    tables: list[tuple[int, ...]],
    position: int,
    multi_part: bool,
) -> None:
    """Walks the chunks from the end of the tables: each must be whole, and together they are what the tables name."""
    awaited = [set(table) for table in tables]
    if any(0 in table for table in awaited):
        raise ImageFault("truncated", "The EXR was not finished: a block of pixels was never written.")
    remaining = sum(len(table) for table in tables)
    while remaining:
        start, index = position, 0
        if multi_part:
            (index,) = struct.unpack_from("<i", data, position)
            position += 4
        if not 0 <= index < len(parts):
            raise ImageFault("corrupt", _DAMAGED + "a block belongs to no part.")
        if start not in awaited[index]:
            raise ImageFault("corrupt", _DAMAGED + "a block is not where its table says.")
        awaited[index].remove(start)
        position += 16 if parts[index].tiled else 4
        (size,) = struct.unpack_from("<i", data, position)
        position += 4 + size
        if size < 0:
            raise ImageFault("corrupt", _DAMAGED + "a block has no valid length.")
        if position > len(data):
            raise ImageFault("truncated", _TRUNCATED)
        remaining -= 1
    if position != len(data):
        raise ImageFault("trailing_data", f"{len(data) - position} bytes follow the end of the EXR.")
