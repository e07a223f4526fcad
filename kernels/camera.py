"""Pinhole cameras as 4 × 3 arrays: looking at a target, turning about it, standing back until a mesh is in view.

Pure functions on the host, in float64. The kernels' `View.camera` is their result.
"""

from __future__ import annotations

import math

import numpy as np

FRAMING_MARGIN = 1.1
FRAMING_TOLERANCE = 1e-3
FRAMING_AZIMUTH_DEG = 30.0
FRAMING_ELEVATION_DEG = 18.0
RINGS = 512

Point = tuple[float, float, float]


class BadCamera(ValueError):
    """A camera that sees nothing: it stands in its target, or looks along its own up axis."""


def look_at(position: Point, target: Point, up: Point, half_height: float) -> np.ndarray:
    """Camera float64 (4, 3): origin, right, up, forward; `half_height` is tan(vertical field of view / 2).

    Raises `BadCamera` if position, target and up do not span a plane.
    """
    origin = np.asarray(position, dtype=np.float64)
    forward = np.asarray(target, dtype=np.float64) - origin
    length = np.linalg.norm(forward)
    right = np.cross(forward, np.asarray(up, dtype=np.float64))
    width = np.linalg.norm(right)
    if not length > 0 or not width > 1e-9 * length * np.linalg.norm(up):
        raise BadCamera("The camera stands in its target or looks along its up axis. Move the camera or change `up`.")
    forward /= length
    right /= width
    return np.stack([origin, right * half_height, np.cross(right, forward) * half_height, forward])


def orbited(position: Point, target: Point, up: Point, angle_deg: float) -> Point:
    """`position` turned about the axis through `target` along `up` (Rodrigues' formula)."""
    axis = np.asarray(up, dtype=np.float64)
    axis = axis / np.linalg.norm(axis)
    arm = np.asarray(position, dtype=np.float64) - target
    angle = math.radians(angle_deg)
    turned = arm * math.cos(angle) + np.cross(axis, arm) * math.sin(angle) + axis * (axis @ arm) * (1 - math.cos(angle))
    x, y, z = turned + target
    return (float(x), float(y), float(z))


def rings(points: np.ndarray) -> np.ndarray:
    """What matters of `points` (n, 3) for a camera that turns about the y axis: float64 (m, 2) of radius and height.

    At most `RINGS` bands of height, each with its largest radius at its lower and its upper edge.
    """
    radius = np.hypot(points[:, 0], points[:, 2])
    height = points[:, 1]
    low, high = float(height.min()), float(height.max())
    band = np.minimum(((height - low) * (RINGS / max(high - low, 1e-30))).astype(np.int64), RINGS - 1)
    widest = np.full(RINGS, -1.0)
    np.maximum.at(widest, band, radius)
    used = np.flatnonzero(widest >= 0)
    step = (high - low) / RINGS
    return np.concatenate([np.stack([widest[used], low + (used + edge) * step], axis=1) for edge in (0, 1)])


def framing(circles: np.ndarray, half_height: float, aspect: float) -> tuple[Point, Point]:
    """(position, target) of the nearest camera that sees all `circles` (`rings`) whole, from every side of the y axis.

    The target lies on the axis, where the distance becomes smallest: what is near and low then has as much air below as
    what is far and high has above. The distance is a convex function of the target's height.
    """
    low, high = float(circles[:, 1].min()), float(circles[:, 1].max())
    while high - low > FRAMING_TOLERANCE * (abs(low) + abs(high)):
        third = (high - low) / 3
        nearer = framing_distance(circles, low + third, half_height, aspect)
        if nearer < framing_distance(circles, high - third, half_height, aspect):
            high -= third
        else:
            low += third
    target = (low + high) / 2
    distance = FRAMING_MARGIN * framing_distance(circles, target, half_height, aspect)
    azimuth, elevation = math.radians(FRAMING_AZIMUTH_DEG), math.radians(FRAMING_ELEVATION_DEG)
    across = distance * math.cos(elevation)
    position = (across * math.sin(azimuth), target + distance * math.sin(elevation), across * math.cos(azimuth))
    return position, (0.0, target, 0.0)


def framing_distance(circles: np.ndarray, target: float, half_height: float, aspect: float) -> float:
    """How far from height `target` on the axis a camera must stand to see all `circles`.

    A point on a circle fits if distance ≥ towards + |offset| / tan(half the field of view), which has a closed maximum.
    """
    radius, height = circles[:, 0], circles[:, 1] - target
    elevation = math.radians(FRAMING_ELEVATION_DEG)
    cos_e, sin_e = math.cos(elevation), math.sin(elevation)
    sideways = radius * math.hypot(cos_e, 1 / (half_height * aspect)) + height * sin_e
    above = radius * abs(cos_e - sin_e / half_height) + height * (sin_e + cos_e / half_height)
    below = radius * abs(cos_e + sin_e / half_height) + height * (sin_e - cos_e / half_height)
    return float(max(sideways.max(), above.max(), below.max()))
