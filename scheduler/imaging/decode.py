"""Reads a whole image file of any kind the farm knows, and says what is in it. Runs in the child process only."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from scheduler.imaging import exr, exr_layout, jpeg, png
from scheduler.imaging.facts import FORMAT_NAMES, Format, ImageFacts, ImageFault

_SIGNATURES: Final[tuple[tuple[Format, bytes], ...]] = (
    ("png", png.SIGNATURE),
    ("jpg", jpeg.SIGNATURE),
    ("exr", exr_layout.SIGNATURE),
)
_HEAD_BYTES: Final = 16
_STRANGERS: Final = (
    ("a GIF image", b"GIF8"),
    ("a TIFF image", b"II*\0"),
    ("a TIFF image", b"MM\0*"),
    ("a WebP image", b"RIFF"),
    ("a PDF document", b"%PDF"),
    ("a Blender file", b"BLENDER"),
    ("a zip archive", b"PK\x03\x04"),
)
_SRGB_TO_LINEAR: Final = np.array(
    [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (i / 255 for i in range(256))]
)
"""IEC 61966-2-1, for each of the 256 values of a byte."""


@dataclass(frozen=True)
class FlatImage:
    """A decoded PNG or JPEG with what its header says."""

    image: Image.Image
    format: Format
    depth: int
    channels: tuple[str, ...]


Picture = FlatImage | exr.ExrImage


def load(path: Path, pixels_max: int) -> Picture:
    """Reads all of a file: its structure to the last byte, then every pixel.

    Raises:
        ImageFault: whatever is wrong with the file, in words for people.
        MemoryError: the child's memory limit is too low for this image.
    """
    kind = sniff(_head(path))
    if kind == "exr":
        return exr.read(path, pixels_max)
    data = path.read_bytes()
    if kind == "jpg":
        found = jpeg.check_structure(data)
        return FlatImage(
            _decoded(data, kind, found.width * found.height, pixels_max), kind, found.depth, found.channels
        )
    header = png.check_structure(data)
    image = _decoded(data, kind, header.width * header.height, pixels_max)
    # Pillow leaves rows black that the pixel data does not reach. Only then is the data worth counting.
    if header.interlaced or not any(image.crop((0, image.height - 1, image.width, image.height)).tobytes()):
        png.check_scanlines(data, header)
    return FlatImage(image, kind, header.depth, header.channels)


def _decoded(data: bytes, kind: Format, pixels: int, pixels_max: int) -> Image.Image:
    if pixels > pixels_max:
        message = f"The {FORMAT_NAMES[kind]} has {pixels} pixels; at most {pixels_max} are allowed."
        raise ImageFault("too_many_pixels", message)
    pillows_own_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, pixels_max
    try:
        image = Image.open(BytesIO(data), formats=[FORMAT_NAMES[kind]])
        image.load()
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's decoders raise OSError, ValueError, SyntaxError, struct.error or zlib.error, whatever they met.
        raise ImageFault("corrupt", f"The {FORMAT_NAMES[kind]} cannot be decoded: {error}") from error
    finally:
        Image.MAX_IMAGE_PIXELS = pillows_own_limit
    return image


def sniff(head: bytes) -> Format:
    """The format ("png", "jpg", "exr") that a file's first bytes announce.

    Raises:
        ImageFault: file_empty or not_an_image.
    """
    if not head:
        raise ImageFault("file_empty", "The file is empty.")
    for kind, signature in _SIGNATURES:
        if head.startswith(signature):
            return kind
    for name, signature in _STRANGERS:
        if head.startswith(signature):
            raise ImageFault("not_an_image", f"The file is {name}; the farm knows PNG, JPEG and EXR.")
    if any(signature.startswith(head) for _, signature in _SIGNATURES):
        raise ImageFault("truncated", f"The file stops after {len(head)} bytes.")
    raise ImageFault("not_an_image", "The file is not a PNG, JPEG or EXR image.")


def _head(path: Path) -> bytes:
    """The first bytes of a regular file; links and devices are not followed or opened for reading."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise ImageFault("file_missing", "There is no such file.") from error
    except OSError as error:
        raise ImageFault("file_unreadable", f"The file cannot be opened: {error.strerror}.") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ImageFault("not_a_file", "This is not a regular file.")
        return os.read(descriptor, _HEAD_BYTES)
    finally:
        os.close(descriptor)


def measure(picture: Picture) -> ImageFacts:
    """Facts of a decoded image. A 16-bit RGB PNG is looked at in its upper 8 bits, as Pillow decodes it."""
    if isinstance(picture, exr.ExrImage):
        return exr.measure(picture)
    image = picture.image
    if image.mode.startswith("I"):
        black, constant, luminance = _levels_16(image)
    else:
        black, constant, luminance = _levels_8(image)
    return ImageFacts(
        width=image.width,
        height=image.height,
        channels=picture.channels,
        depth=str(picture.depth),
        format=picture.format,
        nan_ratio=0.0,
        inf_ratio=0.0,
        black=black,
        constant=constant,
        luminance_mean=luminance,
    )


def flat(image: Image.Image) -> Image.Image:
    """The same picture in mode L, LA, RGB or RGBA with 8 bits per sample."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        return image
    if image.mode == "1":
        return image.convert("L")
    alpha = "transparency" in image.info or image.mode in ("PA", "La", "RGBa")
    return image.convert("RGBA" if alpha else "RGB")


def _levels_8(image: Image.Image) -> tuple[bool, bool, float]:
    """(black, constant, mean linear luminance) from the histogram: one pass over the pixels, exact."""
    image = flat(image)
    counts = np.array(image.histogram(), dtype=np.int64).reshape(-1, 256)
    colour = counts[:3] if image.mode.startswith("RGB") else counts[:1]
    means = colour @ _SRGB_TO_LINEAR / (image.width * image.height)
    weights = tuple(exr.LUMINANCE.values()) if len(colour) == 3 else (1.0,)
    constant = bool(np.all(np.count_nonzero(counts, axis=1) == 1))
    return not np.any(colour[:, 1:]), constant, float(means @ weights)


def _levels_16(image: Image.Image) -> tuple[bool, bool, float]:
    values = np.asarray(image)
    linear = _SRGB_TO_LINEAR[np.clip(values >> 8, 0, 255)]
    return not np.any(values), bool(values.min() == values.max()), float(linear.mean())
