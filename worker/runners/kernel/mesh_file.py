"""Meshes from files: OBJ, PLY, GLB and glTF, read by trimesh, as triangles with linear base colours.

A scene is somebody else's file. It may refer to files in its own folder and below, to nothing else; what cannot be read
becomes a `BadMesh` in plain words. Colours of glTF are linear by its specification, those of OBJ and PLY taken as sRGB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import trimesh
from trimesh.resolvers import Resolver

from kernels.develop import linear_values

TRIANGLES_MAX = 50_000_000
"""About 8 GB of hierarchy; more than that belongs in a renderer that streams geometry."""
ENDINGS = (".obj", ".ply", ".glb", ".gltf")
LINEAR_ENDINGS = (".glb", ".gltf")
DEFAULT_COLOUR = 0.72
"""Linear light grey for meshes without a colour of their own."""


class BadMesh(Exception):
    """A mesh that cannot be rendered, in words for the artist."""


@dataclass(frozen=True)
class Triangles:
    """`corners` float64 (n, 3, 3); `colours` float32 (k, 3) linear; `tints` int32 (n, 3) picks a colour per corner."""

    corners: np.ndarray
    colours: np.ndarray
    tints: np.ndarray


class FolderResolver(Resolver):
    """Gives a mesh the files it names, if they lie in `folder` or below, links followed; notes those that do not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.refused: list[str] = []

    def get(self, key: str) -> bytes:
        """The bytes of a file named relative to the folder."""
        for name in dict.fromkeys((key.strip(), unquote(key.strip()))):
            path = (self.folder / name).resolve()
            if not path.is_relative_to(self.folder):
                self.refused.append(key)
                raise FileNotFoundError(key)
            if path.is_file():
                return path.read_bytes()
        raise FileNotFoundError(key)

    def keys(self) -> Iterator[str]:
        """Nothing is offered that was not asked for by name."""
        return iter(())

    def namespaced(self, namespace: str) -> FolderResolver:  # noqa: ARG002
        """Names stay relative to the scene's own folder."""
        return self

    def write(self, name: str, data: Any) -> None:  # noqa: ARG002
        """Scenes are read, never written."""
        raise PermissionError(name)


def read_triangles(path: Path) -> Triangles:
    """All triangles of a mesh file, placed as its scene graph says. Raises `BadMesh`."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise BadMesh(f"{path.name} is not a mesh this renderer knows. Export it as OBJ, PLY, GLB or glTF.")
    resolver = FolderResolver(path.parent)
    try:
        with path.open("rb") as file:
            scene = trimesh.load_scene(file, file_type=ending[1:], resolver=resolver, process=False)
        pieces = list(_pieces(scene, linear=ending in LINEAR_ENDINGS))
    except BadMesh:
        raise
    except Exception as error:  # a parser fed with a broken file may raise anything
        _refuse_escapes(path, resolver)
        cause = f"{type(error).__name__}: {error}"
        raise BadMesh(
            f"{path.name} cannot be read ({cause}). Open it where it was made and export it again."
        ) from error
    _refuse_escapes(path, resolver)
    return _joined(path, pieces)


def _refuse_escapes(path: Path, resolver: FolderResolver) -> None:
    if resolver.refused:
        raise BadMesh(
            f"{path.name} refers to {resolver.refused[0]!r}, which lies outside the scene's folder. "
            "Put the file next to the scene, or export one GLB that holds everything."
        )


def _pieces(scene: trimesh.Scene, *, linear: bool) -> Iterator[Triangles]:
    """One piece per node of the scene graph that has triangles."""
    count = 0
    for node in sorted(scene.graph.nodes_geometry):
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if not isinstance(geometry, trimesh.Trimesh) or len(geometry.faces) == 0:
            continue
        count += len(geometry.faces)
        if count > TRIANGLES_MAX:
            raise BadMesh(f"The mesh has more than {TRIANGLES_MAX:,} triangles. Reduce it, or render it in parts.")
        vertices = trimesh.transform_points(geometry.vertices, transform)
        faces = np.asarray(geometry.faces)
        colours, tints = _colours(geometry, linear=linear)
        yield Triangles(vertices[faces], colours, tints)


def _colours(mesh: trimesh.Trimesh, *, linear: bool) -> tuple[np.ndarray, np.ndarray]:
    """Linear colours of a mesh and which of them each corner has: of vertices, of faces, or one for all."""
    faces = np.asarray(mesh.faces)
    visual: Any = mesh.visual  # one of two classes that share no interface
    if visual.kind == "texture":
        material = visual.material
        image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
        if image is None or visual.uv is None:
            return _linear(np.atleast_2d(material.main_color), linear=linear), np.zeros(faces.shape, np.int32)
        # The picture in a texture is sRGB even in glTF.
        return _linear(visual.to_color().vertex_colors, linear=False), faces
    if visual.kind == "vertex":
        return _linear(visual.vertex_colors, linear=linear), faces
    if visual.kind == "face":
        return _linear(visual.face_colors, linear=linear), np.repeat(np.arange(len(faces))[:, None], 3, axis=1)
    return np.full((1, 3), DEFAULT_COLOUR, np.float32), np.zeros(faces.shape, np.int32)


def _linear(rgba: np.ndarray, *, linear: bool) -> np.ndarray:
    """float32 (n, 3) of 8-bit colours."""
    values = np.asarray(rgba)[:, :3]
    return (values / 255 if linear else linear_values(values)).astype(np.float32)


def _joined(path: Path, pieces: list[Triangles]) -> Triangles:
    if not pieces:
        raise BadMesh(f"{path.name} has no triangles. Export surfaces, not points, curves or an empty scene.")
    offsets = np.cumsum([0, *(len(piece.colours) for piece in pieces)])
    joined = Triangles(
        np.concatenate([piece.corners for piece in pieces]).astype(np.float64),
        np.concatenate([piece.colours for piece in pieces]),
        np.concatenate([piece.tints + offset for piece, offset in zip(pieces, offsets, strict=False)]).astype(np.int32),
    )
    if not np.isfinite(joined.corners).all():
        raise BadMesh(f"{path.name} has vertices that are not numbers. Clean the mesh and export it again.")
    return joined
