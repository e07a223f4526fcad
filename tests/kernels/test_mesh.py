"""Pictures of meshes whose openness is known: furnaces, planes, scales, colours."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from films import film_of, same_film

from kernels.camera import look_at
from kernels.coverage import Part
from kernels.film import Film, linear_picture
from kernels.mesh import NoTriangles, make_mesh, normalised, render_mesh
from kernels.view import Sampling, make_view

SIDE = 24
SAMPLING = Sampling(4, 4, None, 1)
UP = (0.0, 1.0, 0.0)


def film(
    corners: np.ndarray,
    position: tuple[float, float, float],
    target: tuple[float, float, float] = (0.0, 0.0, 0.0),
    *,
    colours: np.ndarray | None = None,
    tints: np.ndarray | None = None,
    sampling: Sampling = SAMPLING,
    blocks: list[Part] | None = None,
) -> Film:
    """A film of triangles in kernel space, white unless told otherwise."""
    colours = np.ones((1, 3)) if colours is None else colours
    tints = np.zeros(corners.shape[:2], np.int32) if tints is None else tints
    mesh = make_mesh(corners, colours, tints)
    view = make_view(look_at(position, target, UP, 0.5), SIDE, SIDE, sampling)
    part = Part(0, 0, SIDE, SIDE, 0, sampling.samples)
    return film_of(lambda a, b, c, d: render_mesh(a, b, c, d, mesh), view, part, 4, blocks)


QUAD = np.array([[[-9, 0, -9], [9, 0, -9], [9, 0, 9]], [[-9, 0, -9], [9, 0, 9], [-9, 0, 9]]], float)


def test_inside_a_closed_box_it_is_pitch_dark() -> None:
    picture = linear_picture(film(trimesh.creation.box(extents=(2, 2, 2)).triangles, (0.3, 0.2, 0.4), (0.0, 0.1, -1.0)))
    assert (picture[:, :, :3] == 0).all()
    assert (picture[:, :, 3] == 1).all()


@pytest.mark.parametrize("height", [1.0, -1.0])
def test_a_lone_plane_is_fully_open_from_either_side(height: float) -> None:
    picture = linear_picture(film(QUAD, (0.0, height, 0.5)))
    assert (picture == 1).all()


def test_background_has_no_coverage_and_no_light() -> None:
    picture = linear_picture(film(trimesh.creation.icosphere(subdivisions=3).triangles * 0.2, (0.0, 0.0, 2.0)))
    assert (picture[0, 0] == 0).all()
    assert (picture[SIDE // 2, SIDE // 2] == 1).all()
    edge = picture[(picture[:, :, 3] > 0) & (picture[:, :, 3] < 1)]
    assert len(edge)
    assert (edge[:, 0] == edge[:, 3]).all()


def test_reach_limits_occlusion() -> None:
    ceiling = QUAD + np.array([0, 0.5, 0])
    both = np.concatenate([QUAD, ceiling])
    seen = (0.0, 0.25, 0.0), (0.0, 0.0, -0.2)
    assert linear_picture(film(both, *seen))[:, :, :3].mean() < 0.01
    near = film(both, *seen, sampling=SAMPLING._replace(reach=0.4))
    assert (linear_picture(near)[:, :, :3] == 1).all()
    half = linear_picture(film(both, *seen, sampling=Sampling(4, 16, 1.0, 1)))[:, :, 0]
    assert half.mean() == pytest.approx(0.25, abs=0.01)  # open where cos θ < height / reach: the square of one half


def test_half_a_wall_takes_half_the_light_at_its_foot() -> None:
    wall = np.array([[[-99, 0, 0], [99, 0, 0], [99, 99, 0]], [[-99, 0, 0], [99, 99, 0], [-99, 99, 0]]], float)
    picture = linear_picture(film(np.concatenate([QUAD, wall]), (0.0, 0.02, 0.002), (0.0, 0.0, 0.001)))
    assert picture[:, :, 0].mean() == pytest.approx(0.5, abs=0.03)


def test_colours_interpolate_between_corners() -> None:
    corners = np.array([[[-1, 0, 1], [1, 0, 1], [0, 0, -1]]], float)
    colours = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    picture = linear_picture(film(corners, (0.0, 3.0, 0.01), colours=colours, tints=np.array([[0, 1, 2]])))
    inside = picture[picture[:, :, 3] == 1]
    assert len(inside) > 20
    assert np.allclose(inside[:, :3].sum(1), 1, atol=1e-4)
    assert inside[:, :3].min() >= 0
    assert np.ptp(inside[:, 0]) > 0.5


@pytest.mark.parametrize("size", [1e-7, 1.0, 1e9])
@pytest.mark.parametrize("away", [0.0, 1e3])
def test_normalising_makes_scale_and_place_invisible(size: float, away: float) -> None:
    sphere = trimesh.creation.icosphere(subdivisions=2).triangles
    corners, placement = normalised((sphere + away) * size)
    assert np.abs(corners).max() <= 1
    assert np.ptp(corners.reshape(-1, 3), axis=0).max() > 1
    back = corners / placement.scale + placement.centre
    assert np.allclose(back, (sphere + away) * size, rtol=1e-6, atol=size * 1e-6)


def test_thin_triangles_are_left_out() -> None:
    sphere = trimesh.creation.icosphere(subdivisions=2).triangles
    lines = np.repeat(sphere[:50, :1], 3, axis=1)
    lines[:, 2] += 1e-20
    with_lines = film(np.concatenate([lines, sphere]), (0.0, 0.0, 3.0))
    assert same_film(with_lines, film(sphere, (0.0, 0.0, 3.0)))
    with pytest.raises(NoTriangles):
        film(lines, (0.0, 0.0, 3.0))


def test_blocks_do_not_show() -> None:
    sphere = trimesh.creation.icosphere(subdivisions=3).triangles
    blocks = [
        Part(x0, y0, x1, y1, s0, s1)
        for s0, s1 in ((1, 4), (0, 1))
        for x0, x1 in ((7, SIDE), (0, 7))
        for y0, y1 in ((0, 11), (11, SIDE))
    ]
    assert same_film(film(sphere, (0.0, 0.5, 2.0)), film(sphere, (0.0, 0.5, 2.0), blocks=blocks))
