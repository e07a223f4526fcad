"""Accumulators of a frame, or of a part of one, and how parts become a whole.

Everything is an integer, so addition is exact: a frame is bit-identical however it was cut into tiles and sample slices
and in whatever order the parts arrive. `coverage` knows which parts are there; `develop` makes a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.coverage import Part
from kernels.view import FIXED_ONE


@dataclass(frozen=True)
class Film:
    """Pixels [x0, x1) × [y0, y1) of a frame, `rect` being (x0, y0, x1, y1).

    `sums` uint32 (h, w, channels) and `squares` uint64 (h, w) in fixed point (`FIXED_ONE`), `counts` uint16 (h, w).
    """

    rect: tuple[int, int, int, int]
    sums: np.ndarray
    squares: np.ndarray
    counts: np.ndarray

    @property
    def channels(self) -> int:
        """1 for grey, 4 for red, green, blue and coverage."""
        return int(self.sums.shape[2])


def empty_film(rect: tuple[int, int, int, int], channels: int) -> Film:
    """A film without a single sample."""
    x0, y0, x1, y1 = rect
    height, width = y1 - y0, x1 - x0
    return Film(
        rect,
        np.zeros((height, width, channels), np.uint32),
        np.zeros((height, width), np.uint64),
        np.zeros((height, width), np.uint16),
    )


def bounding_rect(rects: list[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    """The smallest rectangle that holds all `rects` (at least one)."""
    x0, y0, x1, y1 = zip(*rects, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def add_film(total: Film, part: Film) -> None:
    """Adds `part` to `total` in place; its rectangle lies inside `total`'s. One pass per array, no temporaries."""
    x0, y0, x1, y1 = part.rect
    rows = slice(y0 - total.rect[1], y1 - total.rect[1])
    columns = slice(x0 - total.rect[0], x1 - total.rect[0])
    for mine, other in (
        (total.sums, part.sums),
        (total.squares, part.squares),
        (total.counts, part.counts),
    ):
        np.add(mine[rows, columns], other, out=mine[rows, columns])


def count_samples(film: Film, part: Part) -> None:
    """Notes that the samples of `part` have been added to its pixels."""
    rows = slice(part.y0 - film.rect[1], part.y1 - film.rect[1])
    columns = slice(part.x0 - film.rect[0], part.x1 - film.rect[0])
    film.counts[rows, columns] += np.uint16(part.s1 - part.s0)


def linear_picture(film: Film) -> np.ndarray:
    """Mean of the samples: float32 (h, w, channels), 0 where there is no sample. Computed in float64, rounded once."""
    counts = film.counts
    picture = np.empty(film.sums.shape, np.float32)
    if counts.size and counts.min() == counts.max():
        weights = np.float64(1) / (max(int(counts[0, 0]), 1) * FIXED_ONE)
    else:
        weights = (np.float64(1) / (np.maximum(counts, 1).astype(np.float64) * FIXED_ONE))[:, :, None]
    return np.multiply(film.sums, weights, out=picture, dtype=np.float64, casting="unsafe")


def noise(film: Film) -> float | None:
    """Root mean square over the pixels of the standard error of the mean; None below two samples per pixel."""
    counts = film.counts.astype(np.float64)
    if film.counts.size == 0 or film.counts.min() < 2:
        return None
    colours = film.sums[:, :, : min(film.channels, 3)]
    mean = colours.mean(axis=2, dtype=np.float64) / counts
    variance = np.maximum(film.squares / counts - mean * mean, 0.0) * (counts / (counts - 1))
    return float(np.sqrt(np.mean(variance / counts)) / FIXED_ONE)
