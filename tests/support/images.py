"""Makers of good and damaged image files, small enough for a thousand checks."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from PIL import Image

WIDTH, HEIGHT = 40, 24

EXR_CHECKED = ("ZIP", "ZIPS", "PXR24")
"""EXR compressions whose blocks carry a checksum (zlib's Adler-32)."""

EXR_UNCHECKED = ("NO", "RLE", "PIZ", "B44", "B44A", "DWAA", "DWAB")


def pixels(width: int = WIDTH, height: int = HEIGHT, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    """A picture with some noise, the same every time; floats lie in [0, 1]."""
    noise = np.random.default_rng(7).random((height, width, channels), dtype=np.float32)
    ramp = np.linspace(0.0, 1.0, width, dtype=np.float32)[None, :, None]
    values = 0.75 * ramp + 0.25 * noise
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else (values * np.iinfo(dtype).max).astype(dtype)


def png(array: np.ndarray | None = None, **options: Any) -> bytes:
    """An 8-bit PNG; `options` go to Pillow."""
    return _pillow("PNG", array, options)


def jpeg(array: np.ndarray | None = None, **options: Any) -> bytes:
    """A JPEG; `options` go to Pillow (`progressive`, `restart_marker_rows`, `quality`)."""
    return _pillow("JPEG", array, options)


def _pillow(kind: str, array: np.ndarray | None, options: dict[str, Any]) -> bytes:
    values = pixels() if array is None else array
    out = BytesIO()
    Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values).save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with a right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes, *between: bytes) -> bytes:
    """A PNG from rows without filter bytes, for depths that Pillow does not write; chunks `between` go before IDAT."""
    stride = len(rows) // height
    scanlines = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(between) + end


def exr(
    path: Path,
    planes: dict[str, np.ndarray] | None = None,
    *,
    compression: str = "ZIP",
    tiled: bool = False,
    header: dict[str, Any] | None = None,
) -> Path:
    """Writes a single-part EXR; `compression` without the ending `_COMPRESSION`."""
    OpenEXR.File(_header(compression, tiled) | (header or {}), planes or rgb_planes()).write(str(path))
    return path


def exr_parts(path: Path, parts: dict[str, dict[str, np.ndarray]], compression: str = "ZIP") -> Path:
    """Writes a multi-part EXR: planes by part name."""
    made = [OpenEXR.Part(_header(compression, False), planes, name) for name, planes in parts.items()]
    OpenEXR.File(made).write(str(path))
    return path


def rgb_planes(width: int = WIDTH, height: int = HEIGHT, dtype: Any = np.float16) -> dict[str, np.ndarray]:
    """R, G and B planes of `pixels`."""
    values = pixels(width, height, 3, np.float32).astype(dtype)
    return {name: np.ascontiguousarray(values[..., index]) for index, name in enumerate("RGB")}


def _header(compression: str, tiled: bool) -> dict[str, Any]:
    header: dict[str, Any] = {
        "compression": getattr(OpenEXR, f"{compression}_COMPRESSION"),
        "type": OpenEXR.tiledimage if tiled else OpenEXR.scanlineimage,
    }
    if tiled:
        header["tiles"] = OpenEXR.TileDescription()
    return header


def cuts(data: bytes, count: int = 1000) -> Iterator[bytes]:
    """`data` truncated at `count` lengths, evenly spread from 0 to all but one byte; at all lengths if it is short."""
    lengths = (
        range(len(data)) if len(data) <= count else {round(i * (len(data) - 1) / (count - 1)) for i in range(count)}
    )
    return (data[:length] for length in sorted(lengths))


def flips(data: bytes, count: int = 500, seed: int = 1) -> Iterator[tuple[int, bytes]]:
    """(offset, `data` with one bit of that byte flipped), at `count` random places."""
    chance = random.Random(seed)
    for _ in range(count):
        offset = chance.randrange(len(data))
        damaged = bytearray(data)
        damaged[offset] ^= 1 << chance.randrange(8)
        yield offset, bytes(damaged)


def blocks_start(data: bytes, count: int) -> int:
    """Where the `count` blocks of a single-part EXR begin: the first offset of the table names the table's own end."""
    return next(
        position + 8 * count
        for position in range(len(data) - 8)
        if int.from_bytes(data[position : position + 8], "little") == position + 8 * count
    )
