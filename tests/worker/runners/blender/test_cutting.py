"""Tiles and slices cover a frame once, and the border meets the right pixels in Blender's single precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.runners.blender.driver.cutting import border, sample_range, tile_rect
from worker.runners.blender.driver.refusals import Refused

SIDES = st.integers(1, 16_384)


@given(SIDES, SIDES, st.data())
def test_blender_cuts_off_to_the_very_pixels(width: int, height: int, data: st.DataObject) -> None:
    x0 = data.draw(st.integers(0, width - 1))
    x1 = data.draw(st.integers(x0 + 1, width))
    y0 = data.draw(st.integers(0, height - 1))
    y1 = data.draw(st.integers(y0 + 1, height))
    low_x, high_x, low_y, high_y = (np.float32(edge) for edge in border((x0, y0, x1, y1), width, height))
    found = [int(np.float32(low_x * np.float32(width))), int(np.float32(high_x * np.float32(width)))]
    found += [int(np.float32(low_y * np.float32(height))), int(np.float32(high_y * np.float32(height)))]
    assert found == [x0, x1, height - y1, height - y0]


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 12), st.integers(1, 12))
def test_tiles_cover_the_frame_once(width: int, height: int, cols: int, rows: int) -> None:
    seen = np.zeros((height, width), int)
    if cols > width or rows > height:
        with pytest.raises(Refused):
            tile_rect([0, 0, cols, rows], width, height)
        return
    for row in range(rows):
        for col in range(cols):
            x0, y0, x1, y1 = tile_rect([col, row, cols, rows], width, height)
            seen[y0:y1, x0:x1] += 1
    assert (seen == 1).all()


@given(st.integers(1, 5000), st.integers(1, 64))
def test_slices_cover_the_samples_once(total: int, count: int) -> None:
    ranges = [sample_range([index, count], total) for index in range(count)]
    assert [first for first, _ in ranges] == [sum(n for _, n in ranges[:i]) for i in range(count)]
    assert sum(n for _, n in ranges) == total


def test_no_part_is_the_whole() -> None:
    assert tile_rect(None, 64, 36) == (0, 0, 64, 36)
    assert sample_range(None, 128) == (0, 128)
    assert border((0, 0, 64, 36), 64, 36) == (0.0, 1.0, 0.0, 1.0)
