# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking Blender's data a little at a time, without holding on to anything in between.

Between two steps the artist may delete or undo what was just looked at, and an iterator of Blender's that is kept would
then read freed memory. So a collection is taken in slices by position; what changes meanwhile may be seen twice or not
at all, and whoever needs certainty looks again (`Assembly.still_true`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .outfield_core.flow import Budget

SLICE = 256
"""Data-blocks taken at once: finding the place where a slice begins costs time of its own."""

LOOKS = 16
"""Data-blocks between two looks at the clock."""


def in_steps(collection: Callable[[], Any], look: Callable[[Any], None], budget: Budget) -> Iterator[None]:
    """Call `look` with everything in a collection, which is asked for anew after each pause."""
    position = 0
    while True:
        seen, whole = _some(collection()[position : position + SLICE], look, budget)
        position += seen
        if whole and seen < SLICE:
            return
        if budget.spent:
            yield


def _some(blocks: Any, look: Callable[[Any], None], budget: Budget) -> tuple[int, bool]:
    """How many were looked at, and whether that was all of them."""
    for count, each in enumerate(blocks, 1):
        look(each)
        if count % LOOKS == 0 and budget.spent:
            return count, count == len(blocks)
    return len(blocks), True
