"""Partials on disk: a magic line, a JSON header, and the three accumulators as one checksummed Zstandard frame.

    OUTFIELD PARTIAL 1\\n | sizes | header (JSON, UTF-8) | body: zstd(sums, squares, counts)

`sizes` are the bytes of the header (uint32) and of the body (uint64), little-endian.
Nothing in a file is trusted: sizes are bounded before memory is taken, and what does not fit is `BrokenPartial`.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import numpy as np
import zstandard

from kernels.coverage import Part
from kernels.film import Film, empty_film
from scheduler.protocol.renderers import IMAGE_PIXELS_MAX, IMAGE_SIDE_MAX

MAGIC = b"OUTFIELD PARTIAL 1\n"
SIZES = struct.Struct("<IQ")
HEADER_BYTES_MAX = 16 * 2**20
LEVEL = 1
"""Zstandard's fastest ordinary level: accumulators shrink to a tenth or so, faster than a network carries the rest."""

Whole = Annotated[int, msgspec.Meta(ge=0, le=IMAGE_SIDE_MAX)]
Corners = tuple[Whole, Whole, Whole, Whole]


class BrokenPartial(Exception):
    """A partial that is cut short, damaged, or not one at all."""


class PartialHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a partial says of itself. `recipe` is a hash of everything that decides the frame's pixels."""

    recipe: str
    frame: int
    width: Annotated[int, msgspec.Meta(ge=1, le=IMAGE_SIDE_MAX)]
    height: Annotated[int, msgspec.Meta(ge=1, le=IMAGE_SIDE_MAX)]
    samples: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    seed: int
    channels: Annotated[int, msgspec.Meta(ge=1, le=4)]
    rect: Corners
    parts: tuple[tuple[Whole, Whole, Whole, Whole, Whole, Whole], ...]

    @property
    def frame_key(self) -> tuple[str, int, int, int, int, int, int]:
        """Equal for partials that belong to the same frame."""
        return self.recipe, self.frame, self.width, self.height, self.samples, self.seed, self.channels


def write_partial(path: Path, header: PartialHeader, film: Film) -> None:
    """Writes `film`, whose rectangle and channels are those of `header`."""
    text = msgspec.json.encode(header)
    with path.open("wb") as file:
        file.write(MAGIC + SIZES.pack(len(text), 0) + text)
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        with compressor.stream_writer(file, closefd=False) as stream:
            for array in (film.sums, film.squares, film.counts):
                stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        body = file.tell() - len(MAGIC) - SIZES.size - len(text)
        file.seek(len(MAGIC))
        file.write(SIZES.pack(len(text), body))


def read_header(path: Path) -> PartialHeader:
    """What a partial says of itself. Raises `BrokenPartial`."""
    with path.open("rb") as file:
        return _read_header(file, path.name)


def read_partial(path: Path) -> tuple[PartialHeader, Film]:
    """Header and film of a partial. Raises `BrokenPartial`."""
    with path.open("rb") as file:
        header = _read_header(file, path.name)
        film = empty_film(header.rect, header.channels)
        try:
            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=False) as stream:
                for array in (film.sums, film.squares, film.counts):
                    _fill(stream, array, path.name)
                if stream.read(1):
                    raise BrokenPartial(f"{path.name} holds more pixels than it says.")
        except zstandard.ZstdError as error:
            raise BrokenPartial(f"{path.name} is damaged: {error}.") from error
    return header, film


def _read_header(file: BinaryIO, name: str) -> PartialHeader:
    if file.read(len(MAGIC)) != MAGIC:
        raise BrokenPartial(f"{name} is not a partial of this version of Outfield.")
    sizes = file.read(SIZES.size)
    if len(sizes) < SIZES.size:
        raise BrokenPartial(f"{name} is cut short.")
    size, body = SIZES.unpack(sizes)
    if not 0 < size <= HEADER_BYTES_MAX:
        raise BrokenPartial(f"{name} has no sensible header.")
    if os.fstat(file.fileno()).st_size != len(MAGIC) + SIZES.size + size + body:
        raise BrokenPartial(f"{name} is cut short, or was added to.")
    try:
        header = msgspec.json.decode(file.read(size), type=PartialHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenPartial(f"The header of {name} cannot be read: {error}.") from error
    if not _is_sensible(header):
        raise BrokenPartial(f"The header of {name} contradicts itself.")
    return header


def _is_sensible(header: PartialHeader) -> bool:
    x0, y0, x1, y1 = header.rect
    inside = x0 <= x1 <= header.width and y0 <= y1 <= header.height
    parts = [Part(*part) for part in header.parts]
    return (
        inside
        and header.width * header.height <= IMAGE_PIXELS_MAX
        and all(x0 <= p.x0 < p.x1 <= x1 and y0 <= p.y0 < p.y1 <= y1 and p.s0 < p.s1 <= header.samples for p in parts)
    )


def _fill(stream: zstandard.ZstdDecompressionReader, array: np.ndarray, name: str) -> None:
    """Reads exactly the bytes of `array`."""
    if array.size == 0:
        return
    target = array.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < len(target):
        count = stream.readinto(target[filled:])
        if not count:
            raise BrokenPartial(f"{name} is cut short.")
        filled += count
