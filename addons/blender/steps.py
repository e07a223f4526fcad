# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking Blender's data a little at a time, without holding on to anything in between.

Between two steps the artist may delete or undo what was just looked at, and an iterator of Blender's that is kept would
then read freed memory. So a collection is taken in slices by position; what changes meanwhile may be seen twice or not
at all, and whoever needs certainty looks again (`Assembly.still_true`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

SLICE = 96
"""Data-blocks of one step: well under a millisecond each time."""


def in_steps(collection: Callable[[], Any], look: Callable[[Any], None], size: int = SLICE) -> Iterator[None]:
    """Call `look` with everything in a collection, which is asked for anew at each step."""
    position = 0
    while True:
        some = collection()[position : position + size]
        for each in some:
            look(each)
        if len(some) < size:
            yield
            return
        position += size
        del some
        yield
