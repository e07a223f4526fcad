"""A rough picture of a film that is being rendered: few pixels, taken in passing, made into a PNG elsewhere.

Blocks that are done hold all their samples; the others are dark or half done, and may change while they are copied,
which a progress picture may show.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from kernels.coverage import Part
from kernels.film import Film
from kernels.view import FIXED_ONE


def rough_picture(film: Film, part: Part, side_px: int) -> Callable[[], bytes]:
    """Copy every n-th pixel now, so that no side is longer than `side_px`; what is returned makes the PNG."""
    height, width = film.sums.shape[:2]
    step = max(1, -(-max(height, width) // side_px))
    sums = film.sums[::step, ::step].copy()
    samples = max(1, part.s1 - part.s0)

    def make() -> bytes:
        from PIL import Image

        from kernels.develop import display_bytes

        linear = (sums / (samples * FIXED_ONE)).astype(np.float32)
        out = io.BytesIO()
        Image.fromarray(display_bytes(linear)).save(out, format="PNG", compress_level=1)
        return out.getvalue()

    return make
