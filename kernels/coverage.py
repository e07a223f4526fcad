"""Which pixels and samples of a frame are there: boxes of columns × rows × samples that must not overlap.

Counting samples per pixel would not do: one slice twice and another missing gives the right count. Disjoint boxes whose
volumes add up to the frame's volume cover it exactly. Pure; nothing here knows pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    """Pixels [x0, x1) × [y0, y1), samples [s0, s1)."""

    x0: int
    y0: int
    x1: int
    y1: int
    s0: int
    s1: int

    @property
    def volume(self) -> int:
        """Pixels times samples."""
        return (self.x1 - self.x0) * (self.y1 - self.y0) * (self.s1 - self.s0)


def tile_rect(width: int, height: int, col: int, row: int, cols: int, rows: int) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) of tile (col, row) of cols × rows, as `scheduler.protocol.work.Tile` defines it."""
    return (
        col * width // cols,
        row * height // rows,
        (col + 1) * width // cols,
        (row + 1) * height // rows,
    )


def slice_range(samples: int, index: int, count: int) -> tuple[int, int]:
    """(s0, s1) of sample slice `index` of `count`; empty when there are more slices than samples."""
    return index * samples // count, (index + 1) * samples // count


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same boxes, in order, without empty ones, sample ranges of one rectangle joined where they touch."""
    ordered = sorted(part for part in parts if part.volume > 0)
    result: list[Part] = []
    for _, group in groupby(ordered, key=lambda part: part[:4]):
        first, *others = group
        for part in others:
            if part.s0 == first.s1:
                first = first._replace(s1=part.s1)
            else:
                result.append(first)
                first = part
        result.append(first)
    return tuple(result)


def overlap(parts: Sequence[Part]) -> tuple[Part, Part] | None:
    """Two boxes that share a sample of a pixel, or None."""
    boxes = np.array(parts, dtype=np.int64).reshape(-1, 6)
    low, high = boxes[:, [0, 1, 4]], boxes[:, [2, 3, 5]]
    for i in range(len(boxes) - 1):
        shared = np.all((low[i] < high[i + 1 :]) & (low[i + 1 :] < high[i]), axis=1)
        if shared.any():
            return parts[i], parts[i + 1 + int(np.argmax(shared))]
    return None


def missing(parts: Iterable[Part], width: int, height: int, samples: int) -> int:
    """Pixel samples that disjoint `parts` lack to a whole frame."""
    return width * height * samples - sum(part.volume for part in parts)
