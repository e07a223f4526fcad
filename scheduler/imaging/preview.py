"""Small pictures for people: previews of one image, and contact sheets of many. Runs in the child process only.

An EXR is shown without exposure change: linear values as sRGB, with highlights from `KNEE` upwards rolled off towards
white. It is a neutral view, not a studio's colour pipeline. Transparent images lie on a dark ground.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from scheduler.imaging.decode import FlatImage, Picture, flat
from scheduler.imaging.exr import ExrImage, Plane
from scheduler.imaging.facts import ImageFault
from scheduler.imaging.requests import Cell

KNEE: Final = 0.8
"""Linear value where the highlight roll-off begins; below it nothing changes."""

LINEAR_MAX: Final = 65_504.0
"""Largest half; brighter and infinite samples count as this."""

GROUND: Final = (38, 38, 42)
"""sRGB colour behind transparent pixels and between the cells of a sheet."""

INK: Final = (225, 225, 230)
WARNING_INK: Final = (240, 150, 90)

PREVIEW_SIDE_MAX: Final = 8192
SHEET_PIXELS_MAX: Final = 100_000_000
GAP_PX: Final = 6
LABEL_PX: Final = 18
QUALITY: Final = 85
_PILLOW_NAMES: Final = {"webp": "WEBP", "png": "PNG", "jpg": "JPEG", "jpeg": "JPEG"}


def render(picture: Picture, width_px: int) -> Image.Image:
    """An RGB picture at most `width_px` wide, never larger than the original."""
    if isinstance(picture, ExrImage):
        return _from_exr(picture, width_px)
    return _from_flat(picture, width_px)


def save(image: Image.Image, out: Path, kind: str) -> None:
    """Writes the picture beside `out` and renames it, so that nobody reads half a preview.

    Raises:
        ImageFault: cannot_write.
    """
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            image.save(file, _PILLOW_NAMES[kind], quality=QUALITY, **({"method": 2} if kind == "webp" else {}))
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ImageFault("cannot_write", f"The small picture cannot be written: {error}") from error


def sheet(cells: list[Cell], columns: int, cell_px: int) -> Image.Image:
    """A contact sheet, row by row, each cell with its label below. Cells take their shape from the first picture.

    Raises:
        ImageFault: sheet_too_large.
    """
    shape = next((size for cell in cells if cell.path and (size := _size(cell.path))), (16, 9))
    cell_height = max(1, min(4 * cell_px, round(cell_px * shape[1] / shape[0])))
    columns = max(1, min(columns, len(cells)))
    rows = max(1, -(-len(cells) // columns))
    width = columns * (cell_px + GAP_PX) + GAP_PX
    height = rows * (cell_height + LABEL_PX + GAP_PX) + GAP_PX
    if width * height > SHEET_PIXELS_MAX:
        raise ImageFault("sheet_too_large", f"The sheet would have {width}×{height} pixels; ask for smaller cells.")
    canvas = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=LABEL_PX * 0.7)
    for index, cell in enumerate(cells):
        left = GAP_PX + index % columns * (cell_px + GAP_PX)
        top = GAP_PX + index // columns * (cell_height + LABEL_PX + GAP_PX)
        if cell.path:
            with Image.open(cell.path) as small:
                small.thumbnail((cell_px, cell_height))
                canvas.paste(small, (left + (cell_px - small.width) // 2, top + (cell_height - small.height) // 2))
        else:
            draw.rectangle((left, top, left + cell_px - 1, top + cell_height - 1), outline=WARNING_INK)
            _write(draw, (left + 4, top + 4), cell.note or "missing", font, WARNING_INK, cell_px - 8)
        _write(draw, (left, top + cell_height + 2), cell.label, font, INK, cell_px)
    return canvas


def _size(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, font: Any, ink: tuple[int, ...], room: int
) -> None:
    """Draws one line of text, shortened to `room` pixels."""
    text = "".join(letter if letter.isprintable() else " " for letter in text[:200])
    while text and draw.textlength(text, font=font) > room:
        text = text[:-1]
    draw.text(at, text, fill=ink, font=font)


def _target(width: int, height: int, width_px: int) -> tuple[int, int]:
    scale = min(1.0, width_px / width, PREVIEW_SIDE_MAX / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _from_flat(picture: FlatImage, width_px: int) -> Image.Image:
    image = flat(picture.image)
    size = _target(image.width, image.height, width_px)
    image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0) if size != image.size else image
    if image.mode in ("RGBA", "LA"):
        ground = Image.new("RGBA", size, (*GROUND, 255))
        return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_exr(picture: ExrImage, width_px: int) -> Image.Image:
    index, planes = picture.beauty()
    part = picture.layout[index]
    size = _target(picture.width, picture.height, width_px)
    offset = part.window[0] - picture.display[0], part.window[1] - picture.display[1]
    small = {
        name: _shrink(_placed(plane, (picture.width, picture.height), offset), size) for name, plane in planes.items()
    }
    colour = np.stack([small[name] for name in ("RGB" if "R" in small else "YYY")], axis=-1)
    if "A" in small:
        ground = _linear(np.array(GROUND) / 255)
        colour = colour + (1.0 - np.clip(small["A"], 0.0, 1.0))[..., None] * ground
    return Image.fromarray(encode(colour))


def _placed(plane: Plane, size: tuple[int, int], offset: tuple[int, int]) -> npt.NDArray[np.float32]:
    """The data window's samples at their place in a display window of `size`; finite and not below zero."""
    values = np.nan_to_num(plane.astype(np.float32), nan=0.0, posinf=LINEAR_MAX, neginf=0.0)
    values = np.clip(values, 0.0, LINEAR_MAX)
    width, height = size
    left, top = offset
    if (left, top) == (0, 0) and values.shape == (height, width):
        return values
    placed = np.zeros((height, width), np.float32)
    rows, columns = values.shape
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + columns, width), min(top + rows, height)
    if x1 > x0 and y1 > y0:
        placed[y0:y1, x0:x1] = values[y0 - top : y1 - top, x0 - left : x1 - left]
    return placed


def _shrink(values: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Box-filtered, in linear light; a filter with negative lobes would ring around bright samples."""
    image = Image.fromarray(values)
    return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BOX))


def encode(linear: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """Linear light to sRGB bytes: identity up to `KNEE`, above it an exponential roll-off with the same slope."""
    room = 1.0 - KNEE
    rolled = KNEE + room * (1.0 - np.exp(-np.maximum(linear - KNEE, 0.0) / room))
    light = np.where(linear <= KNEE, np.maximum(linear, 0.0), rolled)
    curve = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    return np.clip(np.rint(curve * 255), 0, 255).astype(np.uint8)


def _linear(srgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)
