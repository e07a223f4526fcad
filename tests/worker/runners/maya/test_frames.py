"""Frames as a fake `Render` writes them: found, checked and handed over; one process for frames in a row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_render import scene_text
from PIL import Image

from worker.runners.picture_files import check_image


@pytest.mark.parametrize("engine", ["file", "arnold", "sw", "hw2"])
@pytest.mark.parametrize("image_format", ["png", "jpg", "exr"])
def test_every_engine_of_autodesks_writes_every_format(bench, engine: str, image_format: str) -> None:
    settings = {"engine": engine, "width": 40, "height": 30}
    made = bench.run(bench.scene(), format=image_format, frames=[3, 4], settings=settings)
    assert [(each.name, each.kind, each.frame) for each in made] == [
        (f"000{frame}.{image_format}", "frame", frame) for frame in (3, 4)
    ]
    assert [check_image(each.path, image_format, (40, 30)) for each in made] == [(40, 30)] * 2


@pytest.mark.parametrize("engine", ["vray", "redshift", "renderman"])
def test_engines_that_name_their_own_format(bench, engine: str) -> None:
    settings = {"engine": engine, "width": 40, "height": 30}
    (made,) = bench.run(bench.scene("writes exr"), format="exr", settings=settings)
    assert check_image(made.path, "exr", (40, 30)) == (40, 30)
    failed = bench.fail(bench.scene("writes tif"), format="png", settings=settings)
    assert failed.failure == "user" and "writes frame 1 as .tif" in failed.message


def test_a_binary_scene(bench) -> None:
    scene = bench.scene(name="shot.mb")
    scene.write_bytes(b"FOR8" + bytes(12) + b"MayaFOR8" + bytes(12) + b"HEAD\nrs_hero\0\n//fake: layers rs_hero\n")
    (made,) = bench.run(scene, settings={"layer": "hero"})
    assert made.frame == 1


def test_frames_in_a_row_are_one_process(bench) -> None:
    made = bench.run(bench.scene(), frames=[1, 2, 3, 4, 5])
    assert [each.frame for each in made] == [1, 2, 3, 4, 5] and bench.commands == 1


def test_frames_with_a_step_are_one_process_and_others_more(bench) -> None:
    made = bench.run(bench.scene(), frames=[11, 1, 3, 5, 7, 12])
    assert [each.frame for each in made] == [1, 3, 5, 7, 11, 12] and bench.commands == 2


def test_frames_before_zero(bench) -> None:
    made = bench.run(bench.scene(), frames=[-2, -1, 0])
    assert [each.name for each in made] == ["-0002.png", "-0001.png", "0000.png"]
    assert len({Image.open(each.path).getpixel((0, 0)) for each in made}) == 3


def test_the_beauty_pass_is_kept_and_the_rest_is_named(bench) -> None:
    (made,) = bench.run(bench.scene("passes diffuse beauty specular", "layers defaultRenderLayer"))
    assert made.name == "0001.png"
    assert "Frame 1: masterLayer/beauty/frame.0001.png is kept, 2 more are not." in bench.log
    (made,) = bench.run(bench.scene("passes diffuse", "writes png"), settings={"engine": "vray"})
    assert any("frame.0001.png is kept, 1 more" in line for line in bench.log)


@pytest.mark.parametrize(
    ("layer", "nodes", "folder"),
    [
        ("hero", "defaultRenderLayer rs_hero", "rs_hero"),
        ("rs_hero", "defaultRenderLayer rs_hero", "rs_hero"),
        ("hero", "defaultRenderLayer hero rs_heroine", "hero"),
        ("masterLayer", "defaultRenderLayer hero", "masterLayer"),
        ("prop:hero", "defaultRenderLayer prop:hero", "prop:hero"),
    ],
)
def test_layers_of_both_kinds_are_called_by_their_nodes(bench, layer: str, nodes: str, folder: str) -> None:
    body = "".join(f'createNode renderLayer -n "{node}";\n' for node in nodes.split())
    bench.run(bench.scene(f"layers {nodes}", "passes a beauty", body=body), settings={"layer": layer})
    assert any(line.startswith(f"Frame 1: {folder}/beauty/") for line in bench.log)


def test_progress_comes_from_the_log_and_never_falls(bench) -> None:
    bench.run(bench.scene(), frames=[1, 2], settings={"engine": "arnold"})
    fractions = [fraction for fraction, _ in bench.progress]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert "45" not in bench.progress[0][1] and any("% done" in line for line in bench.log)


def test_a_scene_in_a_folder_with_odd_signs_is_reached_by_a_link(bench) -> None:
    scene = bench.scene(name='it\'s $(touch x); "a"/shot.ma')
    (made,) = bench.run(scene)
    assert made.frame == 1 and not list(bench.folder.rglob("x"))


def test_an_odd_file_name_is_refused_in_words(bench) -> None:
    failed = bench.fail(bench.scene(name="a`touch x`.ma"))
    assert failed.failure == "user" and "Rename it" in failed.message and bench.commands == 0


def bundle(folder: Path, files: dict[str, str], origins: dict[str, str]) -> Path:
    """A bundle as the worker lays it out; its manifest."""
    for place, text in files.items():
        path = folder / "tree" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    content: dict[str, Any] = {"format": 1, "scene": "scenes/shot.ma", "files": dict.fromkeys(files, "0" * 64)}
    (folder / "manifest.json").write_text(json.dumps(content | {"origins": origins}))
    return folder / "manifest.json"


@pytest.mark.parametrize(
    ("texture", "origins", "project"),
    [
        ("/home/anna/show/tex/wood.png", {"/home/anna/show/scenes": "scenes", "/home/anna/show/tex": "tex"}, ""),
        ("tex/wood.png", {"/home/anna/show": "", "/home/anna/show/tex": "tex"}, "/home/anna/show"),
        ("C:/Show/Tex/wood.png", {"c:/show/scenes": "scenes", "c:/show/tex": "Tex"}, "C:/Show"),
        ("D:/Library of WOOD/wood.png", {"d:/library of wood": "lib"}, ""),
        ('/mnt/it\'s "lib"\\;system()/wood.png', {'/mnt/it\'s "lib"\\;system()': "tex"}, ""),
    ],
)
def test_a_bundle_finds_its_textures(bench, tmp_path, texture: str, origins: dict[str, str], project: str) -> None:
    body = f'createNode file -n "file1";\n\tsetAttr ".ftn" -type "string" "{texture}";\n'
    files = {"scenes/shot.ma": scene_text(body=body), f"{[*origins.values()][-1]}/wood.png": "wood"}
    manifest = bundle(tmp_path / "it's a bundle", files, origins)
    settings = {"project": project} if project else {}
    bench.run(manifest.parent / "tree" / "scenes" / "shot.ma", manifest=manifest, settings=settings)
    assert any(line.endswith("/wood.png") and " is " in line for line in bench.log)
    settings = {"project": "/nowhere"}
    failed = bench.fail(manifest.parent / "tree" / "scenes" / "shot.ma", settings=settings)
    assert failed.failure == "user" and "wood.png" in failed.message
