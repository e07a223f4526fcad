"""The version of the Blender that saved a .blend file, read from its first bytes without Blender.

Workers are matched by it: an older Blender that opens a newer file may crash or say "not a blend file". Files are
plain, gzip (before 3.0) or Zstandard (since 3.0); the header has 12 bytes (`BLENDER-v304`) or, since 5.0, 17
(`BLENDER17-01v0502`). Layout: https://developer.blender.org/docs/features/core/blendfile/
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import zstandard

HEAD_BYTES: Final = 2**20
"""As much of a file as is ever looked at, packed."""

TAIL_BYTES: Final = 64
"""As much of a plain file's end as holds its end mark."""

_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_GZIP: Final = b"\x1f\x8b"
_END: Final = b"ENDB"
_WINDOW_BYTES_MAX: Final = 2**27
_HEADER_BYTES: Final = 17
_HEADER: Final = re.compile(rb"BLENDER[-_][vV](\d{3})")
_HEADER_5: Final = re.compile(rb"BLENDER17-\d\dv(\d{4})")


class NotBlend(Exception):
    """The file is not a .blend, or not a whole one; the message is a sentence for people."""


def blend_version(head: bytes, tail: bytes | None = None) -> str:
    """The version, e.g. "2.79", "3.4" or "5.2", from a file's first `HEAD_BYTES` (or fewer, if it is shorter).

    `tail` is the file's last `TAIL_BYTES` where they are known: a plain file that was cut is told by its end. However
    much a packed file claims to hold, no more than a header is unpacked.

    Raises:
        NotBlend: no .blend, or cut short.
    """
    header = _unpacked(head)
    found = _HEADER_5.match(header) or _HEADER.match(header)
    if found is None:
        if header and b"BLENDER".startswith(header[:7]):
            raise NotBlend("The .blend file is truncated: it stops inside its header.")
        raise NotBlend("The file is not a .blend file.")
    version = int(found[1])
    if head.startswith(b"BLENDER") and tail is not None and _END not in tail:
        raise NotBlend("The .blend file is truncated: its end mark is missing.")
    return f"{version // 100}.{version % 100}"


def looks_like_blend(head: bytes) -> bool:
    """Does the file start as a .blend may start: by its name, or as gzip or Zstandard?"""
    return head.startswith((b"BLENDER", _ZSTD, _GZIP))


def _unpacked(head: bytes) -> bytes:
    try:
        if head.startswith(_ZSTD):
            unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
            with unpacker.stream_reader(head) as stream:
                return stream.read(_HEADER_BYTES)
        if head.startswith(_GZIP):
            return zlib.decompressobj(wbits=31).decompress(head, _HEADER_BYTES)
    except (zstandard.ZstdError, zlib.error, MemoryError) as error:
        raise NotBlend(f"The file is not a .blend file: it cannot be unpacked ({error}).") from error
    return head[:_HEADER_BYTES]
