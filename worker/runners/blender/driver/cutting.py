"""Which pixels and which samples a part of a frame has, and how Blender is told. PURE."""

# pyright: basic

from __future__ import annotations

from worker.runners.blender.driver.refusals import Refused

Rect = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels from the top left; the end is not part of it."""


def tile_rect(tile: list[int] | None, width: int, height: int) -> Rect:
    """The pixels of tile [column, row, columns, rows]; without a tile, all of them."""
    if tile is None:
        return (0, 0, width, height)
    col, row, cols, rows = tile
    if cols > width or rows > height:
        raise Refused("too_many_tiles", cols=cols, rows=rows, width=width, height=height)
    return (col * width // cols, row * height // rows, (col + 1) * width // cols, (row + 1) * height // rows)


def sample_range(part: list[int] | None, total: int) -> tuple[int, int]:
    """First sample and number of samples of slice [index, count]; without a slice, all of them."""
    if part is None:
        return (0, total)
    index, count = part
    first = index * total // count
    return (first, (index + 1) * total // count - first)


def border(rect: Rect, width: int, height: int) -> tuple[float, float, float, float]:
    """Blender's render border for a rect: min x, max x, min y, max y in [0, 1] from the bottom left.

    Blender multiplies by the size in single precision and cuts off, which is one pixel short for some edges (251 of
    1000); half a pixel is added to every edge inside the frame, which cutting removes again.
    """
    x0, y0, x1, y1 = rect
    return (_edge(x0, width), _edge(x1, width), _edge(height - y1, height), _edge(height - y0, height))


def _edge(pixel: int, side: int) -> float:
    return pixel / side if pixel in (0, side) else (pixel + 0.5) / side
