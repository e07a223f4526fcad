"""Which file names may travel: members of archives, and files that a worker stages. Pure.

The rules hold on every system at once, because a scene zipped on Linux may be rendered on Windows: what any of them
would read as a way out of the folder, as a device or as another stream of a file is refused everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

PART_BYTES_MAX: Final = 255
"""Longest name of one file or folder, in UTF-8."""

MEMBER_BYTES_MAX: Final = 1024
"""Longest path of an archive's member, in UTF-8."""

MEMBER_DEPTH_MAX: Final = 32
"""Most folders that an archive's member may lie in, plus one."""

FILE_NAME: Final = re.compile(r"(?:-(?=[0-9]))?[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
"""Name of a staged file, to be matched in full; a negative frame may lead with its sign (`-0005.png`)."""

_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
"""Names that Windows opens as devices, with any ending (learn.microsoft.com, "Naming Files, Paths, and Namespaces")."""

_FORBIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, lone surrogates, line and paragraph separators."""

_DIRECTION_MARKS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They make a name read differently from what it is (`scene\u202egnp.blend`)."""


def is_file_name(name: str) -> bool:
    """May a worker stage a file under this name?"""
    return FILE_NAME.fullmatch(name) is not None and not is_device(name)


def safe_member(name: str) -> str | None:
    """The normalised relative path of an archive's member (`a//./b` becomes `a/b`), or None: it may not be unpacked.

    A trailing slash, which marks a folder, is dropped. Refused: absolute paths, `..`, backslashes, colons (drives and
    streams), control characters and direction marks, device names, parts that end in a dot or a space, and
    whatever is empty, too long or too deep.
    """
    if name.startswith("/") or "\\" in name or ":" in name:
        return None
    if any(letter in _DIRECTION_MARKS or unicodedata.category(letter) in _FORBIDDEN_CATEGORIES for letter in name):
        return None
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not 0 < len(parts) <= MEMBER_DEPTH_MAX or any(not _safe_part(part) for part in parts):
        return None
    path = "/".join(parts)
    return path if len(path.encode()) <= MEMBER_BYTES_MAX else None


def same_name(path: str) -> str:
    """What two paths share when some file system takes them for one: case and Unicode form do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def is_device(name: str) -> bool:
    """Would Windows open this name as a device?"""
    return name.partition(".")[0].rstrip(" ").casefold() in _DEVICES


def _safe_part(part: str) -> bool:
    return (
        part != ".." and not part.endswith((".", " ")) and len(part.encode()) <= PART_BYTES_MAX and not is_device(part)
    )
