"""Parts and wholes: whatever the cut and the order of merging, the same bits."""

from __future__ import annotations

import random

import numpy as np
import pytest
from films import film_of, same_film
from hypothesis import given
from hypothesis import strategies as st

from kernels.camera import look_at
from kernels.coverage import Part, joined, missing, overlap, slice_range, tile_rect
from kernels.film import Film, add_film, bounding_rect, empty_film, linear_picture, noise
from kernels.spheres import render_spheres
from kernels.view import FIXED_ONE, Sampling, View, make_view

Cut = tuple[int, int, int]


def parts_of(width: int, height: int, samples: int, cut: Cut) -> list[Part]:
    cols, rows, slices = cut
    return [
        Part(*tile_rect(width, height, col, row, cols, rows), *slice_range(samples, index, slices))
        for col in range(cols)
        for row in range(rows)
        for index in range(slices)
    ]


def merged(films: list[Film]) -> Film:
    total = empty_film(bounding_rect([film.rect for film in films]), films[0].channels)
    for film in films:
        add_film(total, film)
    return total


def merged_in_any_order(films: list[Film], rng: random.Random) -> Film:
    """Merges random handfuls until one film is left."""
    while len(films) > 1:
        rng.shuffle(films)
        count = rng.randint(2, min(4, len(films)))
        films = [*films[count:], merged(films[:count])]
    return films[0]


def small_view(width: int, height: int, samples: int) -> View:
    camera = look_at((0.0, 0.0, 0.0), (0.0, 0.0, -3.0), (0.0, 1.0, 0.0), 1.0)
    return make_view(camera, width, height, Sampling(samples, 2, None, 11))


cuts = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))


@given(st.integers(1, 33), st.integers(1, 17), st.integers(1, 5), cuts, st.randoms(use_true_random=False))
def test_a_frame_has_the_same_bits_however_it_was_split(
    width: int, height: int, samples: int, cut: Cut, rng: random.Random
) -> None:
    view = small_view(width, height, samples)
    whole = film_of(render_spheres, view, Part(0, 0, width, height, 0, samples), 1)
    parts = [part for part in parts_of(width, height, samples, cut) if part.volume]
    assert same_film(merged_in_any_order([film_of(render_spheres, view, part, 1) for part in parts], rng), whole)


def test_an_odd_sized_frame_too() -> None:
    """1000 × 251 in 3 × 2 tiles and 3 slices of 4 samples."""
    view = small_view(1000, 251, 4)
    whole = film_of(render_spheres, view, Part(0, 0, 1000, 251, 0, 4), 1)
    films = [film_of(render_spheres, view, part, 1) for part in parts_of(1000, 251, 4, (3, 2, 3))]
    assert same_film(merged_in_any_order(films, random.Random(1)), whole)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 40), cuts, st.randoms(use_true_random=False))
def test_parts_of_a_cut_cover_the_frame_exactly(
    width: int, height: int, samples: int, cut: Cut, rng: random.Random
) -> None:
    parts = parts_of(width, height, samples, cut)
    rng.shuffle(parts)
    whole = joined(parts)
    assert overlap(whole) is None
    assert missing(whole, width, height, samples) == 0
    assert joined([*whole[: len(whole) // 2], *whole[len(whole) // 2 :]]) == whole
    solid = [part for part in parts if part.volume]
    assert missing(joined(solid[1:]), width, height, samples) == solid[0].volume
    assert overlap(joined([*parts, solid[0]])) is not None


def test_overlap_names_the_parts_that_clash() -> None:
    first, second = Part(0, 0, 4, 4, 0, 2), Part(3, 3, 6, 6, 1, 3)
    assert overlap([first, second]) == (first, second)
    assert overlap([first, second._replace(s0=2)]) is None
    assert overlap([first, second._replace(x0=4)]) is None


def test_slices_join_but_tiles_do_not() -> None:
    assert joined([Part(0, 0, 2, 2, 3, 5), Part(0, 0, 2, 2, 0, 3), Part(0, 0, 2, 2, 5, 5)]) == (Part(0, 0, 2, 2, 0, 5),)
    assert len(joined([Part(0, 0, 2, 2, 0, 1), Part(2, 0, 4, 2, 0, 1)])) == 2


def test_sums_do_not_overflow_at_the_largest_sample_count() -> None:
    film = empty_film((0, 0, 1, 1), 1)
    one = Film(
        film.rect, film.sums + np.uint32(FIXED_ONE), film.squares + np.uint64(FIXED_ONE**2), film.counts + np.uint16(1)
    )
    for _ in range(4096):
        add_film(film, one)
    assert linear_picture(film)[0, 0, 0] == 1
    assert film.counts[0, 0] == 4096
    assert noise(film) == pytest.approx(0, abs=1e-9)


def test_picture_divides_each_pixel_by_its_own_count() -> None:
    film = empty_film((0, 0, 3, 1), 1)
    film.sums[0, :, 0] = FIXED_ONE * np.array([1, 1, 0])
    film.counts[0] = (1, 4, 0)
    assert linear_picture(film)[0, :, 0].tolist() == [1, 0.25, 0]


def test_noise_is_the_standard_error() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((4000, 1, 16))
    steps = np.rint(values * FIXED_ONE).astype(np.uint64)
    film = Film(
        (0, 0, 1, 4000),
        steps.sum(2, keepdims=True).astype(np.uint32),
        (steps**2).sum(2),
        np.full((4000, 1), 16, np.uint16),
    )
    assert noise(film) == pytest.approx((1 / 12 / 16) ** 0.5, rel=0.02)
    assert noise(empty_film((0, 0, 2, 2), 1)) is None
