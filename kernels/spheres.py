"""The built-in scene: the three spheres and the floor of the public aobench, lit by ambient occlusion alone.

It owns the scene's numbers and the loop over a block's pixels. Accumulators are filled, never developed, and a block
is rendered serially: whoever calls shares blocks out over threads.

A sphere of radius r seen from p fills the cone of directions d with (p - c)·d < -√(|p - c|² - r²), and the floor a half
space of directions. So once per camera ray every occluder becomes four numbers (a plane in the ray's own frame), and an
occlusion ray costs three fused multiply-adds per occluder and no square root. Camera rays are traced in packets of
`LANES` pixels, so that both halves fill the vector unit.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.flags import INLINED, KERNEL
from kernels.numbers import count_if, fma, hash_counter, scaled_lower, unit_upper
from kernels.sampling import turned
from kernels.vectors import ONE, ZERO, Vector, along, dot, larger, smaller, tangents, unit
from kernels.view import FAR, Block, View, camera_ray

F = np.float32

FLOOR_Y = F(-0.5)
RADIUS_SQUARED = F(0.25)
AX, AZ = F(-2.0), F(-3.5)
BX, BZ = F(-0.5), F(-3.0)
CX, CZ = F(1.0), F(-2.2)
CHANNELS = 1

LIFT = F(1e-4)
"""Occlusion rays start this far above the surface, as in aobench."""
FAR_32 = F(FAR)

LANES = 16
"""Pixels in a packet."""
OCCLUDERS = 4

Plane = tuple[float, float, float, float]


@njit(**INLINED)
def sphere_distance(origin: Vector, direction: Vector, centre_x: float, centre_z: float) -> float:
    """Distance to a sphere from outside, `FAR` if missed."""
    arm = (origin[0] - centre_x, origin[1], origin[2] - centre_z)
    b = dot(arm, direction)
    discriminant = b * b - (dot(arm, arm) - RADIUS_SQUARED)
    distance = -b - math.sqrt(larger(discriminant, ZERO))
    return distance if (discriminant > ZERO) & (distance > ZERO) else FAR_32


@njit(**INLINED)
def visible_point(origin: Vector, direction: Vector) -> tuple[float, Vector, Vector]:
    """(distance, point lifted off the surface, normal); the distance is `FAR` where there is nothing."""
    a = sphere_distance(origin, direction, AX, AZ)
    b = sphere_distance(origin, direction, BX, BZ)
    c = sphere_distance(origin, direction, CX, CZ)
    floor = (FLOOR_Y - origin[1]) / direction[1]
    floor = floor if floor > ZERO else FAR_32
    distance = smaller(smaller(a, b), c)
    centre_x = AX if a == distance else (BX if b == distance else CX)
    centre_z = AZ if a == distance else (BZ if b == distance else CZ)
    on_floor = floor < distance
    distance = smaller(floor, distance)
    point = along(origin, distance, direction)
    radial = unit((point[0] - centre_x, point[1], point[2] - centre_z))
    up = ONE if direction[1] < ZERO else -ONE
    normal = (
        ZERO if on_floor else radial[0],
        up if on_floor else radial[1],
        ZERO if on_floor else radial[2],
    )
    return distance, along(point, LIFT, normal), normal


@njit(**INLINED)
def sphere_plane(
    point: Vector, frame: tuple[Vector, Vector, Vector], centre_x: float, centre_z: float, reach: float
) -> Plane:
    """The plane (x, y, z, w) with x·d + y·d' + z·d'' + w < 0 for exactly the directions that meet the sphere in reach.

    The near root passes `reach` where b = -(c + reach²) / (2 reach); beyond the tangent point the cone itself decides.
    """
    arm = (point[0] - centre_x, point[1], point[2] - centre_z)
    c = larger(dot(arm, arm) - RADIUS_SQUARED, ZERO)
    tangent = math.sqrt(c)
    w = tangent if tangent < reach else (c + reach * reach) / (reach + reach)
    return dot(arm, frame[0]), dot(arm, frame[1]), dot(arm, frame[2]), w


@njit(**INLINED)
def put_plane(planes: np.ndarray, occluder: int, lane: int, plane: Plane) -> None:
    """Writes an occluder's plane for one pixel of a packet."""
    at = occluder * 4 * LANES + lane
    planes[at], planes[at + LANES], planes[at + 2 * LANES], planes[at + 3 * LANES] = plane


@njit(**INLINED)
def get_plane(planes: np.ndarray, occluder: int, lane: int) -> Plane:
    """What `put_plane` wrote."""
    at = occluder * 4 * LANES + lane
    return planes[at], planes[at + LANES], planes[at + 2 * LANES], planes[at + 3 * LANES]


@njit(**INLINED)
def beyond(plane: Plane, x: float, y: float, z: float) -> float:
    """Negative where the direction (x, y, z) meets the occluder."""
    return fma(plane[0], x, fma(plane[1], y, fma(plane[2], z, plane[3])))


@njit(**INLINED)
def trace_packet(planes: np.ndarray, sets: np.ndarray, at: tuple[int, int, int], view: View) -> None:
    """Camera rays of sample s through pixels (x, y) to (x + LANES - 1, y); `at` is (x, y, s).

    Fills `planes` float32 (OCCLUDERS · 4 · LANES) and `sets` int32 (LANES): the direction set, -1 where nothing is hit.
    """
    x0, y, s = at
    origin = (view.camera[0, 0], view.camera[0, 1], view.camera[0, 2])
    offset_x = view.offsets[s, 0]
    row = F(y) + view.offsets[s, 1]
    seed = hash_counter(view.seed, 0)
    for i in range(LANES):
        x = x0 + i
        direction = camera_ray(view, F(x) + offset_x, row)
        distance, point, normal = visible_point(origin, direction)
        key = hash_counter(hash_counter(seed, y * view.width + x), s)
        sets[i] = scaled_lower(key, view.directions.shape[0]) if distance < FAR_32 else np.int32(-1)
        a, b = tangents(normal)
        a, b = turned(a, b, unit_upper(key))
        frame = (a, b, normal)
        put_plane(planes, 0, i, sphere_plane(point, frame, AX, AZ, view.reach))
        put_plane(planes, 1, i, sphere_plane(point, frame, BX, BZ, view.reach))
        put_plane(planes, 2, i, sphere_plane(point, frame, CX, CZ, view.reach))
        above = point[1] - FLOOR_Y
        side = ONE if above > ZERO else -ONE
        put_plane(planes, 3, i, (side * a[1], side * b[1], side * normal[1], abs(above) / view.reach))


@njit(**INLINED)
def blocked_rays(planes: np.ndarray, lane: int, directions: np.ndarray, which: int) -> int:
    """How many directions of set `which` are blocked for the packet's pixel `lane`: the branch-free inner loop."""
    plane_a, plane_b = get_plane(planes, 0, lane), get_plane(planes, 1, lane)
    plane_c, plane_floor = get_plane(planes, 2, lane), get_plane(planes, 3, lane)
    blocked = np.int32(0)
    for j in range(directions.shape[2]):
        x, y, z = directions[which, 0, j], directions[which, 1, j], directions[which, 2, j]
        a, b = beyond(plane_a, x, y, z), beyond(plane_b, x, y, z)
        c, floor = beyond(plane_c, x, y, z), beyond(plane_floor, x, y, z)
        blocked = count_if(blocked, smaller(smaller(a, b), smaller(c, floor)) < ZERO)
    return blocked


@njit(**KERNEL)
def render_spheres(sums: np.ndarray, squares: np.ndarray, block: Block, view: View) -> None:
    """Adds `block` to the accumulators: `sums` uint32 (h, w, 1), `squares` uint64 (h, w), both in fixed point."""
    rays = view.directions.shape[2]
    planes = np.empty(OCCLUDERS * 4 * LANES, np.float32)
    sets = np.empty(LANES, np.int32)
    for y in range(block.y0, block.y1):
        for x0 in range(block.x0, block.x1, LANES):
            lanes = min(LANES, block.x1 - x0)
            for s in range(block.s0, block.s1):
                trace_packet(planes, sets, (x0, y, s), view)
                for i in range(lanes):
                    if sets[i] >= 0:
                        blocked = blocked_rays(planes, i, view.directions, sets[i])
                        value = view.levels[rays - blocked]
                        sums[y - block.top, x0 + i - block.left, 0] += value
                        squares[y - block.top, x0 + i - block.left] += np.uint64(value) * np.uint64(value)
