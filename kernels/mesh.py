"""Triangle meshes lit by ambient occlusion: base colour times the share of the hemisphere that is open.

It owns the loop over a block's pixels and what a hit looks like. Meshes come centred and scaled to about unit size
(`normalised`), so that float32 is as exact for a needle as for a city. Blocks are rendered serially.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from kernels.bvh import Bvh, build_bvh
from kernels.flags import INLINED, KERNEL
from kernels.numbers import hash_counter, scaled_lower, unit_upper
from kernels.sampling import turned
from kernels.vectors import ZERO, Vector, along, cross, dot, larger, minus, scaled, tangents, unit
from kernels.view import FAR, FIXED_ONE, Block, View, camera_ray
from kernels.walk import Stack, make_stack, nearest, occluded

F = np.float32
CHANNELS = 4
FAR_32 = F(FAR)
LIFT = F(1e-5)
"""Occlusion rays start this far above the surface, times the mesh's size or the distance seen from, if that is more."""

THINNEST = 1e-36
"""Square of twice the area below which a triangle of a normalised mesh has no normal in float32."""


class Mesh(NamedTuple):
    """A mesh ready for rays. `corners` float32 (n, 3, 3); `colours` float32 (k, 3), linear; `tints` int32 (n, 3) picks
    a colour per corner; `bvh` over the corners."""

    corners: np.ndarray
    colours: np.ndarray
    tints: np.ndarray
    bvh: Bvh


class Placement(NamedTuple):
    """Where a mesh was: kernel space = (scene space - centre) · scale."""

    centre: tuple[float, float, float]
    scale: float


def normalised(corners: np.ndarray) -> tuple[np.ndarray, Placement]:
    """float64 corners (n, 3, 3) centred at the origin and scaled to a bounding box of diagonal 2, as float32."""
    flat = corners.reshape(-1, 3)
    low, high = flat.min(axis=0), flat.max(axis=0)
    centre = low + (high - low) / 2
    diagonal = float(np.linalg.norm(high - low))
    scale = 2.0 / diagonal if diagonal > 0 else 1.0
    x, y, z = (float(c) for c in centre)
    return ((corners - centre) * scale).astype(np.float32), Placement((x, y, z), scale)


class NoTriangles(ValueError):
    """A mesh in which every triangle is a line or a point."""


def make_mesh(corners: np.ndarray, colours: np.ndarray, tints: np.ndarray) -> Mesh:
    """Builds the hierarchy; arrays as in `Mesh`, already normalised and finite.

    Triangles too thin for a normal are left out; raises `NoTriangles` if none is left.
    """
    corners = np.ascontiguousarray(corners, dtype=np.float32)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    solid = np.einsum("ij,ij->i", normals, normals) > THINNEST
    if not solid.any():
        raise NoTriangles("The mesh has no triangle with an area.")
    if not solid.all():
        corners, tints = np.ascontiguousarray(corners[solid]), tints[solid]
    return Mesh(
        corners,
        np.ascontiguousarray(colours, dtype=np.float32),
        np.ascontiguousarray(tints, dtype=np.int32),
        build_bvh(corners),
    )


@njit(**INLINED)
def corner(mesh: Mesh, triangle: int, number: int) -> Vector:
    """One corner of a triangle."""
    return (mesh.corners[triangle, number, 0], mesh.corners[triangle, number, 1], mesh.corners[triangle, number, 2])


@njit(**INLINED)
def colour_at(mesh: Mesh, triangle: int, point: Vector) -> Vector:
    """Base colour at a point of a triangle, interpolated between its corners by the areas that the point cuts off."""
    a, b, c = corner(mesh, triangle, 0), corner(mesh, triangle, 1), corner(mesh, triangle, 2)
    normal = cross(minus(b, a), minus(c, a))
    weight_a = larger(dot(normal, cross(minus(c, b), minus(point, b))), ZERO)
    weight_b = larger(dot(normal, cross(minus(a, c), minus(point, c))), ZERO)
    weight_c = larger(dot(normal, cross(minus(b, a), minus(point, a))), ZERO)
    whole = F(1) / (weight_a + weight_b + weight_c)
    i, j, k = mesh.tints[triangle, 0], mesh.tints[triangle, 1], mesh.tints[triangle, 2]
    tint = (ZERO, ZERO, ZERO)
    tint = along(tint, weight_a * whole, (mesh.colours[i, 0], mesh.colours[i, 1], mesh.colours[i, 2]))
    tint = along(tint, weight_b * whole, (mesh.colours[j, 0], mesh.colours[j, 1], mesh.colours[j, 2]))
    return along(tint, weight_c * whole, (mesh.colours[k, 0], mesh.colours[k, 1], mesh.colours[k, 2]))


@njit(**INLINED)
def facing_normal(mesh: Mesh, triangle: int, direction: Vector) -> Vector:
    """Geometric unit normal of a triangle, on the side that `direction` comes from."""
    a = corner(mesh, triangle, 0)
    normal = unit(cross(minus(corner(mesh, triangle, 1), a), minus(corner(mesh, triangle, 2), a)))
    return normal if dot(normal, direction) < ZERO else scaled(normal, F(-1))


@njit(**KERNEL)
def open_rays(mesh: Mesh, stack: Stack, point: Vector, normal: Vector, key: int, view: View) -> int:
    """How many of the hemisphere's directions leave `point` without meeting anything in reach."""
    which = scaled_lower(key, view.directions.shape[0])
    a, b = tangents(normal)
    a, b = turned(a, b, unit_upper(key))
    free = 0
    for j in range(view.directions.shape[2]):
        direction = scaled(a, view.directions[which, 0, j])
        direction = along(direction, view.directions[which, 1, j], b)
        direction = along(direction, view.directions[which, 2, j], normal)
        if not occluded(mesh.bvh, stack, point, direction, view.reach):
            free += 1
    return free


@njit(**KERNEL)
def render_mesh(sums: np.ndarray, squares: np.ndarray, block: Block, view: View, mesh: Mesh) -> None:
    """Adds `block` to the accumulators, in fixed point: `sums` uint32 (h, w, 4), red, green, blue times coverage and
    coverage itself; `squares` uint64 (h, w) of the samples' mean of red, green and blue."""
    stack = make_stack(mesh.bvh)
    origin = (view.camera[0, 0], view.camera[0, 1], view.camera[0, 2])
    seed = hash_counter(view.seed, 0)
    for y in range(block.y0, block.y1):
        for x in range(block.x0, block.x1):
            pixel = hash_counter(seed, y * view.width + x)
            row, column = y - block.top, x - block.left
            for s in range(block.s0, block.s1):
                direction = camera_ray(view, F(x) + view.offsets[s, 0], F(y) + view.offsets[s, 1])
                distance, triangle = nearest(mesh.bvh, stack, origin, direction, FAR_32)
                if triangle < 0:
                    continue
                normal = facing_normal(mesh, triangle, direction)
                point = along(origin, distance, direction)
                lifted = along(point, LIFT * larger(distance, F(1)), normal)
                free = open_rays(mesh, stack, lifted, normal, hash_counter(pixel, s), view)
                level = F(view.levels[free])
                colour = colour_at(mesh, triangle, point)
                grey = np.uint64(0)
                for channel in range(3):
                    value = np.uint32(colour[channel] * level + F(0.5))
                    sums[row, column, channel] += value
                    grey += np.uint64(value)
                sums[row, column, 3] += np.uint32(FIXED_ONE)
                grey = grey // np.uint64(3)
                squares[row, column] += grey * grey
