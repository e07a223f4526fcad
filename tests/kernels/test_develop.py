"""From linear light to 8 bits and back."""

from __future__ import annotations

import naive
import numpy as np

from kernels.develop import BACKDROP, colour_channels, display_bytes, linear_values, srgb_bytes


def test_srgb_agrees_with_the_formula() -> None:
    values = np.concatenate([np.linspace(0, 1, 5000), [-1.0, 2.0, 0.0031308, 1e-9]]).astype(np.float32)
    wanted = np.array([naive.srgb(float(v)) for v in values])
    assert np.abs(srgb_bytes(values).astype(int) - wanted).max() <= 1
    assert (srgb_bytes(values) == wanted).mean() > 0.995


def test_all_256_levels_survive_the_round_trip() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(srgb_bytes(linear_values(levels)), levels)


def test_coverage_is_filled_with_the_backdrop() -> None:
    picture = np.zeros((1, 3, 4), np.float32)
    picture[0, 1] = (0.2, 0.1, 0.05, 1)
    picture[0, 2] = (0.1, 0.05, 0.025, 0.5)
    shown = display_bytes(picture)
    assert shown[0, 0].tolist() == [naive.srgb(BACKDROP)] * 3
    assert shown[0, 1].tolist() == [naive.srgb(c) for c in (0.2, 0.1, 0.05)]
    assert shown[0, 2].tolist() == [naive.srgb(c + BACKDROP / 2) for c in (0.1, 0.05, 0.025)]


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.array([[[0.25], [1.0]]], np.float32)
    assert colour_channels(grey).shape == (1, 2, 3)
    assert display_bytes(grey)[0, 1].tolist() == [255, 255, 255]
