"""A zip of a scene: is it harmless, and which of its files is meant."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import hostile_archives
import pytest

from scheduler.errors import Refused
from scheduler.scenes.archive import ArchiveFacts, inspect

BLEND = b"BLENDER-v304RENDH" + bytes(100) + b"ENDB" + bytes(20)
OBJ = b"o Cube\nv 0 0 0\n"
PLY = b"ply\nformat ascii 1.0\nend_header\n"
CORPUS = hostile_archives.corpus()

READ_LATER = {
    "smaller than it says", "larger than it says", "wrong checksum", "no deflate stream", "cut deflate stream",
    "another name inside", "member at the directory",
}  # fmt: skip
"""Damage inside of members that are not the scene: found by the worker, which reads them."""


def zipped(folder: Path, *names: str, **content: bytes) -> Path:
    path = folder / "scene.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            kind = Path(name).suffix.lstrip(".").lower()
            archive.writestr(name, content.get(kind, {"blend": BLEND, "obj": OBJ, "ply": PLY}.get(kind, b"data")))
    return path


def refused(path: Path, scene: str | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        inspect(path, scene=scene)
    assert caught.value.hint != Refused.hint
    return caught.value


def test_the_scene_is_found_and_looked_at(tmp_path: Path) -> None:
    path = zipped(tmp_path, "sh010/light.blend", "sh010/textures/wood.png", "sh010/mesh/cube.obj", "readme.txt")

    assert inspect(path) == ArchiveFacts("sh010/light.blend", "light", "blender", "3.4", 4, len(BLEND) + len(OBJ) + 8)


@pytest.mark.parametrize(
    ("names", "scene"),
    [
        (("a.blend",), "a.blend"),
        (("A.BLEND",), "A.BLEND"),
        (("./a//b.obj", "a/deeper/c.obj"), "a/b.obj"),
        (("a.blend", "a.blend1", ".hidden.blend", "__MACOSX/._a.blend", "__MACOSX/x.blend"), "a.blend"),
        (("x/y/z/a.ply", "x/y/notes.txt"), "x/y/z/a.ply"),
        (("a.blend", "sub/other.max"), "a.blend"),
    ],
)
def test_the_shallowest_scene_is_meant(names: tuple[str, ...], scene: str, tmp_path: Path) -> None:
    assert inspect(zipped(tmp_path, *names)).scene == scene


def test_several_scenes_are_listed(tmp_path: Path) -> None:
    path = zipped(tmp_path, "b.blend", "a.obj", "deep/c.obj")

    error = refused(path)

    assert error.code == "scene_ambiguous"
    assert error.message == "The archive holds several scenes: b.blend, a.obj."
    assert error.details == {"field": "scene", "candidates": ["b.blend", "a.obj"]}
    assert inspect(path, scene="a.obj").renderer == "kernel"
    assert inspect(path, scene="./deep/c.obj").scene == "deep/c.obj"


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    assert refused(zipped(tmp_path, *(f"{i}.obj" for i in range(30)))).message.endswith("9.obj and 20 more.")


@pytest.mark.parametrize("scene", ["c.blend", "../a.blend", "", "/a.blend"])
def test_a_scene_that_is_not_in_the_archive(scene: str, tmp_path: Path) -> None:
    error = refused(zipped(tmp_path, "a.blend"), scene)

    assert error.code == "scene_missing"
    assert "a.blend" in error.hint


def test_an_archive_without_a_scene(tmp_path: Path) -> None:
    error = refused(zipped(tmp_path, "readme.txt", "wood.png"))

    assert error.code == "scene_missing"
    assert "none of its 2 files" in error.message


def test_a_luxrender_scene_like_fincas_is_refused_in_plain_words(tmp_path: Path) -> None:
    """Finca's sample: the scene on top, its meshes three folders down."""
    path = zipped(tmp_path, "docker.lxs", "docker/Scene/00001/LuxRender-Geometry.lxo", "docker/Scene/00001/Plane.ply")

    error = refused(path)

    assert error.code == "scene_unknown_ending"
    assert error.message == "docker.lxs is a LuxRender scene, and this farm has no renderer for .lxs."


def test_a_scene_that_is_not_what_its_ending_says(tmp_path: Path) -> None:
    assert refused(zipped(tmp_path, "a.blend", blend=b"no")).code == "scene_not_blend"


def test_a_scene_with_a_wrong_checksum(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(hostile_archives.zipped([hostile_archives.Entry("a.obj", OBJ, crc=1)]))

    assert refused(tmp_path / "a.zip").code == "archive_damaged"


@pytest.mark.parametrize("kind", sorted(CORPUS.keys() - READ_LATER))
def test_a_hostile_archive_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(CORPUS[kind])
    start = time.perf_counter()

    assert refused(path).code.startswith("archive_")
    assert time.perf_counter() - start < 1.0
    assert list(tmp_path.iterdir()) == [path]
