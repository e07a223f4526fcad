"""Scenes ready for the kernels: the built-in spheres, or a mesh; with their cameras. Meshes are kept between tasks."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from kernels import mesh as meshes
from kernels import spheres
from kernels.camera import Point, framing, look_at, orbited, rings
from kernels.view import Block, Sampling, View, make_view
from scheduler.protocol.renderers import KernelSettings
from worker.runners.kernel.mesh_file import BadMesh, Triangles, read_triangles

SPHERES_RAYS_MAX = 1_000_000
"""Rays in one block of the built-in scene: about a millisecond."""
MESH_RAYS_MAX = 100_000
"""Rays in one block of a mesh: 10 to 30 ms, so that cancelling takes no longer."""

SPHERES_POSITION: Point = (0.0, 0.0, 0.0)
SPHERES_TARGET: Point = (0.0, 0.0, -3.0)
SPHERES_FOV_DEG = 90.0
MESH_FOV_DEG = 40.0
UP: Point = (0.0, 1.0, 0.0)


class Stage(Protocol):
    """A scene that can be rendered block by block."""

    channels: int
    rays_max: int

    def view(self, settings: KernelSettings, frame: int) -> View:
        """The view of one frame. Raises `kernels.camera.BadCamera`."""
        ...

    def render(self, sums: np.ndarray, squares: np.ndarray, block: Block, view: View) -> None:
        """Adds a block to accumulators (`kernels.film.Film`)."""
        ...


def samples_per_pixel(settings: KernelSettings) -> int:
    """Camera rays per pixel: `samples`, or `subsamples` squared."""
    return settings.samples or settings.subsamples**2


def _sampling(settings: KernelSettings, scale: float) -> Sampling:
    reach = None if settings.ao_distance is None else settings.ao_distance * scale
    return Sampling(samples_per_pixel(settings), settings.ao_samples, reach, settings.seed)


def _half_height(fov_deg: float) -> float:
    return math.tan(math.radians(fov_deg) / 2)


class Spheres:
    """The built-in scene, seen as aobench sees it unless the settings say otherwise."""

    channels = spheres.CHANNELS
    rays_max = SPHERES_RAYS_MAX

    def view(self, settings: KernelSettings, frame: int) -> View:
        """Portrait images keep the scene's width, all others its height."""
        position, target, up = SPHERES_POSITION, SPHERES_TARGET, UP
        half_height = _half_height(SPHERES_FOV_DEG) * max(settings.height / settings.width, 1.0)
        if settings.camera is not None:
            position, target, up = settings.camera.position, settings.camera.target, settings.camera.up
            half_height = _half_height(settings.camera.fov_deg)
        if settings.orbit_deg_per_frame:
            position = orbited(position, target, up, settings.orbit_deg_per_frame * frame)
        camera = look_at(position, target, up, half_height)
        return make_view(camera, settings.width, settings.height, _sampling(settings, 1.0))

    def render(self, sums: np.ndarray, squares: np.ndarray, block: Block, view: View) -> None:
        """See `Stage`."""
        spheres.render_spheres(sums, squares, block, view)


@dataclass
class MeshStage:
    """A mesh from a file. Cameras are given in scene units and carried over into the kernel's."""

    mesh: meshes.Mesh
    placement: meshes.Placement
    circles: np.ndarray
    channels: int = meshes.CHANNELS
    rays_max: int = MESH_RAYS_MAX
    jobs: set[str] = field(default_factory=set)

    def view(self, settings: KernelSettings, frame: int) -> View:
        """Without a camera in the settings, one that has the whole mesh in view from the front, slightly above."""
        if settings.camera is None:
            half_height = _half_height(MESH_FOV_DEG)
            position, target = framing(self.circles, half_height, settings.width / settings.height)
            up = UP
        else:
            half_height = _half_height(settings.camera.fov_deg)
            position, target = self._inside(settings.camera.position), self._inside(settings.camera.target)
            up = settings.camera.up
        if settings.orbit_deg_per_frame:
            position = orbited(position, target, up, settings.orbit_deg_per_frame * frame)
        camera = look_at(position, target, up, half_height)
        return make_view(camera, settings.width, settings.height, _sampling(settings, self.placement.scale))

    def render(self, sums: np.ndarray, squares: np.ndarray, block: Block, view: View) -> None:
        """See `Stage`."""
        meshes.render_mesh(sums, squares, block, view, self.mesh)

    def _inside(self, point: Point) -> Point:
        centre, scale = self.placement
        x, y, z = ((p - c) * scale for p, c in zip(point, centre, strict=True))
        return x, y, z


def mesh_stage(triangles: Triangles, name: str) -> MeshStage:
    """Builds the hierarchy over triangles; `name` is what errors call the mesh. Raises `BadMesh`."""
    corners, placement = meshes.normalised(triangles.corners)
    try:
        mesh = meshes.make_mesh(corners, triangles.colours, triangles.tints)
    except meshes.NoTriangles as error:
        raise BadMesh(f"{name}: {error} Export surfaces with an area.") from error
    return MeshStage(mesh, placement, rings(corners.reshape(-1, 3)))


MeshKey = tuple[str, int, int]


class MeshShelf:
    """The last few meshes, by path, time and size of the file; one thread at a time loads."""

    def __init__(self, meshes_max: int) -> None:
        self._meshes_max = meshes_max
        self._shelf: OrderedDict[MeshKey, MeshStage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path, job: str) -> MeshStage:
        """The mesh in `path`, loaded if it is new or has changed. Raises `BadMesh`."""
        try:
            status = path.stat()
        except OSError as error:
            raise BadMesh(f"{path.name} cannot be opened: {error.strerror}. Check that workers can see it.") from error
        key = (str(path), status.st_mtime_ns, status.st_size)
        with self._lock:
            stage = self._shelf.get(key)
            if stage is None:
                stage = self._shelf[key] = mesh_stage(read_triangles(path), path.name)
            self._shelf.move_to_end(key)
            while len(self._shelf) > self._meshes_max:
                self._shelf.popitem(last=False)
            stage.jobs.add(job)
        return stage

    def jobs(self) -> list[str]:
        """Jobs whose mesh is on the shelf."""
        with self._lock:
            return sorted({job for stage in self._shelf.values() for job in stage.jobs})

    def drop(self, job: str) -> None:
        """Forgets the meshes that a job has used; another job that uses one too loads it again."""
        with self._lock:
            for key in [key for key, stage in self._shelf.items() if job in stage.jobs]:
                del self._shelf[key]

    def clear(self) -> None:
        """Forgets all meshes."""
        with self._lock:
            self._shelf.clear()
