"""Vectors of three float32 as plain tuples: inlined they live in registers, where small arrays would be allocated.

A `Vector` is (x, y, z). Nothing here allocates, branches or reorders, so loops over these functions vectorise.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kernels.flags import INLINED

Vector = tuple[float, float, float]

ZERO = np.float32(0)
ONE = np.float32(1)


@njit(**INLINED)
def smaller(a: float, b: float) -> float:
    """The smaller of two floats; compiles to one instruction, unlike `min`, which also orders NaN."""
    return a if a < b else b


@njit(**INLINED)
def larger(a: float, b: float) -> float:
    """The larger of two floats."""
    return a if a > b else b


@njit(**INLINED)
def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(**INLINED)
def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@njit(**INLINED)
def minus(a: Vector, b: Vector) -> Vector:
    """a - b."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


@njit(**INLINED)
def scaled(a: Vector, factor: float) -> Vector:
    """a · factor."""
    return (a[0] * factor, a[1] * factor, a[2] * factor)


@njit(**INLINED)
def along(origin: Vector, distance: float, direction: Vector) -> Vector:
    """origin + distance · direction."""
    return (
        origin[0] + distance * direction[0],
        origin[1] + distance * direction[1],
        origin[2] + distance * direction[2],
    )


@njit(**INLINED)
def unit(a: Vector) -> Vector:
    """`a` with length 1; `a` must not be zero."""
    return scaled(a, ONE / math.sqrt(dot(a, a)))


@njit(**INLINED)
def tangents(normal: Vector) -> tuple[Vector, Vector]:
    """Two unit vectors at right angles to the unit vector `normal` and to each other.

    Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 6(1), 2017: no branch and no square root.
    """
    x, y, z = normal
    sign = ONE if z >= ZERO else -ONE
    a = -ONE / (sign + z)
    b = x * y * a
    return (ONE + sign * x * x * a, sign * b, -sign * x), (b, sign + y * y * a, -y)
