"""Cameras: what they see, and that they stand back far enough."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.camera import BadCamera, framing, look_at, orbited, rings

ORIGIN, UP = (0.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def projected(camera: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Image coordinates (n, 2) in half heights from the middle."""
    arm = points - camera[0]
    half = np.linalg.norm(camera[2])
    depth = arm @ camera[3]
    assert (depth > 0).all()
    return np.stack([arm @ camera[1], arm @ camera[2]], 1) / half**2 / depth[:, None]


def test_the_default_axes_are_those_of_aobench() -> None:
    assert look_at(ORIGIN, (0, 0, -3), UP, 1.0).tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, -1]]


@pytest.mark.parametrize(("position", "up"), [(ORIGIN, UP), ((0.0, 5.0, 0.0), UP), ((1.0, 0.0, 0.0), (0.0, 0.0, 0.0))])
def test_cameras_that_see_nothing_are_refused(
    position: tuple[float, float, float], up: tuple[float, float, float]
) -> None:
    with pytest.raises(BadCamera, match="up"):
        look_at(position, ORIGIN, up, 1.0)


def test_orbit_turns_about_the_target() -> None:
    assert orbited((1.0, 2.0, 0.0), (0.0, 1.0, 0.0), UP, 90.0) == pytest.approx((0.0, 2.0, -1.0))
    assert orbited((1.0, 2.0, 0.0), (0.0, 1.0, 0.0), (0.0, 9.0, 0.0), -360.0) == pytest.approx((1.0, 2.0, 0.0))


@given(
    st.integers(0, 2**31),
    st.sampled_from([(1, 1, 1), (1, 0.01, 1), (0.01, 1, 0.01), (1, 0, 0)]),
    st.floats(0.2, 5.0),
    st.floats(10, 120),
    st.floats(0, 360),
)
def test_framing_sees_every_point_from_every_side(
    seed: int, shape: tuple[float, float, float], aspect: float, fov_deg: float, angle_deg: float
) -> None:
    points = np.random.default_rng(seed).uniform(-1, 1, (50, 3)) * shape
    half_height = math.tan(math.radians(fov_deg) / 2)
    position, target = framing(rings(points), half_height, aspect)
    camera = look_at(orbited(position, target, UP, angle_deg), target, UP, half_height)
    seen = np.abs(projected(camera, points))
    assert seen[:, 0].max() <= aspect
    assert seen[:, 1].max() <= 1


def test_framing_does_not_stand_too_far_back() -> None:
    angles = np.linspace(0, 2 * math.pi, 400)
    points = np.stack([np.cos(angles), np.zeros(400), np.sin(angles)], 1)
    camera = look_at(*framing(rings(points), 0.4, 1.0), UP, 0.4)
    assert np.abs(projected(camera, points)).max() > 0.85


def test_framing_leaves_as_much_air_above_as_below() -> None:
    """A wide dish with a rod in the middle, in a wide picture: the height decides."""
    rod = np.array([[0.0, 3.0, 0.0]])
    angles = np.linspace(0, 2 * math.pi, 400)
    dish = np.stack([2 * np.cos(angles), np.zeros(400), 2 * np.sin(angles)], 1)
    points = np.concatenate([rod, dish])
    seen = projected(look_at(*framing(rings(points), 0.4, 2.0), UP, 0.4), points)[:, 1]
    assert seen.max() == pytest.approx(-seen.min(), abs=0.04)
