"""What only Houdini has: its networks, variables, render nodes, files. What is the same as in Nuke: `qt`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from addon_farms import golden, kept
from fake_hou import HFS, LOP, ROP, SOP, Type
from qt_programs import part

GOLDEN = Path(__file__).parents[2] / "golden" / "houdini"


def submit(**wishes):
    return part("").submit(**wishes)


def lay(project, *names: str) -> None:
    for name in names:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def production(scene, project) -> None:
    """A shot as they are: Mantra and Karma, caches by the frame, tiles, assets, and what is no file at all."""
    lay(project, "geo/water.0001.bgeo.sc", "geo/water.0002.bgeo.sc", "tex/skin.1001.exr", "tex/skin.1002.exr",
        "tex/wall.png", "hda/tree.hda", "abc/char.abc")  # fmt: skip
    scene.mantra("/out/beauty", "$HIP/render/$OS.$F4.exr", f3=2.0)
    scene.mantra("/out/off", "$HIP/render/off.$F4.exr").bypassed = True
    scene.mantra("/out/asset/inside", "$HIP/render/inside.$F4.exr")
    scene.locked.add("/out/asset/inside")
    scene.add("/stage/karma", Type("usdrender_rop", LOP), outputimage="$HIP/render/karma.$F.png", trange=0, f1=1)
    scene.file("/obj/water/file1", "$HIP/geo/water.$F4.bgeo.sc")
    scene.file("/obj/skin/tex", "$HIP/tex/skin.<UDIM>.exr", "basecolor_texture")
    scene.file("/obj/wall/tex", "$JOB/tex/wall.png")
    scene.file("/obj/char/alembic", "$HIP/abc/char.abc", "fileName")
    scene.file("/obj/cache/filecache", "$HIP/geo/out.$F4.bgeo.sc", filechooser_mode="write")
    scene.file("/obj/inside", "op:/obj/geo1/OUT")
    scene.file("/obj/bypassed", "$HIP/geo/old.bgeo").bypassed = True
    scene.file("/obj/unused", "$HIP/geo/older.bgeo").parm("file").disabled = True
    scene.file("/obj/default", "$HFS/houdini/pic/default.pic")
    scene.libraries += [f"{project}/hda/tree.hda", f"{HFS}/houdini/otls/OPlibSop.hda"]


def test_every_render_node_is_a_job_and_every_file_travels(scene, project, tmp_path):
    production(scene, project)
    made = submit()

    golden(GOLDEN / "production.json", kept(tmp_path / "spool", PROJECT=project))
    assert [each.name for each in made] == ["shot out beauty", "shot stage karma"]


def test_one_node_by_its_path(scene, project):
    production(scene, project)
    (made,) = submit(node="/out/beauty")
    assert made.name == "shot"

    with pytest.raises(Exception, match=r"no node '/out/beuaty'.*/out/beauty, /stage/karma"):
        submit(node="/out/beuaty")


def test_a_folder_with_odd_letters_takes_the_copy(scene, tmp_path, monkeypatch):
    spool = tmp_path / 'sp"oo$l `x`'
    monkeypatch.setenv("OUTFIELD_SPOOL", str(spool))
    scene.mantra("/out/mantra1", "$HIP/render/shot.$F4.exr")
    scene.modified = True
    submit()

    assert Path(scene.writes[0]).is_relative_to(spool)
    assert len(kept(spool)) == 1


def test_a_farm_that_renders_houdini_gets_what_it_describes(scene, houdini_farm, project):
    scene.mantra("/out/mantra1", "$HIP/render/shot.$F4.exr")
    (made,) = submit(overrides={"pixel_samples": 3})
    job = next(json.loads(body) for body, _ in houdini_farm.answered.values())

    assert made.job_id == "00001"
    assert job["renderer"] == "houdini"
    assert job["settings"] == {"rop": "/out/mantra1", "camera": "/obj/cam1", "pixel_samples": 3}
    manifest = json.loads(houdini_farm.blobs[job["scene"].removeprefix("bundle:")])
    assert list(manifest["files"]) == ["shot.hip"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda scene: None, "no node that renders images"),
        (lambda scene: scene.mantra("/out/a", "$HIP/a.$F4.exr", camera="/obj/gone"), "camera /obj/gone of /out/a"),
        (lambda scene: [scene.mantra(f"/out/{n}", "$HIP/a.$F4.exr") for n in "ab"], "write to the same files"),
        (lambda scene: [scene.mantra("/out/a", "$HIP/a.$F4.exr"), scene.file("/obj/x", "$HIP/gone.abc")], "is missing"),
    ],
)
def test_what_stands_in_the_way(scene, make, words):
    make(scene)
    with pytest.raises(Exception, match=words):
        submit()

    assert scene.writes == []


@pytest.mark.parametrize(
    ("picture", "output"),
    [
        ("$HIP/r/a.$F4.exr", "PROJECT/r/a.####.exr"),
        ("$HIP/r/a.$F.png", "PROJECT/r/a.#.png"),
        ("$HIP/r/a.${F3}.jpg", "PROJECT/r/a.###.jpg"),
        ("$HIP/$F4/a.$F4.exr", "PROJECT/####/a.####.exr"),
        ("$HIP/r/a.exr", "PROJECT/r/a.####.exr"),
        ("$HIP/r/a.$F4.rat", "PROJECT/r/a.####.png"),
        ("$HIP/r/../a.$F4.exr", "PROJECT/a.####.exr"),
    ],
)
def test_output_names(scene, project, tmp_path, picture, output):
    scene.mantra("/out/a", picture)
    submit()

    assert kept(tmp_path / "spool", PROJECT=project)[0]["body"]["output"] == output


def test_what_writes_no_image_is_no_render_node(scene):
    scene.add("/obj/geo1", Type("geo", SOP))
    scene.add("/out/geometry", Type("geometry", ROP), sopoutput="$HIP/geo/a.$F4.bgeo.sc", trange=1, f1=1, f2=2, f3=1)
    assert part("scene").render_nodes() == []
