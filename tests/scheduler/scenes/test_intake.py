"""Which renderer a scene belongs to, and whether it is what its ending says."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import Refused
from scheduler.protocol.renderers import RENDERERS
from scheduler.scenes.intake import FOREIGN, judge_scene, known_endings, look_at_scene, renderer_for

BLEND = b"BLENDER-v304RENDH" + bytes(100) + b"ENDB" + bytes(20)
OBJ = b"# a cube\nmtllib cube.mtl\no Cube\nv 0 0 0\nf 1 2 3\n"
PLY = b"ply\r\ncomment by hand\r\nformat ascii 1.0\r\nelement vertex 0\r\nend_header\r\n"
GLTF = json.dumps({"asset": {"version": "2.0"}}).encode()


def glb(length: int | None = None, version: int = 2, kind: bytes = b"JSON") -> bytes:
    body = struct.pack("<I4s", len(GLTF), kind) + GLTF
    return struct.pack("<4sII", b"glTF", version, 12 + len(body) if length is None else length) + body


MA = b'//Maya ASCII 2024 scene\n//Name: a.ma\nrequires maya "2024";\n'
MB = (
    b"FOR8"
    + bytes(12)
    + b"MayaFOR8"
    + bytes(12)
    + b"HEADVERS"
    + bytes(4)
    + struct.pack(">Q", 5)
    + b"2024\0"
    + bytes(40)
)
VERSIONS = {"a.blend": "3.4", "a.ma": "2024", "a.mb": "2024"}
WHOLE = {"a.blend": BLEND, "a.obj": OBJ, "a.ply": PLY, "a.glb": glb(), "a.gltf": GLTF, "a.ma": MA, "a.mb": MB}


def refused(path: Path, renderer: str | None = None, name: str | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        look_at_scene(path, renderer, name=name)
    error = caught.value
    assert error.message.endswith((".", ")."))
    assert error.hint != Refused.hint
    return error


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_scene_is_taken(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name])

    facts = look_at_scene(path)

    assert path.suffix in RENDERERS[facts.renderer].endings
    assert facts.version == VERSIONS.get(name, "")
    assert facts.size == len(WHOLE[name])
    assert look_at_scene(path, facts.renderer) == facts


@pytest.mark.parametrize("ending", known_endings())
def test_every_ending_leads_to_its_renderer_in_either_case(ending: str) -> None:
    assert ending in RENDERERS[renderer_for(f"/proj/Scene.v2{ending.upper()}")].endings


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("docker.lxs", "docker.lxs is a LuxRender scene, and this farm has no renderer for .lxs."),
        ("/proj/a.MAX", "a.MAX is a 3ds Max scene, and this farm has no renderer for .max."),
        ("a.xyz", "This farm has no renderer for .xyz (a.xyz)."),
        ("scene", "scene has no ending, so it cannot be told which renderer it is for."),
    ],
)
def test_a_scene_that_nothing_renders_is_refused_in_plain_words(name: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        renderer_for(name)

    assert (caught.value.code, caught.value.message) == ("scene_unknown_ending", message)
    assert ".blend" in caught.value.hint


def test_no_ending_is_both_known_and_foreign() -> None:
    assert not set(FOREIGN) & set(known_endings())


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.blend", b"", "scene_not_blend"),
        ("a.blend", b"hello", "scene_not_blend"),
        ("a.blend", BLEND[:90], "scene_not_blend"),
        ("a.blend", OBJ, "scene_not_blend"),
        ("a.obj", b"", "scene_not_mesh"),
        ("a.obj", BLEND, "scene_not_mesh"),
        ("a.obj", b"just some text\n", "scene_not_mesh"),
        ("a.ply", OBJ, "scene_not_mesh"),
        ("a.ply", PLY[:30], "scene_not_mesh"),
        ("a.ply", PLY[:-14], "scene_not_mesh"),
        ("a.glb", b"", "scene_not_mesh"),
        ("a.glb", glb()[:-1], "scene_not_mesh"),
        ("a.glb", glb() + b"x", "scene_not_mesh"),
        ("a.glb", glb(version=1), "scene_not_mesh"),
        ("a.glb", glb(kind=b"BIN\0"), "scene_not_mesh"),
        ("a.gltf", glb(), "scene_not_mesh"),
        ("a.gltf", b"{}", "scene_not_mesh"),
        ("a.gltf", GLTF[:-1], "scene_not_mesh"),
        ("a.gltf", b"{" * 20_000, "scene_not_mesh"),
        ("a.lxs", b"Film", "scene_unknown_ending"),
    ],
)
def test_what_is_not_what_its_ending_says_is_refused(name: str, data: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)

    assert refused(tmp_path / name).code == code


def test_only_files_that_are_there_and_readable_are_taken(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.blend")
    (tmp_path / "folder.blend").mkdir()
    (tmp_path / "loop.blend").symlink_to("loop.blend")
    (tmp_path / "file").write_bytes(b"")

    assert refused(tmp_path / "none.blend").code == "scene_missing"
    assert refused(tmp_path / "file" / "a.blend").code == "scene_missing"
    for name in ("pipe.blend", "folder.blend", "loop.blend", "nul\0.blend", "x" * 300 + ".blend"):
        assert refused(tmp_path / name).code == "scene_unreadable"


def test_a_blob_goes_by_its_name_or_by_its_content(tmp_path: Path) -> None:
    blob = tmp_path / ("0f" * 32)
    for name, data in WHOLE.items():
        blob.write_bytes(data)
        assert look_at_scene(blob, name=name).ending == Path(name).suffix
    for name in ("a.blend", "a.ply", "a.glb"):
        blob.write_bytes(WHOLE[name])
        assert look_at_scene(blob).ending == Path(name).suffix
    blob.write_bytes(OBJ)
    assert look_at_scene(blob, "kernel").ending == ".obj"
    assert refused(blob).code == "scene_unknown_ending"
    assert refused(blob, "blender").code == "scene_not_blend"


def test_a_renderer_that_does_not_fit_the_scene_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_bytes(OBJ)

    error = refused(tmp_path / "a.obj", "blender")

    assert error.code == "scene_wrong_renderer"
    assert "'kernel'" in error.hint


@given(st.sampled_from([*WHOLE, "a", "a.lxs"]), st.binary(max_size=300), st.integers(0, 2**40), st.booleans())
def test_no_content_upsets_the_look(name: str, data: bytes, size: int, whole: bool) -> None:
    head = WHOLE.get(name, b"")[: len(data)] + data if whole else data

    try:
        found = judge_scene(name, head, size).renderer
    except Refused as error:
        found = error.code

    assert found in RENDERERS or found.startswith("scene_")
