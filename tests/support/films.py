"""Films rendered straight by the kernels, in one call or in many."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kernels.coverage import Part
from kernels.film import Film, count_samples, empty_film
from kernels.view import Block, View

Render = Callable[[np.ndarray, np.ndarray, Block, View], None]


def film_of(render: Render, view: View, part: Part, channels: int, blocks: list[Part] | None = None) -> Film:
    """The film of `part`, rendered as one block or as `blocks`, which must cover it."""
    film = empty_film(part[:4], channels)
    for b in blocks or [part]:
        render(film.sums, film.squares, Block(part.x0, part.y0, b.x0, b.y0, b.x1, b.y1, b.s0, b.s1), view)
    count_samples(film, part)
    return film


def same_film(a: Film, b: Film) -> bool:
    """Equal to the last bit."""
    return a.rect == b.rect and all(
        np.array_equal(x, y) for x, y in ((a.sums, b.sums), (a.squares, b.squares), (a.counts, b.counts))
    )
