"""Zips that ordinary tools would not make, written byte by byte, and a corpus of those that mean harm."""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

UTF8 = 0x800
UNIX = 3


@dataclass(frozen=True)
class Entry:
    """One member; what is None follows from `data`, anything else is a lie that the archive tells."""

    name: str | bytes
    data: bytes = b"v 0 0 0\n"
    method: int = 8
    flags: int = UTF8
    mode: int = stat.S_IFREG | 0o644
    system: int = UNIX
    size: int | None = None
    crc: int | None = None
    packed: bytes | None = None
    packed_size: int | None = None
    local_name: bytes | None = None
    offset: int | None = None

    @property
    def raw_name(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode("utf-8", "surrogatepass")


def zipped(
    entries: Sequence[Entry], *, comment: bytes = b"", prefix: bytes = b"", directory_size: int | None = None
) -> bytes:
    """The archive. Entries with an `offset` have no local part of their own."""
    body = bytearray(prefix)
    directory = bytearray()
    for entry in entries:
        offset = len(body) if entry.offset is None else entry.offset
        content = _content(entry)
        if entry.offset is None:
            name = entry.raw_name if entry.local_name is None else entry.local_name
            body += struct.pack("<4s5H3I2H", b"PK\3\4", 20, *content.head, len(name), 0) + name + content.packed
        places = (len(entry.raw_name), 0, 0, 0, 0, entry.mode << 16, offset)
        directory += struct.pack("<4s2B5H3I5H2I", b"PK\1\2", 20, entry.system, 20, *content.head, *places)
        directory += entry.raw_name
    size = len(directory) if directory_size is None else directory_size
    count = min(len(entries), 0xFFFF)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, size, len(body), len(comment))
    return bytes(body) + bytes(directory) + end + comment


@dataclass(frozen=True)
class _Content:
    head: tuple[int, ...]
    packed: bytes


def _content(entry: Entry) -> _Content:
    deflate = zlib.compressobj(wbits=-15)
    packed = entry.packed
    if packed is None:
        packed = deflate.compress(entry.data) + deflate.flush() if entry.method == 8 else entry.data
    size = len(entry.data) if entry.size is None else entry.size
    packed_size = len(packed) if entry.packed_size is None else entry.packed_size
    crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
    return _Content((entry.flags, entry.method, 0, 0x21, crc, packed_size, size), packed)


GOOD = Entry("mesh.obj")

NAMES = (
    "../evil", "../../../../../../../../tmp/evil", "a/../../evil", "a/b/../../../evil", "..", "../", "a/..",
    "/evil", "//evil", "/etc/cron.d/evil", "C:\\evil", "C:/evil", "c:evil", "\\\\server\\share\\evil", "\\evil",
    "..\\evil", "a\\..\\..\\evil", "a\\b", "evil.obj\0.png", "\0", "", "/", ".", "./", "./.", "con", "NUL.txt",
    "a/aux.blend", "com1", "lpt¹.obj", "CONIN$", "con .txt", "evil ", "evil.", "a /b", "a./b", "...", "evil.txt:stream",
    "evil::$DATA", "scene\u202egnp.blend", "new\nline", "\x1b[31mred", "lone\ud800surrogate", "line\u2028separator",
    "a" * 256, "é" * 128, "a/" * 32 + "x", "abcdefghi/" * 31 + "x" * 255 + "/" + "y" * 254 + "/" + "z" * 254,
)  # fmt: skip
"""Member names that lead out, hide, or mean something else on another system."""

TYPES = {
    "symlink": [Entry("link", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)],
    "symlink, then a file through it": [
        Entry("link", b"..", mode=stat.S_IFLNK | 0o777, method=0),
        Entry("link/evil"),
    ],
    "symlink in a DOS archive": [Entry("link", b"/etc", mode=stat.S_IFLNK | 0o777, system=0)],
    "symlink to a folder": [Entry("link/", b"", mode=stat.S_IFLNK | 0o777, method=0)],
    "character device": [Entry("null", b"", mode=stat.S_IFCHR | 0o666, method=0)],
    "block device": [Entry("disk", b"", mode=stat.S_IFBLK | 0o666, method=0)],
    "pipe": [Entry("pipe", b"", mode=stat.S_IFIFO | 0o666, method=0)],
    "socket": [Entry("socket", b"", mode=stat.S_IFSOCK | 0o666, method=0)],
    "folder without a slash": [Entry("folder", b"", mode=stat.S_IFDIR | 0o755, method=0)],
    "file with a slash": [Entry("file/", b"", mode=stat.S_IFREG | 0o644, method=0)],
    "folder with content": [Entry("folder/", b"data", mode=stat.S_IFDIR | 0o755)],
    "encrypted": [Entry("secret", flags=UTF8 | 0x1)],
    "strongly encrypted": [Entry("secret", flags=UTF8 | 0x41)],
    "encrypted directory": [Entry("secret", flags=UTF8 | 0x2000)],
    "bzip2": [Entry("a", method=12)],
    "lzma": [Entry("a", method=14)],
    "deflate64": [Entry("a", method=9)],
    "unknown method": [Entry("a", method=99)],
}

CLASHES = {
    "the same name twice": [Entry("a.obj", b"one"), Entry("a.obj", b"two")],
    "the same name but for a dot": [Entry("b/a.obj"), Entry("b/./a.obj")],
    "upper and lower case": [Entry("Scene.obj"), Entry("scene.OBJ")],
    "composed and decomposed": [Entry("caf\u00e9"), Entry("cafe\u0301")],
    "sharp s": [Entry("stra\u00dfe"), Entry("STRASSE")],
    "a file that is a folder": [Entry("a"), Entry("a/b")],
    "a folder that is a file": [Entry("a/b"), Entry("A")],
    "an empty folder that is a file": [Entry("a/", b"", mode=stat.S_IFDIR, method=0), Entry("a")],
}


def lies() -> dict[str, bytes]:
    """Archives whose numbers do not fit together, and things that are no archives."""
    two = zipped([GOOD, Entry("b.obj", b"v 1 1 1\n" * 100)])
    small = zlib.compressobj(9, wbits=-15)
    zeros = small.compress(bytes(80 * 2**20)) + small.flush()
    return {
        "smaller than it says": zipped([Entry("a", b"x" * 100, size=200)]),
        "larger than it says": zipped([Entry("a", b"x" * 200, size=100)]),
        "stored, with two sizes": zipped([Entry("a", b"x" * 100, method=0, size=2**30)]),
        "wrong checksum": zipped([Entry("a", crc=1)]),
        "no deflate stream": zipped([Entry("a", packed=b"\xff" * 50)]),
        "cut deflate stream": zipped([Entry("a", bytes(range(256)) * 9, packed=b"\x78")]),
        "bomb": zipped([Entry("zeros", bytes(80 * 2**20), packed=zeros)]),
        "claims a terabyte": zipped([Entry(f"a{i}", size=0xFFFFFFFE) for i in range(20)]),
        "two members share their bytes": zipped([GOOD, Entry("b.obj", offset=0)]),
        "quoted members": zipped([Entry("a", b"", method=0, packed_size=0), Entry("b", offset=10)]),
        "another name inside": zipped([Entry("a.obj", local_name=b"../evil")]),
        "member outside of the file": zipped([Entry("a.obj", offset=2**31)]),
        "member at the directory": zipped([GOOD, Entry("b.obj", offset=60)]),
        "too many members": zipped([Entry(f"{i}", b"", method=0) for i in range(20_001)]),
        "huge directory": zipped([GOOD], directory_size=2**25),
        "directory larger than the file": zipped([GOOD], directory_size=2**20),
        "no directory": two[:-22],
        "cut in the middle": two[: len(two) // 2],
        "cut at the front": two[20:],
        "bytes of a name that are no text": zipped([Entry(b"\xff\xfe/..", flags=UTF8)]),
        "nothing": b"",
        "text": b"this is not a zip archive\n" * 10,
        "only an end": b"PK\5\6" + bytes(10),
        "tar": b"../evil".ljust(257, b"\0") + b"ustar" + bytes(500),
        "7z": b"7z\xbc\xaf'\x1c" + bytes(100),
        "gzip": zlib.compress(b"x"),
    }


def corpus() -> dict[str, bytes]:
    """Every hostile archive by a name for it; each also holds a harmless scene where it can."""
    named = {f"name {name[:40]!r}": zipped([GOOD, Entry(name)]) for name in NAMES}
    mixed = {kind: zipped([GOOD, *entries]) for kind, entries in {**TYPES, **CLASHES}.items()}
    return named | mixed | lies()
