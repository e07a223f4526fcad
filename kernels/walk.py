"""Rays through a hierarchy: the nearest triangle, or whether anything is in the way.

A walk keeps its open nodes on a stack of `Bvh.stack` entries: each node on the way down leaves at most seven siblings
behind, so the stack cannot overflow, whatever the ray.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from kernels.bvh import BLOCK_FLOATS, CHILDREN, NODE_FLOATS, Bvh
from kernels.flags import INLINED, KERNEL
from kernels.lanes import FAR_PLANE_BYTES, LANES, PLANE_BYTES, box_hits, lowest_lane, triangle_hits
from kernels.vectors import ONE, ZERO, Vector

F = np.float32
NODE_BYTES = 4 * NODE_FLOATS
BLOCK_BYTES = 4 * BLOCK_FLOATS
NO_TRIANGLE = -1

STEEPEST = F(1e-18)
"""Smaller direction components count as this: 1 / 0 would make 0 · ∞, and NaN passes every box."""


class Stack(NamedTuple):
    """A walk's memory: open `links` int32 with their `entries` float32, and 8 `lanes` float32 for test results."""

    links: np.ndarray
    entries: np.ndarray
    lanes: np.ndarray


@njit(**KERNEL)
def make_stack(bvh: Bvh) -> Stack:
    """Memory for walks through `bvh`, one at a time."""
    return Stack(np.empty(bvh.stack, np.int32), np.empty(bvh.stack, np.float32), np.empty(LANES, np.float32))


@njit(**INLINED)
def reciprocal(x: float) -> float:
    """1 / x, finite for every x."""
    if abs(x) < STEEPEST:
        x = STEEPEST if x >= ZERO else -STEEPEST
    return ONE / x


@njit(**INLINED)
def near_offset(inverse: float) -> int:
    """Where the planes that a ray meets first lie in a node."""
    return 0 if inverse >= ZERO else FAR_PLANE_BYTES


class Ray(NamedTuple):
    """A ray as the tests want it: `near` plane offsets and `inverse` direction for boxes; for triangles the byte
    offsets of three `axes`, dominant last, with the origin in that order (`start`) and the `shear` along them."""

    near: tuple[int, int, int]
    inverse: Vector
    axes: tuple[int, int, int]
    start: Vector
    shear: Vector


@njit(**INLINED)
def component(vector: Vector, axis: int) -> float:
    """One of a vector's three numbers."""
    return vector[0] if axis == 0 else (vector[1] if axis == 1 else vector[2])


@njit(**INLINED)
def make_ray(origin: Vector, direction: Vector) -> Ray:
    """What is computed once per ray."""
    x, y, z = abs(direction[0]), abs(direction[1]), abs(direction[2])
    last = 0 if (x >= y) & (x >= z) else (1 if y >= z else 2)
    first = 0 if last == 2 else last + 1
    second = 3 - first - last
    inverse = (reciprocal(direction[0]), reciprocal(direction[1]), reciprocal(direction[2]))
    scale = component(inverse, last)
    return Ray(
        (near_offset(inverse[0]), near_offset(inverse[1]), near_offset(inverse[2])),
        inverse,
        (first * PLANE_BYTES, second * PLANE_BYTES, last * PLANE_BYTES),
        (component(origin, first), component(origin, second), component(origin, last)),
        (component(direction, first) * scale, component(direction, second) * scale, scale),
    )


@njit(**KERNEL)
def nearest(bvh: Bvh, stack: Stack, origin: Vector, direction: Vector, reach: float) -> tuple[float, int]:
    """(distance, triangle) of the nearest hit in (0, reach), or (reach, -1)."""
    ray = make_ray(origin, direction)
    nodes, blocks, lanes = bvh.nodes.ctypes.data, bvh.blocks.ctypes.data, stack.lanes.ctypes.data
    found = np.int32(NO_TRIANGLE)
    stack.links[0], stack.entries[0] = 0, ZERO
    top = 1
    while top > 0:
        top -= 1
        link = stack.links[top]
        if stack.entries[top] > reach:
            continue
        if link < 0:
            mask = triangle_hits(blocks + ~link * BLOCK_BYTES, ray.start, ray.axes, ray.shear, reach, lanes)
            while mask != 0:
                lane = lowest_lane(mask)
                mask &= mask - 1
                if stack.lanes[lane] < reach:
                    reach = stack.lanes[lane]
                    found = bvh.triangles[~link, lane]
            continue
        mask = box_hits(nodes + link * NODE_BYTES, ray.near, origin, ray.inverse, reach, lanes)
        bottom = top
        while mask != 0:
            lane = lowest_lane(mask)
            mask &= mask - 1
            entry = stack.lanes[lane]
            at = top
            while at > bottom and stack.entries[at - 1] < entry:
                stack.entries[at], stack.links[at] = stack.entries[at - 1], stack.links[at - 1]
                at -= 1
            stack.entries[at], stack.links[at] = entry, bvh.links[link, CHILDREN + lane]
            top += 1
    return reach, found


@njit(**KERNEL)
def occluded(bvh: Bvh, stack: Stack, origin: Vector, direction: Vector, reach: float) -> bool:
    """Whether any triangle lies in (0, reach); stops at the first."""
    ray = make_ray(origin, direction)
    nodes, blocks, lanes = bvh.nodes.ctypes.data, bvh.blocks.ctypes.data, stack.lanes.ctypes.data
    stack.links[0] = 0
    top = 1
    while top > 0:
        top -= 1
        link = stack.links[top]
        if link < 0:
            if triangle_hits(blocks + ~link * BLOCK_BYTES, ray.start, ray.axes, ray.shear, reach, lanes) != 0:
                return True
            continue
        mask = box_hits(nodes + link * NODE_BYTES, ray.near, origin, ray.inverse, reach, lanes)
        while mask != 0:
            lane = lowest_lane(mask)
            mask &= mask - 1
            stack.links[top] = bvh.links[link, CHILDREN + lane]
            top += 1
    return False
