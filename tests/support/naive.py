"""Slow, obvious oracles in float64 for what the kernels do fast. Nothing here shares code with what it checks."""

from __future__ import annotations

import math

import numpy as np

SPHERES = (((-2.0, 0.0, -3.5), 0.5), ((-0.5, 0.0, -3.0), 0.5), ((1.0, 0.0, -2.2), 0.5))
FLOOR_Y = -0.5
MISS = np.inf


def aobench(width: int, height: int, side: int, ao_side: int, *, reach: float = MISS, seed: int = 1) -> np.ndarray:
    """The public aobench's picture: float64 (height, width), `side`² camera rays, `ao_side`² random occlusion rays."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width))
    for y in range(height):
        for v in range(side):
            for u in range(side):
                x = (np.arange(width) + u / side - width / 2) / (height / 2)
                directions = np.stack(
                    [x, np.full(width, (height / 2 - y - v / side) / (height / 2)), -np.ones(width)], 1
                )
                directions /= np.linalg.norm(directions, axis=1)[:, None]
                picture[y] += aobench_openness(np.zeros((width, 3)), directions, ao_side, reach, rng) / side**2
    return picture


def aobench_openness(
    origins: np.ndarray, directions: np.ndarray, ao_side: int, reach: float, rng: np.random.Generator
) -> np.ndarray:
    """Share of open occlusion rays where camera rays hit the scene, 0 where they miss."""
    distance, normals = aobench_hits(origins, directions)
    seen = np.flatnonzero(distance < MISS)
    open_share = np.zeros(len(origins))
    if len(seen) == 0:
        return open_share
    points = origins[seen] + distance[seen, None] * directions[seen] + 1e-4 * normals[seen]
    rays = ao_side**2
    starts, around = np.repeat(points, rays, 0), np.repeat(normals[seen], rays, 0)
    blocked = aobench_hits(starts, cosine_directions(around, rng))[0] < reach
    open_share[seen] = 1 - blocked.reshape(-1, rays).mean(1)
    return open_share


def aobench_hits(origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to and normal of the nearest of three spheres and a floor."""
    nearest = np.full(len(origins), MISS)
    normals = np.zeros_like(origins)
    for centre, radius in SPHERES:
        arm = origins - centre
        b = (arm * directions).sum(1)
        d = b * b - ((arm * arm).sum(1) - radius**2)
        t = np.where(d > 0, -b - np.sqrt(np.maximum(d, 0)), -1)
        hit = (t > 0) & (t < nearest)
        nearest[hit] = t[hit]
        normals[hit] = ((origins + t[:, None] * directions - centre) / radius)[hit]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (FLOOR_Y - origins[:, 1]) / directions[:, 1]
    hit = (t > 0) & (t < nearest)
    nearest[hit] = t[hit]
    normals[hit] = (0, 1, 0)
    return nearest, normals


def cosine_directions(normals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random direction per normal, with density cos θ / π."""
    u, phi = rng.random(len(normals)), 2 * math.pi * rng.random(len(normals))
    helper = np.where(np.abs(normals[:, :1]) < 0.6, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    a = np.cross(helper, normals)
    a /= np.linalg.norm(a, axis=1)[:, None]
    b = np.cross(normals, a)
    r = np.sqrt(u)[:, None]
    return r * np.cos(phi)[:, None] * a + r * np.sin(phi)[:, None] * b + np.sqrt(1 - u)[:, None] * normals


def nearest_triangles(corners: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance and number of the nearest triangle by trying all: Möller and Trumbore 1997, `rays` (n, 6); -1: none."""
    a, e, f = (corners[:, k].astype(np.float64) for k in range(3))
    e, f = e - a, f - a
    distances, numbers = np.full(len(rays), MISS), np.full(len(rays), -1)
    for i, ray in enumerate(rays.astype(np.float64)):
        origin, direction = ray[:3], ray[3:6]
        p = np.cross(direction, f)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1 / (e * p).sum(1)
            s = origin - a
            u = (s * p).sum(1) * inverse
            q = np.cross(s, e)
            v = (q @ direction) * inverse
            t = (f * q).sum(1) * inverse
            hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
        if hit.any():
            numbers[i] = np.where(hit, t, MISS).argmin()
            distances[i] = t[numbers[i]]
    return distances, numbers


def lowbias32(x: int) -> int:
    """The integer hash, in Python's own integers."""
    x &= 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def srgb(linear: float) -> int:
    """8-bit sRGB of one linear value (IEC 61966-2-1)."""
    value = min(max(linear, 0.0), 1.0)
    return round(255 * (value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def chi_squared(observed: np.ndarray) -> float:
    """Pearson's statistic against equal expectations, standardised to mean 0 and variance 1."""
    expected = observed.sum() / observed.size
    freedom = observed.size - 1
    return float((((observed - expected) ** 2 / expected).sum() - freedom) / math.sqrt(2 * freedom))
