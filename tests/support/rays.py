"""Batches of single kernel calls, so that tests can ask many questions at once."""

from __future__ import annotations

import numpy as np
from numba import njit

from kernels.flags import KERNEL
from kernels.numbers import count_if, fma, hash_counter, scaled_lower, unit_upper
from kernels.sampling import turn
from kernels.vectors import tangents
from kernels.walk import make_stack, nearest, occluded


@njit(**KERNEL)
def trace_all(bvh, rays, reach, distances, triangles, blocked):
    stack = make_stack(bvh)
    for i in range(rays.shape[0]):
        origin = (rays[i, 0], rays[i, 1], rays[i, 2])
        direction = (rays[i, 3], rays[i, 4], rays[i, 5])
        distances[i], triangles[i] = nearest(bvh, stack, origin, direction, reach)
        blocked[i] = occluded(bvh, stack, origin, direction, reach)


@njit(**KERNEL)
def numbers_of(key, counters, hashes, units, choices, choice_count):
    even = np.int32(0)
    for i in range(counters.shape[0]):
        hashes[i] = hash_counter(key, counters[i])
        units[i] = unit_upper(hashes[i])
        choices[i] = scaled_lower(hashes[i], choice_count)
        even = count_if(even, hashes[i] % 2 == 0)
    return even


@njit(**KERNEL)
def fma_of(a, b, c, out):
    for i in range(a.shape[0]):
        out[i] = fma(a[i], b[i], c[i])


@njit(**KERNEL)
def frames_of(normals, angles, frames, turns):
    for i in range(normals.shape[0]):
        a, b = tangents((normals[i, 0], normals[i, 1], normals[i, 2]))
        turns[i, 0], turns[i, 1] = turn(angles[i])
        for k in range(3):
            frames[i, 0, k] = a[k]
            frames[i, 1, k] = b[k]


def trace(bvh, rays: np.ndarray, reach: float = 1e17) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(distances, triangles, blocked) of float32 rays (n, 6)."""
    distances, triangles = np.empty(len(rays), np.float32), np.empty(len(rays), np.int32)
    blocked = np.empty(len(rays), np.bool_)
    trace_all(bvh, np.ascontiguousarray(rays, np.float32), np.float32(reach), distances, triangles, blocked)
    return distances, triangles, blocked
