"""`outfield.submit`: what arrives, what is refused, what is kept; and that the artist's file is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from addon_farms import golden, kept, stamp
from fake_maya import part

from scheduler.protocol.renderers import KernelSettings
from scheduler.protocol.submission import NewJob

GOLDEN = Path(__file__).parents[2] / "golden" / "maya"


def submit(**wishes):
    return part("").submit(**wishes)


def production(maya, project) -> None:
    """A shot as they are: references in references, tiles, sequences, caches, layers, two cameras."""

    def file(name: str) -> str:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        return str(path)

    scene = maya.scene
    scene.reference("charRN", file("assets/char.ma"))
    scene.reference("char:eyesRN", file("assets/eyes.mb"), parent="charRN")
    scene.reference("oldRN", str(project / "assets/old.ma"), loaded=False)
    scene.add("sharedReferenceNode", "reference")
    for name in ("skin.1001.exr", "skin.1002.exr", "cloth_u1_v1.png", "cloth_u2_v1.png", "tv.0001.jpg", "tv.0002.jpg"):
        file("sourceimages/" + name)
    scene.file("skin", "sourceimages/skin.1001.exr", uvTilingMode=3)
    scene.file("cloth", str(project / "sourceimages/cloth_u1_v1.png"), uvTilingMode=2)
    scene.file("tv", "sourceimages/tv.0001.jpg", useFrameExtension=True)
    scene.file("empty", "")
    scene.add("odd", "strange", paths=NotImplemented)
    scene.add("list", "strange", paths=[file("cache/a.bin"), "", None])
    scene.add("sky", "aiImage", filename=file("sourceimages/sky.1001.exr").replace("1001", "<UDIM>"))
    scene.add("crowd", "aiStandIn", dso=str(project / "cache/crowd.####.ass"))
    file("cache/crowd.0001.ass")
    scene.add("water", "cacheFile", cachePath=str(Path(file("cache/water/a.xml")).parent))
    scene.add("rs_beauty", "renderLayer", renderable=True)
    scene.add("ref:layer", "renderLayer", renderable=True)
    scene.referenced.add("ref:layer")
    scene.camera("left", renderable=True)


def test_the_payload_is_the_golden_one(maya, project, tmp_path):
    (project / "sourceimages").mkdir()
    (project / "sourceimages" / "wood.png").write_text("wood")
    maya.scene.file("wood", "sourceimages/wood.png")
    before = stamp(maya.scene.path)
    (made,) = submit(
        frames="1-10x3", priority=70, shot="sh010", project="Alpha", chunk=2, pool="onprem", preview_first=True,
        deadline="2026-12-01T18:00:00Z", overrides={"aa_samples": 5},
    )  # fmt: skip

    golden(GOLDEN / "plain.json", kept(tmp_path / "spool", PROJECT=project, FOLDER=tmp_path))
    assert made.spooled and made.job_id is None and made.error.code == "unreachable"
    assert stamp(maya.scene.path) == before
    assert not maya.scene.modified


def test_layers_cameras_references_tiles_and_caches(maya, project, tmp_path):
    production(maya, project)
    made = submit(output_mode="FARM")

    golden(GOLDEN / "production.json", kept(tmp_path / "spool", PROJECT=project, FOLDER=tmp_path))
    assert [each.name for each in made] == [
        "shot masterLayer persp", "shot masterLayer left", "shot beauty persp", "shot beauty left",
    ]  # fmt: skip


def test_one_layer_and_one_camera_by_name(maya, project):
    production(maya, project)
    (made,) = submit(layer="beauty", camera="left")

    assert made.name == "shot"
    from outfield.outfield_core.errors import Refused

    for wrong in ({"layer": "beuaty"}, {"camera": "lfet"}):
        with pytest.raises(Refused):
            submit(**wrong)


def test_cameras_that_write_over_one_another_are_stopped(maya, project):
    maya.scene.camera("left", renderable=True)

    with pytest.raises(Exception, match="write to the same files"):
        submit()


def test_a_farm_that_renders_maya_gets_what_it_describes(maya, maya_farm, project, tmp_path):
    maya.scene.add("rs_beauty", "renderLayer", renderable=True)
    maya.scene.nodes["defaultRenderLayer"]["renderable"] = False
    (made,) = submit(overrides={"aa_samples": 3})
    job = next(json.loads(body) for body, _ in maya_farm.answered.values())

    assert made.job_id == "00001" and not made.spooled
    assert job["renderer"] == "arnold"
    assert job["settings"] == {"camera": "persp", "render_layer": "beauty", "aa_samples": 3}
    manifest = json.loads(maya_farm.blobs[job["scene"].removeprefix("bundle:")])
    assert set(manifest["files"]) == {"scenes/shot.ma", "workspace.mel"}
    assert list((tmp_path / "spool" / "ready").iterdir()) == []


def test_a_farm_without_maya_says_so_before_anything_is_sent(maya, farm, tmp_path):
    with pytest.raises(Exception, match="no renderer for Maya scenes; it has kernel, blender") as caught:
        submit()

    assert caught.value.code == "no_renderer"
    assert maya.scene.writes == []
    assert not any(each.startswith(("POST", "PUT")) for each in farm.asked)


def test_the_mesh_goes_to_a_farm_without_maya(maya, farm):
    (made,) = submit(preview=True)
    job = next(json.loads(body) for body, _ in farm.answered.values())
    manifest = json.loads(farm.blobs[job["scene"].removeprefix("bundle:")])

    assert made.job_id == "00001"
    assert (job["renderer"], job["frames"], job.get("output")) == ("kernel", "5", None)
    assert job["settings"]["camera"]["position"] == [0.0, 2.0, 9.0]
    assert job["settings"]["camera"]["target"] == [0.0, 2.0, 8.0]
    assert job["settings"]["camera"]["fov_deg"] == pytest.approx(32.2695, abs=0.001)
    assert manifest["scene"] == "shot.obj"
    assert list(manifest["files"]) == ["shot.obj"]
    KernelSettings.model_validate(NewJob.model_validate(job).settings)


def test_another_unit_than_centimetres_leaves_the_camera_to_the_farm(maya, farm):
    maya.scene.unit = "m"
    submit(preview=True)
    job = next(json.loads(body) for body, _ in farm.answered.values())

    assert job["settings"] == {"width": 1920, "height": 1080}


def test_what_was_never_saved_is_exported_and_stays_unsaved(maya, project, tmp_path):
    maya.scene.path, maya.scene.modified = "", True
    (made,) = submit()

    (written,) = maya.scene.writes
    assert Path(written).name == "untitled.ma" and str(tmp_path / "spool") in written
    assert (maya.scene.path, maya.scene.modified) == ("", True)
    assert made.name == "untitled"
    assert kept(tmp_path / "spool", PROJECT=project)[0]["origin"] == "PROJECT/scenes/untitled.ma"


def test_unsaved_changes_are_exported_and_the_file_stays(maya):
    before = stamp(maya.scene.path)
    maya.scene.modified = True
    submit()

    assert len(maya.scene.writes) == 1
    assert maya.scene.modified and stamp(maya.scene.path) == before


def test_what_was_opened_from_another_format_is_exported_as_a_scene(maya, project, tmp_path):
    other = project / "scenes" / "model.fbx"
    other.write_bytes(b"fbx")
    maya.scene.path, maya.scene.kind = str(other), "FBX"
    submit()

    assert [Path(path).name for path in maya.scene.writes] == ["model.ma"]
    assert kept(tmp_path / "spool", PROJECT=project)[0]["origin"] == "PROJECT/scenes/model.ma"


def test_batch_maya_exports_always_and_forgets_the_panels_wishes(maya):
    part("settings").wish("shot", "from the panel")
    part("settings").wish("chunk", 7)
    maya.scene.batch = True
    (made,) = submit()

    assert len(maya.scene.writes) == 1
    assert "chunk" not in next(iter(part("session").current().spool.waiting())).content["body"]
    assert made.spooled


@pytest.mark.parametrize("fault", ["Cannot write\nfile", ""])
def test_an_export_that_fails_leaves_nothing(maya, tmp_path, fault, monkeypatch):
    maya.scene.modified, maya.scene.export_fault = True, fault
    if not fault:
        monkeypatch.setattr(maya, "do_file", lambda *args, **flags: _nothing_written(maya, args, flags))
    with pytest.raises(Exception, match=r"Maya cannot save a copy into .*: (Cannot write file|nothing was written)"):
        submit()

    assert [list((tmp_path / "spool" / room).iterdir()) for room in ("parts", "ready", "locks")] == [[], [], []]


def _nothing_written(maya, args, flags):
    return type(maya).do_file(maya, *args, **flags) if "exportAll" not in flags else None


def test_what_was_kept_is_sent_with_the_next_one(maya, maya_farm, monkeypatch, capsys):
    address = maya_farm.url
    monkeypatch.setenv("OUTFIELD_SERVER", address)
    maya_farm.bad["POST /new_job"] = (503, {"code": "stopping"})
    (first,) = submit(job_name="first")
    del maya_farm.bad["POST /new_job"]
    (second,) = submit(job_name="second")

    assert first.spooled
    assert [job["name"] for job in maya_farm.jobs] == ["first", "second"]
    assert second.job_id == "00002"
    assert "outfield jobID 00001 (first)" in capsys.readouterr().out


def test_a_refusal_is_raised_and_kept_for_the_artist(maya, maya_farm):
    maya_farm.bad["POST /new_job"] = (422, {"code": "bad_priority", "hint": "Lower it."})
    with pytest.raises(Exception, match="Lower it"):
        submit()

    assert len(part("session").current().spool.refused()) == 1


@pytest.mark.parametrize(("said", "sent"), [("2,50", 2.5), (0, 0.0), ("", None)])
def test_a_cost_cap_is_sent_where_it_was_set(maya, maya_farm, said, sent):
    submit(cost_cap_usd=said)
    (body,) = [json.loads(body) for body, _ in maya_farm.answered.values()]

    assert body.get("cost_cap_usd") == sent
    assert ("cost_cap_usd" in body) == (sent is not None)


def test_what_is_no_sum_of_money_stops_it(maya, maya_farm):
    with pytest.raises(Exception, match="cost cap cannot be 'much'"):
        submit(cost_cap_usd="much")
    assert maya_farm.answered == {}


def test_a_wish_that_there_is_not(maya):
    with pytest.raises(TypeError, match="framse"):
        submit(framse="1")


def test_missing_files_stop_it_and_missing_frames_are_all_that_is_rendered(maya, project, tmp_path):
    images = project / "images"
    images.mkdir()
    for frame in (1, 2, 4):
        (images / f"shot.{frame:04d}.exr").write_text("there")
    submit(frames_mode="MISSING")
    assert kept(tmp_path / "spool", PROJECT=project)[0]["body"]["frames"] == "3,5-10"

    maya.scene.file("gone", "sourceimages/gone.png")
    with pytest.raises(Exception, match=r"gone\.png is missing"):
        submit()


def test_three_while_the_farm_is_away_are_three_when_both_are_back(maya, maya_farm, monkeypatch):
    monkeypatch.setenv("OUTFIELD_SERVER", "http://127.0.0.1:9")
    for number in range(3):
        submit(job_name=f"job {number}")
    spool = Path(part("session").current().spool.folder) / "ready"
    for kept_here in spool.glob("*/submission.json"):  # the farm's address is the same one in life
        kept_here.write_text(kept_here.read_text().replace("http://127.0.0.1:9", maya_farm.url))
    half = spool.parent / "parts" / ("0" * 32)  # of a Maya that was killed while it saved
    half.mkdir()
    part("session").stop()
    monkeypatch.setenv("OUTFIELD_SERVER", maya_farm.url)
    part("start_up").switch_on()
    assert part("session").current().sender.idle(20)

    assert sorted(job["name"] for job in maya_farm.jobs) == ["job 0", "job 1", "job 2"]
    assert [list((spool.parent / room).iterdir()) for room in ("parts", "ready", "locks", "gone")] == [[], [], [], []]
