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


def coalesced(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same disjoint boxes as fewer and larger ones: joined along x, then y, then the samples."""
    boxes = [part for part in parts if part.volume > 0]
    for low in ("x0", "y0", "s0"):
        boxes = _joined_along(boxes, low)
    return tuple(sorted(boxes))


def _joined_along(boxes: list[Part], low: str) -> list[Part]:
    """Boxes that touch along one axis and agree in the others become one. `low` is the axis's lower bound."""
    high = low[0] + "1"

    def others(box: Part) -> tuple[int, ...]:
        return tuple(getattr(box, name) for name in Part._fields if name not in (low, high))

    result: list[Part] = []
    for box in sorted(boxes, key=lambda box: (others(box), getattr(box, low))):
        if result and others(result[-1]) == others(box) and getattr(result[-1], high) == getattr(box, low):
            result[-1] = result[-1]._replace(**{high: getattr(box, high)})
        else:
            result.append(box)
    return result


def remainder(whole: Part, done: Iterable[Part]) -> tuple[Part, ...]:
    """Disjoint boxes that together are `whole` without `done`; parts of `done` outside of `whole` do not matter."""
    left = [whole] if whole.volume > 0 else []
    for hole in done:
        left = [piece for box in left for piece in _without(box, hole)]
    return coalesced(left)


def _without(box: Part, hole: Part) -> list[Part]:
    """At most six boxes: what lies before and behind `hole` along each axis in turn."""
    pieces: list[Part] = []
    for low, high in (("y0", "y1"), ("x0", "x1"), ("s0", "s1")):
        begin, end = getattr(box, low), getattr(box, high)
        first, last = max(begin, getattr(hole, low)), min(end, getattr(hole, high))
        if first >= last:
            return [*pieces, box]
        pieces.append(box._replace(**{low: begin, high: first}))
        pieces.append(box._replace(**{low: last, high: end}))
        box = box._replace(**{low: first, high: last})
    return [piece for piece in pieces if piece.volume > 0]


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
