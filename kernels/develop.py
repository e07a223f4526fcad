"""From linear light to what a screen shows: backdrop, sRGB curve, 8 bits. Deterministic, on the host.

IEC 61966-2-1 defines the curve.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

BACKDROP = 0.86
"""Linear grey behind meshes in formats without coverage: a light studio wall, not a hole."""

_CURVE_STEPS = 65_535


@lru_cache(maxsize=1)
def _curve() -> np.ndarray:
    """uint8 (65536) sRGB value of each 16-bit linear value."""
    linear = np.arange(_CURVE_STEPS + 1) / _CURVE_STEPS
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)


def srgb_bytes(linear: np.ndarray) -> np.ndarray:
    """uint8 sRGB of linear values; below 0 and above 1 is clipped."""
    steps = np.rint(np.clip(linear, 0.0, 1.0) * np.float32(_CURVE_STEPS)).astype(np.uint16)
    return _curve()[steps]


def colour_channels(picture: np.ndarray) -> np.ndarray:
    """float32 (h, w, 3 or 4) of a picture with 1 or 4 channels: grey is repeated, coverage stays."""
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def display_bytes(picture: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) sRGB of a linear picture with 1 or 4 channels; coverage is filled up with the backdrop."""
    if picture.shape[2] == 1:
        return np.repeat(srgb_bytes(picture), 3, axis=2)
    return srgb_bytes(picture[:, :, :3] + np.float32(BACKDROP) * (1 - picture[:, :, 3:]))


def linear_values(encoded: np.ndarray) -> np.ndarray:
    """Linear float64 in [0, 1] of 8-bit sRGB values: the curve's inverse."""
    value = encoded.astype(np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
