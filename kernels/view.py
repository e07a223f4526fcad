"""What a kernel is told about a frame: camera, size, sample positions, directions; and which block of it to render.

Arrays travel in named tuples, because kernels with two dozen arguments cannot be read. Cameras are made in `camera`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from kernels.flags import INLINED
from kernels.sampling import direction_sets, pixel_offsets
from kernels.vectors import ONE, Vector

F = np.float32
HALF = F(0.5)

FIXED_ONE = 1 << 18
"""1.0 in the accumulators' fixed point: 4096 samples of 1.0 still fit into 32 bits."""
FAR = 1e17
"""Farther than anything in a scene, in scene units; its square is still a float32."""


class View(NamedTuple):
    """One frame. `camera` float32 (4, 3): origin, right, up, forward; right and up scaled by tan(fov / 2).

    `offsets` float32 (samples, 2), `directions` float32 (sets, 3, rays), `levels` uint32 (rays + 1): the fixed-point
    value of each number of open rays; `reach` float32 in scene units; `seed` uint32.
    """

    camera: np.ndarray
    width: int
    height: int
    offsets: np.ndarray
    directions: np.ndarray
    levels: np.ndarray
    reach: np.float32
    seed: np.uint32


class Block(NamedTuple):
    """Pixels [x0, x1) × [y0, y1) and samples [s0, s1) of a frame, in accumulators whose corner is (left, top)."""

    left: int
    top: int
    x0: int
    y0: int
    x1: int
    y1: int
    s0: int
    s1: int


class Sampling(NamedTuple):
    """How a frame is sampled: camera rays per pixel, occlusion rays per camera ray and axis, reach, seed."""

    samples: int
    ao_side: int
    reach: float | None
    seed: int


def make_view(camera: np.ndarray, width: int, height: int, sampling: Sampling) -> View:
    """The view of one frame; `camera` as in `View`."""
    rays = sampling.ao_side**2
    levels = (np.arange(rays + 1) * FIXED_ONE + rays // 2) // rays
    return View(
        camera=np.ascontiguousarray(camera, dtype=np.float32),
        width=width,
        height=height,
        offsets=pixel_offsets(sampling.samples),
        directions=direction_sets(sampling.ao_side),
        levels=levels.astype(np.uint32),
        reach=np.float32(FAR if sampling.reach is None else min(sampling.reach, FAR)),
        seed=np.uint32(sampling.seed),
    )


@njit(**INLINED)
def camera_ray(view: View, x: float, y: float) -> Vector:
    """Unit direction through image position (x, y) in pixels from the top left; x and y are float32."""
    c = view.camera
    half = F(view.height) * HALF
    right = (x - F(view.width) * HALF) / half
    up = (half - y) / half
    dx = c[3, 0] + right * c[1, 0] + up * c[2, 0]
    dy = c[3, 1] + right * c[1, 1] + up * c[2, 1]
    dz = c[3, 2] + right * c[1, 2] + up * c[2, 2]
    scale = ONE / math.sqrt(dx * dx + dy * dy + dz * dz)
    return (dx * scale, dy * scale, dz * scale)
