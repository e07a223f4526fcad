"""The structure of a JPEG file, checked to its end mark; the pixels are left to Pillow (libjpeg).

libjpeg pads what is missing and only warns, and Pillow does not pass the warnings on. This walk wants every segment
whole, restart marks in order, an end mark, and nothing after it, so it sees every truncation. JPEG has no checksums:
most bit flips inside compressed pixels give another valid picture and cannot be seen here. The farm's transfer hash
covers them.
Segment layout: ITU-T T.81, annex B, https://www.w3.org/Graphics/JPEG/itu-t81.pdf
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from scheduler.imaging.facts import ImageFault

SIGNATURE: Final = b"\xff\xd8\xff"

_SOI, _EOI, _SOS, _RST0, _RST7 = 0xD8, 0xD9, 0xDA, 0xD0, 0xD7
_FRAME_STARTS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MARK_IN_SCAN: Final = re.compile(rb"\xff+[^\x00\xff]")
_CHANNELS: Final[dict[int, tuple[str, ...]]] = {1: ("Y",), 3: ("R", "G", "B"), 4: ("C", "M", "Y", "K")}


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What the frame header says: sides in pixels, bits per sample, channel names as decoded."""

    width: int
    height: int
    depth: int
    channels: tuple[str, ...]


def check_structure(data: bytes) -> JpegHeader:
    """Walks all segments and scans of a whole file.

    Raises:
        ImageFault: truncated, corrupt or trailing_data.
    """
    if not data.startswith(SIGNATURE):
        raise ImageFault("corrupt", "The JPEG's signature is damaged.")
    header: JpegHeader | None = None
    scans = 0
    position = 2
    while True:
        marker, position = _marker(data, position)
        if marker == _EOI:
            break
        if marker in (_SOI, 0x00, 0x01) or _RST0 <= marker <= _RST7:
            raise ImageFault("corrupt", "The JPEG is damaged: a mark stands where none may be.")
        body, position = _segment(data, position)
        if marker in _FRAME_STARTS:
            header = _header(body)
        elif marker == _SOS:
            scans += 1
            position = _end_of_scan(data, position)
    if header is None or not scans:
        raise ImageFault("truncated", "The JPEG holds no pixels.")
    if position != len(data):
        raise ImageFault("trailing_data", f"{len(data) - position} bytes follow the end of the JPEG.")
    return header


def _marker(data: bytes, position: int) -> tuple[int, int]:
    if position + 2 > len(data):
        raise ImageFault("truncated", "The JPEG is truncated: it stops before its end mark.")
    if data[position] != 0xFF:
        raise ImageFault("corrupt", "The JPEG is damaged: a segment does not start with a mark.")
    while data[position] == 0xFF:
        position += 1
        if position >= len(data):
            raise ImageFault("truncated", "The JPEG is truncated: it stops before its end mark.")
    return data[position], position + 1


def _segment(data: bytes, position: int) -> tuple[bytes, int]:
    if position + 2 > len(data):
        raise ImageFault("truncated", "The JPEG is truncated in the middle of a segment.")
    (length,) = struct.unpack_from(">H", data, position)
    if length < 2:
        raise ImageFault("corrupt", "The JPEG is damaged: a segment has no valid length.")
    if position + length > len(data):
        raise ImageFault("truncated", "The JPEG is truncated in the middle of a segment.")
    return data[position + 2 : position + length], position + length


def _header(body: bytes) -> JpegHeader:
    if len(body) < 6:
        raise ImageFault("corrupt", "The JPEG's header makes no sense.")
    depth, height, width, components = struct.unpack_from(">BHHB", body)
    channels = _CHANNELS.get(components)
    if not width or not height or channels is None or len(body) != 6 + 3 * components:
        raise ImageFault("corrupt", "The JPEG's header makes no sense.")
    return JpegHeader(width, height, depth, channels)


def _end_of_scan(data: bytes, position: int) -> int:
    """Where the mark stands that ends the compressed pixels starting at `position`; restart marks must count up."""
    restarts = 0
    while True:
        found = _MARK_IN_SCAN.search(data, position)
        if found is None:
            raise ImageFault("truncated", "The JPEG is truncated: its pixels stop before the end mark.")
        marker = data[found.end() - 1]
        if not _RST0 <= marker <= _RST7:
            return found.start()
        if marker != _RST0 + restarts % 8:
            raise ImageFault("corrupt", "The JPEG is damaged: a part of its pixels is missing or out of order.")
        restarts += 1
        position = found.end()
