"""The arithmetic of merging, against the slow and obvious."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.runners.blender.partials import Canvas, Partial, PartsWrong, check_whole, combine, from_meta, in_order


def partial(rect: list[int], ranges: list[list[int]], size: tuple[int, int] = (6, 4), total: int = 8) -> Partial:
    meta = {"width": size[0], "height": size[1], "rect": rect, "parts": [[*rect, ranges]], "total_samples": total}
    return from_meta({**meta, "passes": "combined", "blender": "3.4.1"})


def merge(parts: list[tuple[Partial, Any]]) -> tuple[Partial, Any]:
    whole = combine([item for item, _ in parts])
    canvas = Canvas(whole)
    for index in in_order(enumerate(item for item, _ in parts)):
        canvas.add(*parts[index])
    return whole, canvas.finish()


def noise(seed: int, height: int, width: int) -> Any:
    return np.random.default_rng(seed).uniform(-10, 1e4, (height, width)).astype(np.float32)


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
def test_tiles_are_laid_bit_for_bit(cols: int, rows: int, seed: int) -> None:
    picture = noise(seed, 4, 6)
    picture[0, 0] = np.float32("nan")
    parts: list[tuple[Partial, Any]] = []
    for row in range(rows):
        for col in range(cols):
            x0, y0, x1, y1 = col * 6 // cols, row * 4 // rows, (col + 1) * 6 // cols, (row + 1) * 4 // rows
            parts.append((partial([x0, y0, x1, y1], [[0, 8]]), picture[y0:y1, x0:x1]))
    random.Random(seed).shuffle(parts)
    whole, merged = merge(parts)
    check_whole(whole)
    assert merged.tobytes() == picture.tobytes()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any), st.integers(0, 99))
def test_slices_are_averaged_by_their_samples(counts: list[int], seed: int) -> None:
    total = sum(counts)
    parts: list[tuple[Partial, Any]] = []
    expected = np.zeros((4, 6))
    first = 0
    for index, count in enumerate(counts):
        plane = noise(seed + index, 4, 6)
        expected += plane.astype(np.float64) * count / total
        parts.append((partial([0, 0, 6, 4], [[first, count]], total=total), plane))
        first += count
    whole, merged = merge(parts)
    check_whole(whole)
    np.testing.assert_allclose(merged, expected, rtol=1e-6, atol=1e-3)
    shuffled = random.Random(seed).sample(parts, len(parts))
    assert merge(shuffled)[1].tobytes() == merged.tobytes(), "the order of arrival shows"


def test_levels_of_merging_make_the_same_picture() -> None:
    planes = [noise(seed, 4, 6) for seed in range(4)]
    parts = [(partial([0, 0, 6, 4], [[index * 2, 2]]), plane) for index, plane in enumerate(planes)]
    odd, even = merge(parts[1::2]), merge(parts[::2])
    assert odd[0].as_meta()["parts"] == [[0, 0, 6, 4, [[2, 2], [6, 2]]]]
    with pytest.raises(PartsWrong, match="Samples of some parts are missing"):
        check_whole(odd[0])
    again = (from_meta(odd[0].as_meta()), odd[1])
    whole, merged = merge([again, even])
    check_whole(whole)
    assert whole.as_meta()["parts"] == [[0, 0, 6, 4, [[0, 8]]]]
    np.testing.assert_allclose(merged, np.mean(planes, axis=0, dtype=np.float64), rtol=1e-6)


def test_a_level_of_tiles_keeps_to_its_own_bounds() -> None:
    left, middle = noise(1, 2, 2), noise(2, 2, 2)
    whole, merged = merge([(partial([2, 2, 4, 4], [[0, 8]]), middle), (partial([0, 2, 2, 4], [[0, 8]]), left)])
    assert whole.bounds == (0, 2, 4, 4)
    assert merged.tobytes() == np.hstack([left, middle]).tobytes()
    with pytest.raises(PartsWrong, match="Parts of the frame are missing"):
        check_whole(whole)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([], "nothing to merge"),
        ([partial([0, 0, 6, 4], [[0, 8]]), partial([0, 0, 6, 4], [[4, 4]])], "same samples"),
        ([partial([0, 0, 3, 4], [[0, 8]]), partial([2, 0, 6, 4], [[0, 8]])], "overlap"),
        ([partial([0, 0, 3, 4], [[0, 8]]), partial([3, 0, 6, 4], [[0, 8]], (6, 5))], "different size"),
        ([partial([0, 0, 3, 4], [[0, 8]]), partial([3, 0, 6, 4], [[0, 8]], total=9)], "different size or samples"),
    ],
)
def test_parts_that_do_not_fit(parts: list[Partial], words: str) -> None:
    with pytest.raises(PartsWrong, match=words):
        combine(parts)


@pytest.mark.parametrize(
    "change",
    [
        {"rect": [0, 0, 7, 4]},
        {"rect": [3, 0, 3, 4]},
        {"parts": "no"},
        {"width": None},
        {"parts": [[0, 0, 9, 9, [[0, 8]]]]},
    ],
)
def test_meta_that_describes_no_partial(change: dict[str, Any]) -> None:
    good = partial([0, 0, 6, 4], [[0, 8]]).as_meta()
    assert from_meta(good).as_meta() == good
    with pytest.raises(PartsWrong):
        from_meta({**good, **change})
