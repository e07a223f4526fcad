"""The version of the Maya that saved a scene, read from its first bytes without Maya.

A .ma is text: `//Maya ASCII 2024 scene` comes first, and `requires maya "2024";` before any node (file references may
stand between; Autodesk, "Maya ASCII file format"). A .mb is IFF with big-endian sizes: a group `FOR4` (sizes of 4
bytes) or, since 2014, `FOR8` (4 bytes of flags, then sizes of 8) of type `Maya`, whose group `HEAD` holds the version
as text in the chunk `VERS` (layout after cgkit's and mottosso's readers). What is read here only chooses a worker; Maya
itself opens the file.
"""

from __future__ import annotations

import re
from typing import Final

HEAD_BYTES: Final = 2**20
"""As much of a file as is ever looked at: a scene with hundreds of references names them before its version."""

ENDINGS: Final = (".ma", ".mb")

_TITLE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*//\s*Maya ASCII\b[^\r\n]*")
_REQUIRES: Final = re.compile(rb'^requires[ \t]+maya[ \t]+"(\d{4})', re.MULTILINE)
_YEAR: Final = re.compile(rb"(?<!\d)(\d{4})(?!\d)")
_GROUPS: Final = {b"FOR4": 8, b"FOR8": 16}
"""Bytes of a group's tag and size, after which its type follows."""

_VERSION_BYTES_MAX: Final = 256


class NotMaya(Exception):
    """The file is not what its ending says; the message is a sentence for people."""


def maya_version(ending: str, head: bytes) -> str:
    """The year of a `.ma` or `.mb`, e.g. "2024"; "" when it does not say. `head`: its first `HEAD_BYTES`, or all.

    Raises:
        NotMaya: it is no Maya scene.
    """
    if ending == ".mb":
        return _binary(head)
    title = _TITLE.match(head)
    if title is None:
        binary = sniff_maya(head) == ".mb"
        hint = " It is a Maya binary scene: give it the ending .mb." if binary else ""
        raise NotMaya(f"The file is not a Maya ASCII scene: its first line does not say so.{hint}")
    found = _REQUIRES.search(head, title.end()) or _YEAR.search(title[0])
    return found[1].decode() if found is not None else ""


def sniff_maya(head: bytes) -> str | None:
    """The ending that a file's first bytes ask for, when they are unmistakable: .ma or .mb."""
    if _TITLE.match(head):
        return ".ma"
    size = _GROUPS.get(head[:4])
    return ".mb" if size is not None and head[size : size + 4] == b"Maya" else None


def _binary(head: bytes) -> str:
    if sniff_maya(head) != ".mb":
        ascii_scene = _TITLE.match(head) is not None
        hint = " It is a Maya ASCII scene: give it the ending .ma." if ascii_scene else ""
        raise NotMaya(f"The file is not a Maya binary scene.{hint}")
    length = _GROUPS[head[:4]] - 4
    at = head.find(b"VERS", head.find(b"HEAD"))
    if at < 0 or b"HEAD" not in head:
        return ""
    start = at + 4 + length
    size = int.from_bytes(head[start - (8 if length == 12 else 4) : start], "big")
    found = _YEAR.match(head[start : start + min(size, _VERSION_BYTES_MAX)])
    return found[1].decode() if found is not None else ""
