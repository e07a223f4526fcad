"""Meshes from files: good ones render, bad ones are refused in plain words, none reaches outside its folder."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from kernel_work import Tasks
from PIL import Image

from worker.runners.base import RenderFailed
from worker.runners.kernel import KernelRunner
from worker.runners.kernel.demo import demo_mesh
from worker.runners.kernel.mesh_file import BadMesh, read_triangles
from worker.runners.kernel.stage import MeshShelf

RED = (255, 0, 0, 255)


@pytest.fixture(scope="module")
def runner() -> Iterator[KernelRunner]:
    runner = KernelRunner("1.2.3")
    yield runner
    runner.close()


@pytest.fixture
def tasks(runner: KernelRunner, tmp_path: Path) -> Tasks:
    (tmp_path / "out").mkdir()
    return Tasks(runner, tmp_path / "out")


def ball() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=2)


@pytest.mark.parametrize("ending", ["obj", "ply", "glb"])
def test_every_format_renders_the_same_ball(tasks: Tasks, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ball.{ending}"
    ball().export(path)
    image = np.asarray(Image.open(tasks.run(mesh=path, format="png")[0].path))
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 2
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == corners[0]).all()
    assert corners[0, 0] > 200
    assert image[12, 16, 0] < 230  # the ball


def test_gltf_with_its_buffer_beside_it(tmp_path: Path) -> None:
    for name, data in trimesh.Scene([ball()]).export(file_type="gltf").items():
        (tmp_path / name).write_bytes(data)
    assert len(read_triangles(tmp_path / "model.gltf").corners) == len(ball().faces)


def test_colours_of_vertices_faces_and_materials(tmp_path: Path) -> None:
    mesh = ball()
    mesh.visual.vertex_colors = np.tile((255, 128, 0, 255), (len(mesh.vertices), 1))
    mesh.export(tmp_path / "v.ply")
    ply = read_triangles(tmp_path / "v.ply")
    assert ply.colours[0] == pytest.approx((1, 0.2158605, 0), abs=1e-6)  # sRGB 128
    assert ply.tints.shape == (len(mesh.faces), 3)
    mesh.export(tmp_path / "v.glb")
    assert read_triangles(tmp_path / "v.glb").colours[0] == pytest.approx((1, 128 / 255, 0), abs=1e-6)  # linear
    (tmp_path / "m.mtl").write_text("newmtl red\nKd 1 0 0\n")
    (tmp_path / "m.obj").write_text("mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl red\nf 1 2 3\n")
    obj = read_triangles(tmp_path / "m.obj")
    assert obj.colours[obj.tints[0, 0]] == pytest.approx((1, 0, 0), abs=1e-6)


def test_scene_graph_places_and_repeats(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    scene.add_geometry(ball(), geom_name="ball", node_name="a")
    scene.graph.update("b", geometry="ball", matrix=trimesh.transformations.translation_matrix((5, 0, 0)))
    scene.export(tmp_path / "two.glb")
    corners = read_triangles(tmp_path / "two.glb").corners
    assert len(corners) == 2 * len(ball().faces)
    assert corners[:, :, 0].max() == pytest.approx(6, abs=0.05)
    assert corners[:, :, 0].min() == pytest.approx(-1, abs=0.05)


def test_polygons_are_cut_into_triangles(tmp_path: Path) -> None:
    (tmp_path / "quad.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1 2 3 4\n")
    assert len(read_triangles(tmp_path / "quad.obj").corners) == 2


def gltf_with(uri: str) -> str:
    model = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": uri, "byteLength": 36}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
    }
    return json.dumps(model)


TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()


def test_embedded_buffers_and_escaped_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "in.gltf").write_text(
        gltf_with("data:application/octet-stream;base64," + base64.b64encode(TRIANGLE).decode())
    )
    (tmp_path / "my buffer.bin").write_bytes(TRIANGLE)
    (tmp_path / "by.gltf").write_text(gltf_with("my%20buffer.bin"))
    assert np.array_equal(read_triangles(tmp_path / "in.gltf").corners, read_triangles(tmp_path / "by.gltf").corners)


@pytest.mark.parametrize("how", ["dots", "absolute", "escaped", "link"])
def test_gltf_buffers_outside_the_folder_are_refused(tmp_path: Path, how: str) -> None:
    (tmp_path / "secret.bin").write_bytes(TRIANGLE)
    folder = tmp_path / "scene"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    uri = {
        "dots": "../secret.bin",
        "absolute": str(tmp_path / "secret.bin"),
        "escaped": "%2e%2e/secret.bin",
        "link": "link.bin",
    }[how]
    (folder / "m.gltf").write_text(gltf_with(uri))
    with pytest.raises(BadMesh, match="outside the scene's folder"):
        read_triangles(folder / "m.gltf")


def test_materials_outside_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.mtl").write_text("newmtl red\nKd 1 0 0\n")
    folder = tmp_path / "scene"
    folder.mkdir()
    (folder / "m.obj").write_text("mtllib ../secret.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl red\nf 1 2 3\n")
    with pytest.raises(BadMesh, match="outside the scene's folder"):
        read_triangles(folder / "m.obj")


BROKEN = {
    "empty.obj": b"",
    "text.obj": b"this is no mesh\n",
    "points.obj": b"v 0 0 0\nv 1 0 0\n",
    "range.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    "nan.obj": b"v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n",
    "line.obj": b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n",
    "dot.obj": b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n",
    "cut.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 999999999\nproperty float x\nend_header\n\0\0",
    "empty.ply": b"",
    "short.glb": b"glTF\x02\0\0\0\xff\xff\xff\x7f",
    "noise.glb": bytes(range(256)) * 4,
    "list.gltf": b"[]",
    "lost.gltf": gltf_with("gone.bin").encode(),
    "tall.stl": b"solid",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_plain_words(tasks: Tasks, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name])
    with pytest.raises(RenderFailed) as failed:
        tasks.run(mesh=path)
    assert failed.value.failure == "user"
    assert name in failed.value.message
    assert "xport" in failed.value.message


def test_a_missing_file_is_named(tasks: Tasks, tmp_path: Path) -> None:
    with pytest.raises(RenderFailed, match=r"gone\.obj cannot be opened"):
        tasks.run(mesh=tmp_path / "gone.obj")


def test_too_many_triangles_are_counted_before_memory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.runners.kernel.mesh_file.TRIANGLES_MAX", 500)
    scene = trimesh.Scene()
    scene.add_geometry(ball(), geom_name="ball")
    scene.graph.update("again", geometry="ball")
    scene.export(tmp_path / "many.glb")
    with pytest.raises(BadMesh, match="more than 500 triangles"):
        read_triangles(tmp_path / "many.glb")


def test_the_shelf_keeps_what_is_used_and_notices_changes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.obj" for i in range(3)]
    for path in paths:
        ball().export(path)
    shelf = MeshShelf(2)
    first = shelf.get(paths[0], "00001")
    shelf.get(paths[1], "00002")
    assert shelf.get(paths[0], "00003") is first
    shelf.get(paths[2], "00004")  # pushes out 1, which was used longest ago
    assert shelf.jobs() == ["00001", "00003", "00004"]
    trimesh.creation.box().export(paths[0])
    os.utime(paths[0], ns=(1, 1))
    assert len(shelf.get(paths[0], "00005").mesh.corners) == 12
    shelf.clear()
    assert shelf.jobs() == []


def test_the_runner_says_whose_mesh_is_open(tasks: Tasks, tmp_path: Path) -> None:
    ball().export(tmp_path / "ball.obj")
    tasks.run(mesh=tmp_path / "ball.obj", job="00042")
    assert "00042" in tasks.runner.warm()


def test_the_demonstration_mesh_is_sound(tmp_path: Path) -> None:
    demo_mesh(tmp_path / "demo.ply")
    mesh = trimesh.load_mesh(tmp_path / "demo.ply", process=False)
    assert 100_000 < len(mesh.faces) < 200_000
    assert mesh.is_winding_consistent
    assert len(read_triangles(tmp_path / "demo.ply").corners) == len(mesh.faces)


def test_where_the_scene_stands_does_not_matter(tasks: Tasks, tmp_path: Path) -> None:
    """Millimetres at the origin or kilometres far away: the same picture."""
    small, large = ball(), ball()
    large.apply_scale(1e4)
    large.apply_translation((1e6, -2e6, 3e6))
    small.export(tmp_path / "small.ply")
    large.export(tmp_path / "large.ply")
    images = [
        np.asarray(Image.open(tasks.run(mesh=tmp_path / f"{name}.ply", format="png")[0].path), int)
        for name in ("small", "large")
    ]
    assert np.abs(images[0] - images[1]).mean() < 0.5
