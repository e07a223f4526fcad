"""A farm of different machines makes the same pixels: narrow vectors and no fused multiply-add change no bit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trimesh
from films import film_of

from kernels.camera import look_at
from kernels.coverage import Part
from kernels.mesh import make_mesh, render_mesh
from kernels.spheres import render_spheres
from kernels.view import Sampling, make_view

HERE = Path(__file__).resolve()
PATHS = os.pathsep.join([str(HERE.parents[2]), str(HERE.parents[1] / "support")])


def digests() -> str:
    """Hashes of the accumulators of the built-in scene and of a mesh."""
    sampling = Sampling(3, 5, 0.8, 4)
    part = Part(0, 0, 37, 21, 0, 3)
    spheres = make_view(look_at((0.0, 0.0, 0.0), (0.0, 0.0, -3.0), (0.0, 1.0, 0.0), 1.0), 37, 21, sampling)
    ball = trimesh.creation.torus(0.6, 0.2).triangles
    mesh = make_mesh(ball, [[0.8, 0.4, 0.2]], ball[:, :, 0].astype(int) * 0)
    around = make_view(look_at((0.3, 1.4, 1.7), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 0.5), 37, 21, sampling)
    films = [
        film_of(render_spheres, spheres, part, 1),
        film_of(lambda sums, squares, block, view: render_mesh(sums, squares, block, view, mesh), around, part, 4),
    ]
    assert all(film.sums.any() for film in films)
    return " ".join(hashlib.sha256(film.sums.tobytes() + film.squares.tobytes()).hexdigest() for film in films)


@pytest.mark.parametrize("cpu", ["generic"])
def test_another_cpu_makes_the_same_bits(cpu: str) -> None:
    environment = os.environ | {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": "", "PYTHONPATH": PATHS}
    other = subprocess.run([sys.executable, str(HERE)], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digests()


if __name__ == "__main__":
    sys.stdout.write(digests())
