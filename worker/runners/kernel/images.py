"""Frames as files: PNG and JPEG in sRGB over a backdrop, EXR in linear light with coverage.

The same picture gives the same bytes: nothing here knows the time, the machine or the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import OpenEXR
from PIL import Image, PngImagePlugin

from kernels.develop import colour_channels, display_bytes
from scheduler.protocol.renderers import Format

PNG_LEVEL = 6
SRGB_PERCEPTUAL = b"\x00"


@dataclass(frozen=True)
class ImageStyle:
    """How a picture is written: JPEG `quality` 1-100, EXR channel type `depth`."""

    quality: int = 95
    depth: Literal["half", "float"] = "half"


Metadata = dict[str, str | int | float]
"""What a frame says of itself: an EXR's `outfield:…` attributes, a PNG's text, a JPEG's comment."""


def write_image(path: Path, picture: np.ndarray, form: Format, style: ImageStyle, metadata: Metadata) -> None:
    """Writes a linear float32 picture (h, w, 1 or 4) as `form`."""
    match form:
        case "png":
            _write_png(path, picture, metadata)
        case "jpg":
            comment = "; ".join(f"{key}={value}" for key, value in metadata.items())
            image = Image.fromarray(display_bytes(picture))
            image.save(path, format="JPEG", quality=style.quality, subsampling=0, comment=comment)
        case "exr":
            _write_exr(path, picture, style, metadata)


def _write_png(path: Path, picture: np.ndarray, metadata: Metadata) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", SRGB_PERCEPTUAL)
    for key, value in metadata.items():
        info.add_itxt(f"outfield:{key}", str(value))
    Image.fromarray(display_bytes(picture)).save(path, format="PNG", pnginfo=info, compress_level=PNG_LEVEL)


def _write_exr(path: Path, picture: np.ndarray, style: ImageStyle, metadata: Metadata) -> None:
    pixels = np.ascontiguousarray(colour_channels(picture), dtype=np.float16 if style.depth == "half" else np.float32)
    header: dict[str, Any] = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        **{f"outfield:{key}": value for key, value in metadata.items()},
    }
    name = "RGBA" if pixels.shape[2] == 4 else "RGB"
    with OpenEXR.File(header, {name: pixels}) as file:
        file.write(str(path))
