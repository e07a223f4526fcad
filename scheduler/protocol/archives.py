"""What a zip of a scene may hold: a judgement of the archive's directory, without reading any member.

The scheduler asks before it stores an upload, the worker before it unpacks one; both must give the same answer. A zip
is taken as hostile: names, types, sizes and places are checked against one another here, contents (CRC-32) while
unpacking. Zip layout: PKWARE's APPNOTE 6.3.10, https://support.pkware.com/pkzip/appnote
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Final

from scheduler.protocol.names import safe_member, same_name

MEMBERS_MAX: Final = 20_000
"""Files and folders in one archive."""

TOTAL_BYTES_MAX: Final = 64 * 2**30
"""Size of all members, unpacked."""

RATIO_MAX: Final = 200
"""Unpacked size over packed size, of the archive as a whole."""

RATIO_FREE_BYTES: Final = 64 * 2**20
"""Below this unpacked size the ratio does not matter: an empty scene packs very well."""

DIRECTORY_BYTES_MAX: Final = 16 * 2**20
"""Size of the zip's own directory, which is read into memory."""

READ_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
)
"""What `zipfile` raises for an archive that is damaged, when it is opened or when a member is read."""

_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_END_BYTES: Final = 22
_END_64_BYTES: Final = 56
_LOCATOR_64_BYTES: Final = 20
_COMMENT_BYTES_MAX: Final = 0xFFFF
_TAIL_BYTES: Final = _END_64_BYTES + _LOCATOR_64_BYTES + _END_BYTES + _COMMENT_BYTES_MAX


class UnsafeArchive(Exception):
    """An archive that is not unpacked; `code` for programs, the message is a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


def damaged(error: Exception) -> UnsafeArchive:
    """What one of `READ_ERRORS` comes to."""
    return UnsafeArchive("archive_damaged", f"The archive is damaged: {str(error).rstrip('.')}.")


@dataclass(frozen=True, slots=True)
class Member:
    """One entry that may be unpacked: where it goes, its size in bytes, and the zip's own record of it."""

    path: str
    size: int
    folder: bool
    info: zipfile.ZipInfo


def open_archive(file: IO[bytes]) -> tuple[zipfile.ZipFile, tuple[Member, ...]]:
    """The zip in `file` and all its members, when every one of them is harmless; reads no member's content.

    Raises:
        UnsafeArchive: archive_not_zip, or whatever `accept` says.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    if _directory_bytes(file.read()) > DIRECTORY_BYTES_MAX:
        raise UnsafeArchive("archive_too_large", f"The archive's directory is larger than {DIRECTORY_BYTES_MAX} bytes.")
    try:
        archive = zipfile.ZipFile(file)
    except READ_ERRORS as error:
        raise damaged(error) from error
    return archive, accept(archive.infolist(), size)


def _directory_bytes(tail: bytes) -> int:
    """Size of a zip's directory, as the end of the file tells it; to be known before the directory is read."""
    position = tail.rfind(b"PK\x05\x06")
    if position < 0 or position + _END_BYTES > len(tail):
        raise UnsafeArchive("archive_not_zip", "This is not a whole zip archive: its directory is missing.")
    (size,) = struct.unpack_from("<I", tail, position + 12)
    large = tail.rfind(b"PK\x06\x06", 0, position)
    if large >= 0 and large + _END_64_BYTES <= len(tail):
        size = max(size if size != 0xFFFFFFFF else 0, *struct.unpack_from("<Q", tail, large + 40))
    return size


def accept(infos: Sequence[zipfile.ZipInfo], archive_bytes: int) -> tuple[Member, ...]:
    """All members of an archive of `archive_bytes` bytes, in the archive's order, when every one of them is harmless.

    Raises:
        UnsafeArchive: for the first thing that is not.
    """
    if len(infos) > MEMBERS_MAX:
        raise UnsafeArchive(
            "archive_too_large", f"The archive has {len(infos)} members; at most {MEMBERS_MAX} are allowed."
        )
    members = tuple(_member(info) for info in infos)
    total = sum(member.size for member in members)
    if total > TOTAL_BYTES_MAX:
        raise UnsafeArchive(
            "archive_too_large", f"Unpacked, the archive has {total} bytes; at most {TOTAL_BYTES_MAX} are allowed."
        )
    if total > max(RATIO_FREE_BYTES, RATIO_MAX * archive_bytes):
        raise UnsafeArchive("archive_bomb", f"The archive grows more than {RATIO_MAX} times when unpacked.")
    _check_places(infos, archive_bytes)
    _check_paths(members)
    return members


def _member(info: zipfile.ZipInfo) -> Member:
    shown = repr(info.orig_filename[:200])
    path = safe_member(info.orig_filename)
    if path is None:
        raise UnsafeArchive("archive_unsafe_name", f"The archive's member {shown} has a name that may not be unpacked.")
    if info.flag_bits & _ENCRYPTED:
        raise UnsafeArchive("archive_encrypted", f"The archive's member {shown} is encrypted.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsafeArchive(
            "archive_unsupported", f"The archive's member {shown} is packed in a way this farm does not read."
        )
    folder = info.orig_filename.endswith("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if folder else stat.S_IFREG):
        raise UnsafeArchive("archive_unsafe_type", f"The archive's member {shown} is neither a file nor a folder.")
    if (folder and info.file_size) or (
        info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size
    ):
        raise UnsafeArchive("archive_damaged", f"The archive's member {shown} has sizes that do not fit together.")
    return Member(path, info.file_size, folder, info)


def _check_places(infos: Iterable[zipfile.ZipInfo], archive_bytes: int) -> None:
    """No two members may share packed bytes: https://www.bamsoftware.com/hacks/zipbomb/ unpacks to petabytes so."""
    end = 0
    for start, size in sorted((info.header_offset, info.compress_size) for info in infos):
        if start < end or start + 30 + size > archive_bytes:
            raise UnsafeArchive("archive_damaged", "The archive's members overlap or lie outside of it.")
        end = start + 30 + size


def _check_paths(members: Iterable[Member]) -> None:
    """No two members may go to the same place, on any file system, and no file may be another member's folder."""
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        path = same_name(member.path)
        if not member.folder and path in files:
            raise UnsafeArchive(
                "archive_duplicate", f"The archive holds {member.path!r} twice (upper and lower case count as one)."
            )
        (folders if member.folder else files).add(path)
        parts = path.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    clash = files & folders
    if clash:
        raise UnsafeArchive("archive_duplicate", f"The archive holds {min(clash)!r} both as a file and as a folder.")
