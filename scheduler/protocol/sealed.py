"""The form of a sealed file: what content looks like wherever it lies or travels beyond the studio. Both sides know it.

    magic (8 bytes) · salt (32) · segments of SEGMENT_BYTES, each AES-256-GCM with a tag of 16 bytes behind it

The key of a file is HKDF-SHA-256 (RFC 5869) of its owner's key with the file's own SHA-256 as salt, so the same file
under the same key is sealed to the same bytes (an upload that broke off can go on), and no key ever seals two different
contents. A segment's nonce is its number and whether it is the last one, as in the STREAM construction (Hoang et al.
2015, https://eprint.iacr.org/2015/189): nothing can be cut off, swapped or appended unnoticed. The header is bound to
each segment. Segments can be opened one by one, so a stream may begin anywhere.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
KEY_BYTES = 32
MAGIC = b"OFSEAL\x01\n"
HEADER_BYTES = len(MAGIC) + 32

_SEALED_SEGMENT_BYTES = SEGMENT_BYTES + TAG_BYTES


class Cipher(Protocol):
    """What is used of AES-GCM."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The sealed bytes with their tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The plain bytes."""
        ...


class Tampered(Exception):
    """A sealed file is not what was sealed, or this is not its key."""


def sealed_size(size: int) -> int:
    """Bytes of a sealed file of `size` bytes. An empty file has one (empty) segment."""
    return HEADER_BYTES + size + TAG_BYTES * segments_of(size)


def plain_size(sealed: int) -> int:
    """Bytes inside a sealed file.

    Raises:
        Tampered: no sealed file is that long.
    """
    body = sealed - HEADER_BYTES
    whole, rest = divmod(body, _SEALED_SEGMENT_BYTES)
    if body < TAG_BYTES or (rest and rest < TAG_BYTES) or (rest == TAG_BYTES and whole):
        raise Tampered(f"a sealed file cannot have {sealed} bytes")
    return whole * SEGMENT_BYTES + (rest - TAG_BYTES if rest else 0)


def segments_of(size: int) -> int:
    """Segments of a file of `size` bytes."""
    return max(1, -(-size // SEGMENT_BYTES))


def derive(key: bytes, scope: str) -> bytes:
    """A key of 32 bytes for `scope` from the key above it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"outfield " + scope.encode()).derive(key)


def seal(source: BinaryIO, size: int, key: bytes, sha256: str) -> Iterator[bytes]:
    """The sealed form of a file, piece by piece. `sha256` (hex) is that of its `size` bytes.

    Raises:
        ValueError: the source has fewer or more bytes than `size`.
    """
    header = MAGIC + bytes.fromhex(sha256)
    yield header
    cipher, last = _cipher(key, header), segments_of(size) - 1
    for number in range(last + 1):
        wanted = min(SEGMENT_BYTES, size - number * SEGMENT_BYTES)
        plain = _exactly(source, wanted)
        if len(plain) != wanted or (number == last and source.read(1)):
            raise ValueError("the file has changed while it was sealed")
        yield cipher.encrypt(_nonce(number, last=number == last), plain, header)


class Unsealing(io.RawIOBase):
    """The bytes inside a sealed file from `offset` on, at most `length` of them, as a stream.

    `open_sealed(offset, length)` opens a stretch of the sealed bytes, length None: to the end; `sealed` is their size.

    Raises:
        Tampered: while reading.
    """

    def __init__(
        self,
        open_sealed: Callable[[int, int | None], BinaryIO],
        sealed: int,
        key: bytes,
        *,
        offset: int = 0,
        length: int | None = None,
    ) -> None:
        super().__init__()
        self._size = plain_size(sealed)
        self._end = self._size if length is None else min(self._size, offset + length)
        self._at, self._buffer = offset, b""
        with open_sealed(0, HEADER_BYTES) as start:
            header = _exactly(start, HEADER_BYTES)
        if len(header) != HEADER_BYTES or not header.startswith(MAGIC):
            raise Tampered("this is not a sealed file")
        self._header, self._cipher = header, _cipher(key, header)
        self._number = min(offset // SEGMENT_BYTES, segments_of(self._size) - 1)
        self._source = open_sealed(HEADER_BYTES + self._number * _SEALED_SEGMENT_BYTES, None)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill as much of the buffer as one segment allows."""
        if self._at >= self._end:
            return 0
        if not self._buffer:
            plain = self._segment()
            skipped = self._at % SEGMENT_BYTES
            self._buffer = plain[skipped : skipped + self._end - self._at]
        taken, self._buffer = self._buffer[: len(buffer)], self._buffer[len(buffer) :]
        buffer[: len(taken)] = taken
        self._at += len(taken)
        return len(taken)

    def close(self) -> None:
        """Close the sealed stretch too."""
        if not self.closed:
            self._source.close()
        super().close()

    def _segment(self) -> bytes:
        last = segments_of(self._size) - 1
        inside = SEGMENT_BYTES if self._number < last else self._size - last * SEGMENT_BYTES
        plain = open_segment(
            self._cipher, self._header, self._number, _exactly(self._source, inside + TAG_BYTES),
            last=self._number == last,
        )  # fmt: skip
        self._number += 1
        return plain


def open_segment(cipher: Cipher, header: bytes, number: int, sealed: bytes, *, last: bool) -> bytes:
    """The plain bytes of one segment.

    Raises:
        Tampered: they are not what was sealed here.
    """
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(_nonce(number, last=last), sealed, header)
    except (InvalidTag, ValueError) as error:
        raise Tampered(f"segment {number} is not what was sealed, or the key is another one") from error


def unseal(open_sealed: Callable[[int, int | None], BinaryIO], sealed: int, key: bytes) -> BinaryIO:
    """All bytes inside a sealed file, as a buffered stream. Raises Tampered, also while reading."""
    return io.BufferedReader(Unsealing(open_sealed, sealed, key), SEGMENT_BYTES)


class Opener:
    """Opens sealed bytes as they arrive, from segment `first` on: feed what has come, take what is certain.

    Raises:
        Tampered: by `feed` and `finish`.
    """

    def __init__(self, header: bytes, sealed: int, key: bytes, *, first: int = 0) -> None:
        if len(header) != HEADER_BYTES or not header.startswith(MAGIC):
            raise Tampered("this is not a sealed file")
        self._header, self._cipher = header, _cipher(key, header)
        self._size = plain_size(sealed)
        self._number, self._waiting = first, bytearray()

    def feed(self, sealed: bytes) -> bytes:
        """Take in some sealed bytes; the plain bytes of all segments that are complete now."""
        self._waiting += sealed
        found = bytearray()
        last = segments_of(self._size) - 1
        while self._number <= last:
            inside = SEGMENT_BYTES if self._number < last else self._size - last * SEGMENT_BYTES
            if len(self._waiting) < inside + TAG_BYTES:
                break
            piece = bytes(self._waiting[: inside + TAG_BYTES])
            del self._waiting[: inside + TAG_BYTES]
            found += open_segment(self._cipher, self._header, self._number, piece, last=self._number == last)
            self._number += 1
        return bytes(found)

    def finish(self) -> None:
        """Everything has come; it must have been all there is."""
        if self._waiting or self._number < segments_of(self._size):
            raise Tampered("the sealed file is cut off, or something was appended")


def _cipher(key: bytes, header: bytes) -> Cipher:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    salt = header[len(MAGIC) :]
    return AESGCM(HKDF(hashes.SHA256(), KEY_BYTES, salt=salt, info=b"outfield sealed file").derive(key))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def _exactly(source: BinaryIO, count: int) -> bytes:
    """As many bytes as were asked for, fewer only at the end."""
    found = source.read(count)
    while len(found) < count and (more := source.read(count - len(found))):
        found += more
    return found
