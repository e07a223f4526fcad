"""Is a mesh file what its ending says? A cheap look at its first bytes; the worker finds out whether it renders."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from typing import Final

HEAD_BYTES: Final = 64 * 1024
"""As much of a file as is ever looked at."""

GLTF_TEXT: Final = 0x4E4F534A
"""The first chunk of a GLB must be of this type, "JSON" (glTF 2.0 specification, 4.4.3)."""

_OBJ_LINE: Final = re.compile(rb"^[ \t]*(?:v|vt|vn|f|o|g|s|usemtl|mtllib)[ \t]+\S", re.MULTILINE)
_PLY_FORMAT: Final = re.compile(
    rb"\Aply\r?\n(?:[^\n]*\n)*?format (?:ascii|binary_little_endian|binary_big_endian) 1\.0\s"
)


class NotMesh(Exception):
    """The file is not what its ending says; the message is a sentence for people."""


def check_mesh(ending: str, head: bytes, size: int) -> None:
    """Looks at a mesh file of `size` bytes whose first `HEAD_BYTES` (or all) are `head`.

    Raises:
        NotMesh: it is not what `ending` says.
    """
    check = _CHECKS.get(ending)
    if check is not None:
        check(head[:HEAD_BYTES], size)


def sniff_mesh(head: bytes) -> str | None:
    """The ending that a mesh file's first bytes ask for, when they are unmistakable: .glb or .ply."""
    if head.startswith(b"glTF"):
        return ".glb"
    return ".ply" if re.match(rb"ply\r?\n", head) else None


def _obj(head: bytes, _size: int) -> None:
    if b"\0" in head or not _OBJ_LINE.search(head):
        raise NotMesh("The file is not an OBJ file: it has no line with a vertex or a face.")


def _ply(head: bytes, _size: int) -> None:
    if not _PLY_FORMAT.match(head):
        raise NotMesh("The file is not a PLY file: its header is missing.")
    if not re.search(rb"^end_header\r?\n?", head, re.MULTILINE):
        raise NotMesh("The PLY file is truncated, or its header is too long.")


def _glb(head: bytes, size: int) -> None:
    if len(head) < 20 or not head.startswith(b"glTF"):
        raise NotMesh("The file is not a GLB file.")
    version, length, _, kind = struct.unpack_from("<4I", head, 4)
    if version != 2 or kind != GLTF_TEXT:
        raise NotMesh("The file is not a GLB file of version 2.")
    if length != size:
        raise NotMesh(f"The GLB file is damaged: it has {size} bytes where {length} are announced.")


def _gltf(head: bytes, size: int) -> None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"{") or b"\0" in text:
        raise NotMesh("The file is not a glTF file.")
    if size <= len(head):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NotMesh(f"The glTF file is damaged: {error}.") from error
        if "asset" not in whole:
            raise NotMesh("The file is not a glTF file: it has no asset.")


_CHECKS: Final[dict[str, Callable[[bytes, int], None]]] = {".obj": _obj, ".ply": _ply, ".glb": _glb, ".gltf": _gltf}
