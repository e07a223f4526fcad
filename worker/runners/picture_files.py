"""Is this file a whole picture of the right kind and size? Read from its ends and its index, without decoding it.

A renderer's word is not enough: a full disk or a dying machine leaves a file that begins well. The scheduler decodes
every frame; this finds at once what a retry on this worker can mend. PURE but for reading the file.
"""

from __future__ import annotations

import struct
from io import BufferedReader
from pathlib import Path

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB\x60\x82"
JPEG_MAGIC = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
EXR_MAGIC = b"\x76\x2f\x31\x01"
EXR_LINES_PER_CHUNK = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""By number of compression: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB (OpenEXR file layout)."""

EXR_NO_SINGLE_INDEX = 0x200 | 0x800 | 0x1000
"""Flags in the version field: tiles, deep data, several parts."""

JPEG_SIZES = frozenset({0xC0, 0xC1, 0xC2, 0xC3})
HEAD_BYTES = 1 << 20


class ImageWrong(Exception):
    """The file is not the picture it should be; the message says why."""


def check_image(path: Path, kind: str, size: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of a whole `png`, `jpg` or `exr`; `size` is what they must be, if that is known.

    Raises:
        ImageWrong: another kind, another size, or a part of the file is missing.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        length = file.seek(0, 2)
        file.seek(max(length - 64, 0))
        end = file.read()
        found = _exr(head, length, file) if kind == "exr" else {"png": _png, "jpg": _jpeg}[kind](head, end)
    if size is not None and found != tuple(size):
        raise ImageWrong(f"is {found[0]}×{found[1]} pixels and should be {size[0]}×{size[1]}")
    return found


def _png(head: bytes, end: bytes) -> tuple[int, int]:
    if not head.startswith(PNG_MAGIC) or len(head) < 24:
        raise ImageWrong("is not a PNG")
    if not end.endswith(PNG_END):
        raise ImageWrong("is not whole")
    width, height = struct.unpack(">II", head[16:24])
    return (width, height)


def _jpeg(head: bytes, end: bytes) -> tuple[int, int]:
    if not head.startswith(JPEG_MAGIC):
        raise ImageWrong("is not a JPEG")
    if not end.endswith(JPEG_END):
        raise ImageWrong("is not whole")
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker, size = head[at + 1], struct.unpack(">H", head[at + 2 : at + 4])[0]
        if marker in JPEG_SIZES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return (width, height)
        at += 2 + size
    raise ImageWrong("has no size")


def _exr(head: bytes, length: int, file: BufferedReader) -> tuple[int, int]:
    """OpenEXR keeps an index of its chunks, which is filled in last: an entry that is 0 or beyond the end tells, and so
    does a last chunk that the file ends in. Files of several parts have several indexes, which are not looked at."""
    if not head.startswith(EXR_MAGIC) or len(head) < 8:
        raise ImageWrong("is not an OpenEXR file")
    attributes, at = _exr_header(head)
    try:
        x0, y0, x1, y1 = struct.unpack("<iiii", attributes[b"dataWindow"])
        lines = EXR_LINES_PER_CHUNK[attributes[b"compression"][0]]
    except (KeyError, struct.error, IndexError) as error:
        raise ImageWrong("has no header") from error
    width, height = x1 - x0 + 1, y1 - y0 + 1
    if struct.unpack("<I", head[4:8])[0] & EXR_NO_SINGLE_INDEX:
        return (width, height)
    chunks = -(-height // lines)
    index = head[at : at + 8 * chunks]
    offsets = [offset for (offset,) in struct.iter_unpack("<Q", index[: len(index) // 8 * 8])]
    if len(offsets) < chunks or not all(0 < offset < length - 8 for offset in offsets):
        raise ImageWrong("is not whole")
    file.seek(max(offsets) + 4)
    if max(offsets) + 8 + struct.unpack("<I", file.read(4))[0] > length:
        raise ImageWrong("is not whole")
    return (width, height)


def _exr_header(head: bytes) -> tuple[dict[bytes, bytes], int]:
    """The attributes of a single-part file, and where its index begins."""
    attributes: dict[bytes, bytes] = {}
    at = 8
    while at < len(head) and head[at] != 0:
        name_end = head.find(b"\0", at)
        type_end = head.find(b"\0", name_end + 1)
        if name_end < 0 or type_end < 0 or type_end + 5 > len(head):
            raise ImageWrong("has no header")
        size = struct.unpack("<I", head[type_end + 1 : type_end + 5])[0]
        attributes[head[at:name_end]] = head[type_end + 5 : type_end + 5 + size]
        at = type_end + 5 + size
    return attributes, at + 1
