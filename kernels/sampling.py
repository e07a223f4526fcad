"""Where rays start in a pixel and where they go over a surface: sample positions and cosine-weighted directions.

Directions are tabulated in sets. A camera ray picks a set by its hash and turns it about the normal by a hashed angle
(interleaved sampling, Keller and Heidrich 2001), so the inner loop over occlusion rays computes no random number and no
sine at all. Within a set directions are stratified; the sets together stratify each stratum once more.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.flags import INLINED
from kernels.vectors import ONE, ZERO, Vector

F = np.float32
HALF = F(0.5)

DIRECTIONS_TABLE = 4096
"""Directions in the table, 12 bytes each, so that it stays in a core's first cache levels."""
SETS_MIN = 4

_PLASTIC = 1.32471795724474602596


def pixel_offsets(count: int) -> np.ndarray:
    """Positions of `count` samples in a pixel: float32 (count, 2) of x and y in [0, 1).

    A square number gives the regular grid of the public aobench, row by row. Any other gives the R2 sequence of Martin
    Roberts, "The unreasonable effectiveness of quasirandom sequences" (2018).
    """
    side = math.isqrt(count)
    if side * side == count:
        cells = np.arange(count)
        return np.stack([(cells % side) / side, (cells // side) / side], axis=1).astype(np.float32)
    steps = np.arange(count, dtype=np.float64)[:, None] * np.array([1 / _PLASTIC, 1 / _PLASTIC**2])
    return np.minimum((0.5 + steps) % 1.0, 1.0 - 2.0**-24).astype(np.float32)


def direction_sets(side: int) -> np.ndarray:
    """Sets of `side`² directions over the hemisphere about z: float32 (sets, 3, side²), contiguous per coordinate.

    Density is cos θ / π. Direction j lies in stratum (j // side, j % side) of (sin² θ, φ / 2π).
    """
    rays = side * side
    sets = max(SETS_MIN, DIRECTIONS_TABLE // rays)
    cells = np.arange(rays)
    elevation = (cells // side + (_permutations(2, rays, sets) + 0.5) / sets) / side
    azimuth = (cells % side + (_permutations(3, rays, sets) + 0.5) / sets) * (2 * math.pi / side)
    radius = np.sqrt(elevation)
    table = np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), np.sqrt(1 - elevation)], axis=1)
    return np.ascontiguousarray(table, dtype=np.float32)


def hash_array(counters: np.ndarray, key: int) -> np.ndarray:
    """`kernels.numbers.hash_counter` on the host: uint32 hashes of `key` + `counters`."""
    x = counters.astype(np.uint32) + np.uint32(key)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def _permutations(key: int, columns: int, length: int) -> np.ndarray:
    """One permutation of range(length) per column, by hash: the same on every machine and NumPy version."""
    counters = np.arange(columns * length, dtype=np.uint32)
    hashes = hash_array(counters, key << 24).reshape(columns, length)
    return np.argsort(hashes, axis=1, kind="stable").T


@njit(**INLINED)
def sin_half_turn(f: float) -> float:
    """sin(π f) for f in [0, 1/2] within 1e-6; a call to `sin` would stop the loop from vectorising."""
    f2 = f * f
    return f * (F(3.14158202) + f2 * (F(-5.1671428) + f2 * (F(2.54189906) + f2 * F(-0.55463626))))


@njit(**INLINED)
def turn(u: float) -> tuple[float, float]:
    """(cos, sin) of the angle 2π u + π, u in [0, 1), without a branch."""
    q = u + u - ONE
    folded = abs(q)
    flipped = folded > HALF
    f = ONE - folded if flipped else folded
    sine = sin_half_turn(f)
    cosine = sin_half_turn(HALF - f)
    return -cosine if flipped else cosine, sine if q >= ZERO else -sine


@njit(**INLINED)
def turned(a: Vector, b: Vector, u: float) -> tuple[Vector, Vector]:
    """The orthonormal pair (a, b) turned in its own plane by an angle that u in [0, 1) picks."""
    c, s = turn(u)
    return (
        (c * a[0] + s * b[0], c * a[1] + s * b[1], c * a[2] + s * b[2]),
        (c * b[0] - s * a[0], c * b[1] - s * a[1], c * b[2] - s * a[2]),
    )
