"""The hierarchy against trying every triangle, and the rays that break hierarchies."""

from __future__ import annotations

import naive
import numpy as np
import pytest
import rays
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from kernels.bvh import Bvh, build_bvh
from kernels.bvh_binary import BLOCK
from kernels.lanes import LANES


def directions(count: int, seed: int) -> np.ndarray:
    d = np.random.default_rng(seed).normal(size=(count, 3))
    return d / np.linalg.norm(d, axis=1)[:, None]


def rays_at(corners: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Rays from around the triangles towards points among them."""
    rng = np.random.default_rng(seed)
    points = corners.reshape(-1, 3)
    centre, size = points.mean(0), np.ptp(points, axis=0).max() + 1e-3
    origins = centre + directions(count, seed) * size * rng.uniform(0.1, 3, (count, 1))
    aims = points[rng.integers(len(points), size=count)] + rng.normal(size=(count, 3)) * size * 0.1 - origins
    return np.concatenate([origins, aims / np.linalg.norm(aims, axis=1)[:, None]], 1).astype(np.float32)


def check(corners: np.ndarray, probes: np.ndarray) -> None:
    """Same hits, same triangles (or one as near), same answer from the any-hit walk."""
    distances, triangles, blocked = rays.trace(build_bvh(corners), probes)
    wanted, numbers = naive.nearest_triangles(corners, probes)
    assert np.array_equal(triangles >= 0, numbers >= 0)
    assert np.array_equal(blocked, numbers >= 0)
    hit = numbers >= 0
    assert np.allclose(distances[hit], wanted[hit], rtol=2e-4, atol=1e-5)
    assert (triangles[hit] == numbers[hit]).mean() > 0.99 if hit.sum() > 100 else True


@pytest.mark.parametrize(
    ("count", "spread"), [(1, 1.0), (7, 1.0), (8, 1.0), (9, 1.0), (65, 1.0), (2000, 0.1), (500, 3.0)]
)
def test_soup_agrees_with_brute_force(count: int, spread: float) -> None:
    rng = np.random.default_rng(count)
    corners = (rng.uniform(-1, 1, (count, 1, 3)) + rng.normal(size=(count, 3, 3)) * spread).astype(np.float32)
    check(corners, rays_at(corners, 500, count))


def test_sphere_agrees_with_brute_force() -> None:
    corners = trimesh.creation.icosphere(subdivisions=4).triangles.astype(np.float32)
    check(corners, rays_at(corners, 700, 5))


@given(st.integers(1, 60), st.integers(0, 2**31), st.sampled_from([0.0, 1e-6, 1e-2, 1.0]))
def test_any_soup_agrees_with_brute_force(count: int, seed: int, flat: float) -> None:
    """Down to soups that are nearly flat; at 0 they lie in one plane."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-1, 1, (count, 3, 3))
    corners[:, :, 2] *= flat
    corners = corners.astype(np.float32)
    probes = rays_at(corners, 50, seed)
    distances, triangles, _ = rays.trace(build_bvh(corners), probes)
    wanted, numbers = naive.nearest_triangles(corners, probes)
    agree = (triangles >= 0) == (numbers >= 0)
    assert agree.mean() >= 0.98  # edges of lone triangles may fall on either side in float32
    both = (triangles >= 0) & (numbers >= 0)
    assert np.allclose(distances[both], wanted[both], rtol=1e-2, atol=1e-3)


def test_no_ray_leaks_from_a_closed_surface() -> None:
    """From inside a closed mesh every ray hits, above all those through its vertices and edges."""
    sphere = trimesh.creation.icosphere(subdivisions=4)
    corners = sphere.triangles.astype(np.float32)
    inner = np.array([0.11, -0.07, 0.19])
    edges = sphere.vertices[sphere.edges_unique].mean(1)
    aims = (
        np.concatenate([sphere.vertices, edges, 0.7 * sphere.vertices[sphere.edges_unique[:, 0]] + 0.3 * edges]) - inner
    )
    aims = np.concatenate([aims / np.linalg.norm(aims, axis=1)[:, None], directions(200_000, 1)])
    probes = np.concatenate([np.broadcast_to(inner, aims.shape), aims], 1)
    distances, triangles, blocked = rays.trace(build_bvh(corners), probes)
    assert (triangles >= 0).all()
    assert blocked.all()
    assert distances.max() < 2


def box(half: float) -> np.ndarray:
    return trimesh.creation.box(extents=(2 * half, 2 * half, 2 * half)).triangles.astype(np.float32)


def test_axis_parallel_rays_inside_a_box_all_hit() -> None:
    """Directions with exact zeros, from points exactly on the planes of boxes in the hierarchy."""
    inner = trimesh.creation.icosphere(subdivisions=3).triangles.astype(np.float32) * np.float32(0.25)
    corners = np.concatenate([box(1.0), inner])
    axes = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
    grid = np.linspace(-1, 1, 9, dtype=np.float32)[1:-1]
    origins = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 3)
    origins = np.concatenate([origins, inner.reshape(-1, 3)[::11]])
    probes = np.concatenate([np.repeat(origins, 6, 0), np.tile(axes, (len(origins), 1))], 1)
    distances, triangles, _ = rays.trace(build_bvh(corners), probes)
    assert (triangles >= 0).all()
    assert (distances <= 2).all()


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 0.0])
def test_poisoned_rays_end(poison: float) -> None:
    """Rays that no camera makes must not hang or crash a worker either."""
    corners = trimesh.creation.icosphere(subdivisions=4).triangles.astype(np.float32)
    probes = np.tile(np.float32([0.1, 0.2, 3.0, 0.3, -0.2, -0.9]), (12, 1))
    for i in range(6):
        probes[i, i] = poison
        probes[i + 6, [i, 3 + i % 3]] = poison
    assert rays.trace(build_bvh(corners), probes)[1].shape == (12,)


def stack_needed(bvh: Bvh) -> int:
    """Entries on the stack if every box is hit, by walking the links."""

    def deepest(link: int) -> int:
        children = bvh.links[link, 48:56]
        return (
            max((int(i) for i in range(8)), default=0) + 1
            if link < 0
            else max([i + (deepest(int(child)) if child >= 0 else 1) for i, child in enumerate(children)])
        )

    return max(deepest(0), LANES)


@pytest.mark.parametrize("shape", ["cluster", "line", "identical", "nested"])
def test_stack_is_large_enough_for_skewed_scenes(shape: str) -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(3000, 3, 3)) * 1e-3
    scale = {
        "cluster": np.where(np.arange(3000) < 2999, 1e-6, 1.0),
        "line": np.ones(3000),
        "identical": np.ones(3000),
        "nested": 2.0 ** -(np.arange(3000) % 90),
    }[shape]
    if shape == "identical":
        base[:] = base[0]
    if shape == "line":
        base[:, :, 0] += np.arange(3000)[:, None] ** 3 * 1e-6
    corners = (base * scale[:, None, None]).astype(np.float32)
    bvh = build_bvh(corners)
    assert stack_needed(bvh) <= bvh.stack
    assert sorted(set(bvh.triangles.ravel().tolist())) == list(range(3000))
    assert len(bvh.blocks) >= 3000 / BLOCK
    rays.trace(bvh, rays_at(corners, 2000, 3))


def test_blocks_are_well_filled_and_building_repeats_itself() -> None:
    corners = trimesh.creation.icosphere(subdivisions=5).triangles.astype(np.float32)
    first, second = build_bvh(corners), build_bvh(corners)
    assert len(corners) / (len(first.blocks) * LANES) > 0.8
    assert np.array_equal(first.links, second.links)
    assert np.array_equal(first.blocks, second.blocks)
