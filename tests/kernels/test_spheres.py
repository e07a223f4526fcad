"""The built-in scene against a slow float64 oracle, and against itself cut into blocks."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest
from films import film_of, same_film

from kernels.camera import look_at, orbited
from kernels.coverage import Part
from kernels.film import linear_picture, noise
from kernels.spheres import render_spheres
from kernels.view import Sampling, View, make_view

ORIGIN, TARGET, UP = (0.0, 0.0, 0.0), (0.0, 0.0, -3.0), (0.0, 1.0, 0.0)


def view(width: int, height: int, sampling: Sampling) -> View:
    return make_view(look_at(ORIGIN, TARGET, UP, 1.0), width, height, sampling)


def picture(v: View) -> np.ndarray:
    part = Part(0, 0, v.width, v.height, 0, len(v.offsets))
    return linear_picture(film_of(render_spheres, v, part, 1))[:, :, 0]


def test_mean_and_every_region_agree_with_the_oracle() -> None:
    mine = picture(view(96, 96, Sampling(4, 8, None, 3)))
    oracle = naive.aobench(96, 96, 2, 8)
    assert mine.mean() == pytest.approx(oracle.mean(), abs=0.002)
    regions = lambda image: image.reshape(12, 8, 12, 8).mean(axis=(1, 3))  # noqa: E731
    assert np.abs(regions(mine) - regions(oracle)).max() < 0.02
    assert ((mine == 0) == (oracle == 0)).all()  # the same pixels see nothing


def test_wide_images_keep_their_aspect() -> None:
    mine = picture(view(80, 32, Sampling(4, 6, None, 3)))
    assert mine.mean() == pytest.approx(naive.aobench(80, 32, 2, 8).mean(), abs=0.004)


@pytest.mark.parametrize("reach", [0.2, 0.7, 2.0])
def test_reach_agrees_with_the_oracle(reach: float) -> None:
    mine = picture(view(48, 48, Sampling(4, 8, reach, 1)))
    assert mine.mean() == pytest.approx(naive.aobench(48, 48, 2, 8, reach=reach).mean(), abs=0.002)


def test_error_falls_with_rays_and_is_known() -> None:
    coarse, fine = (
        film_of(render_spheres, view(48, 48, Sampling(4, side, None, 2)), Part(0, 0, 48, 48, 0, 4), 1)
        for side in (2, 16)
    )
    assert np.abs(linear_picture(coarse) - linear_picture(fine)).mean() < 0.05
    coarse_noise, fine_noise = noise(coarse), noise(fine)
    assert coarse_noise is not None
    assert fine_noise is not None
    assert fine_noise < coarse_noise


def test_seeds_differ_and_do_not_shift_the_mean() -> None:
    pictures = [picture(view(64, 64, Sampling(4, 4, None, seed))) for seed in range(6)]
    assert not np.array_equal(pictures[0], pictures[1])
    means = [image.mean() for image in pictures]
    assert max(means) - min(means) < 0.002


@pytest.mark.parametrize("size", [(61, 37), (16, 5), (1, 1), (17, 3)])
def test_blocks_do_not_show(size: tuple[int, int]) -> None:
    v = view(*size, Sampling(5, 3, None, 7))
    part = Part(0, 0, *size, 0, 5)
    cut_x, cut_y = size[0] // 3, size[1] // 2
    blocks = [
        Part(x0, y0, x1, y1, s0, s1)
        for s0, s1 in ((3, 5), (0, 3))
        for x0, x1 in ((cut_x, size[0]), (0, cut_x))
        for y0, y1 in ((0, cut_y), (cut_y, size[1]))
    ]
    assert same_film(film_of(render_spheres, v, part, 1), film_of(render_spheres, v, part, 1, blocks))


def test_a_camera_that_turned_once_around_sees_the_same() -> None:
    half = math.tan(math.radians(45))
    around = look_at(orbited(ORIGIN, TARGET, UP, 360.0), TARGET, UP, half)
    turned = look_at(orbited(ORIGIN, TARGET, UP, 90.0), TARGET, UP, half)
    sampling = Sampling(4, 4, None, 1)
    still = picture(view(48, 48, sampling))
    assert np.abs(picture(make_view(around, 48, 48, sampling)) - still).mean() < 0.01
    assert np.abs(picture(make_view(turned, 48, 48, sampling)) - still).mean() > 0.02


def test_from_below_the_floor_is_lit_from_its_own_side() -> None:
    camera = look_at((0.0, -2.0, -3.0), (0.0, 0.0, -3.0), (0.0, 0.0, -1.0), 0.5)
    assert (picture(make_view(camera, 16, 16, Sampling(1, 4, None, 1))) == 1).all()
