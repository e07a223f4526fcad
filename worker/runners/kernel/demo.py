"""A mesh to show around, made here so that nothing has to be downloaded: a ridged torus knot on a turntable."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

KNOT_WINDINGS = (2, 3)
KNOT_STEPS = (900, 72)
TUBE_RADIUS = 0.36
RIDGES = 9
RIDGE_DEPTH = 0.035
TURNTABLE_RADIUS = 2.9
TURNTABLE_STEPS = 240
GAP = 0.02
"""How far the knot stands above the turntable."""

WARM = (226, 132, 66)
COOL = (58, 134, 148)
PLASTER = (236, 232, 224)

Grid = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Vertices float64 (n, 3), triangles int32 (m, 3), colours uint8 (n, 3)."""


def demo_mesh(path: Path) -> None:
    """Writes the demonstration mesh as binary PLY with vertex colours; about 130,000 triangles, y is up."""
    knot = _knot()
    floor = float(knot[0][:, 1].min()) - GAP
    _write_ply(path, [knot, _turntable(floor)])


def _knot_curve(t: np.ndarray) -> np.ndarray:
    """A torus knot about the y axis: (n, 3) for angles t in [0, 2π]."""
    p, q = KNOT_WINDINGS
    radius = 1.6 + 0.72 * np.cos(q * t)
    return np.stack([radius * np.cos(p * t), 0.98 * np.sin(q * t), radius * np.sin(p * t)], axis=-1)


def _knot() -> Grid:
    """The knot's tube, with ridges that wind along it and a colour that goes round once."""
    along, around = KNOT_STEPS
    t = np.linspace(0, 2 * math.pi, along, endpoint=False)
    centre = _knot_curve(t)
    tangent = _unit(_knot_curve(t + 1e-4) - _knot_curve(t - 1e-4))
    side = _unit(np.cross(tangent, centre * (1, 0, 1)))
    other = np.cross(tangent, side)
    phi = np.linspace(0, 2 * math.pi, around, endpoint=False)
    radius = TUBE_RADIUS + RIDGE_DEPTH * np.cos(RIDGES * phi[None, :] + 12 * t[:, None])
    offsets = np.cos(phi)[None, :, None] * side[:, None] + np.sin(phi)[None, :, None] * other[:, None]
    vertices = centre[:, None] + radius[:, :, None] * offsets
    blend = 0.5 + 0.5 * np.cos(t)[:, None, None]
    colours = np.broadcast_to(blend * WARM + (1 - blend) * np.array(COOL), vertices.shape)
    return vertices.reshape(-1, 3), _wrapped_faces(along, around), np.rint(colours).astype(np.uint8).reshape(-1, 3)


def _turntable(top: float) -> Grid:
    """A disc with a rounded rim below height `top`."""
    rim = [(0.94, 0), (0.975, -0.012), (0.995, -0.04), (1, -0.08), (1, -0.16)]
    profile = np.array([(0, 0), (0.5, 0), *rim, (0, -0.16)])
    phi = np.linspace(0, 2 * math.pi, TURNTABLE_STEPS, endpoint=False)
    radius = TURNTABLE_RADIUS * profile[:, 0, None]
    height = np.broadcast_to(top + profile[:, 1, None], (len(profile), len(phi)))
    vertices = np.stack([radius * np.cos(phi), height, radius * np.sin(phi)], axis=-1).reshape(-1, 3)
    faces = _wrapped_faces(len(profile), len(phi))[: 2 * (len(profile) - 1) * len(phi)]
    return vertices, faces, np.broadcast_to(np.array(PLASTER, np.uint8), vertices.shape)


def _wrapped_faces(rows: int, columns: int) -> np.ndarray:
    """Two triangles per cell of a grid that wraps in both directions, row by row."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    right, down = (column + 1) % columns, (row + 1) % rows
    a, b, c, d = row * columns + column, row * columns + right, down * columns + right, down * columns + column
    return np.stack([a, b, c, a, c, d], axis=1).reshape(-1, 3).astype(np.int32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _write_ply(path: Path, pieces: list[Grid]) -> None:
    vertex = np.dtype([("position", "<f4", 3), ("colour", "u1", 3)])
    face = np.dtype([("corners", "u1"), ("index", "<i4", 3)])
    vertices = np.concatenate([np.empty(0, vertex), *(_records(vertex, v, c) for v, _, c in pieces)])
    starts = np.cumsum([0, *(len(v) for v, _, _ in pieces)])
    index = np.concatenate([faces + start for (_, faces, _), start in zip(pieces, starts, strict=False)])
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment Outfield demonstration mesh\nelement vertex {len(vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {len(index)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    corners = np.full(len(index), 3, np.uint8)
    path.write_bytes(header.encode() + vertices.tobytes() + _records(face, corners, index).tobytes())


def _records(kind: np.dtype, *columns: np.ndarray) -> np.ndarray:
    records = np.empty(len(columns[0]), kind)
    for name, column in zip(kind.names or (), columns, strict=True):
        records[name] = column
    return records
