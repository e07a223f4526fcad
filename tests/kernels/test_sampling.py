"""Sample positions, direction sets and the frames they are turned in."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest
import rays

from kernels.sampling import direction_sets, pixel_offsets


def test_square_counts_give_the_grid_of_aobench() -> None:
    assert pixel_offsets(4).tolist() == [[0, 0], [0.5, 0], [0, 0.5], [0.5, 0.5]]
    assert pixel_offsets(1).tolist() == [[0, 0]]


@pytest.mark.parametrize("count", [2, 3, 5, 37, 1000])
def test_other_counts_spread_evenly(count: int) -> None:
    offsets = pixel_offsets(count)
    assert offsets.shape == (count, 2)
    assert offsets.min() >= 0
    assert offsets.max() < 1
    assert len(np.unique(offsets, axis=0)) == count
    for axis in range(2):
        cells = np.bincount((offsets[:, axis] * 4).astype(int), minlength=4)
        assert cells.max() - cells.min() <= max(3, count // 50)


@pytest.mark.parametrize("side", [1, 2, 3, 8, 16, 64])
def test_directions_are_cosine_distributed(side: int) -> None:
    table = direction_sets(side).astype(np.float64)
    assert table.shape[1:] == (3, side * side)
    x, y, z = (table[:, axis].ravel() for axis in range(3))
    assert np.allclose(x * x + y * y + z * z, 1, atol=1e-6)
    assert z.min() >= 0
    assert z.mean() == pytest.approx(2 / 3, abs=2e-4)  # E[cos θ] under the density cos θ / π
    assert x.mean() == pytest.approx(0, abs=3e-3)
    assert y.mean() == pytest.approx(0, abs=3e-3)
    elevation = np.bincount(((x * x + y * y) * 16).astype(int).clip(0, 15), minlength=16)
    azimuth = np.bincount(((np.arctan2(y, x) / (2 * math.pi) % 1) * 16).astype(int).clip(0, 15), minlength=16)
    assert naive.chi_squared(elevation) < 3
    assert naive.chi_squared(azimuth) < 3


def test_each_set_is_stratified() -> None:
    side = 8
    for x, y, _ in direction_sets(side)[::7].astype(np.float64):
        rows = ((x * x + y * y) * side).astype(int)
        columns = ((np.arctan2(y, x) / (2 * math.pi) % 1) * side).astype(int)
        assert len(set(zip(rows, columns, strict=True))) == side * side


def test_tangents_are_orthonormal_and_turns_are_on_the_circle() -> None:
    normals = np.random.default_rng(3).normal(size=(1000, 3))
    normals = np.concatenate([normals / np.linalg.norm(normals, axis=1)[:, None], np.eye(3), -np.eye(3)])
    angles = np.linspace(0, 1, len(normals), endpoint=False).astype(np.float32)
    frames, turns = np.empty((len(normals), 2, 3), np.float32), np.empty((len(normals), 2), np.float32)
    rays.frames_of(normals.astype(np.float32), angles, frames, turns)
    a, b = frames[:, 0].astype(float), frames[:, 1].astype(float)
    for p, q, product in ((a, a, 1), (b, b, 1), (a, b, 0), (a, normals, 0), (b, normals, 0)):
        assert np.allclose((p * q).sum(1), product, atol=1e-6)
    turned = 2 * math.pi * angles.astype(float) + math.pi
    assert np.allclose(turns, np.stack([np.cos(turned), np.sin(turned)], 1), atol=2e-6)
