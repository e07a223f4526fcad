"""From `outfield.submit` to pictures: a real farm and worker, a fake `Render`, the add-on in a fake Maya."""

from __future__ import annotations

import pytest
from fake_maya import part
from fake_render import installed, scene_text
from running_farm import RunningFarm

pytestmark = pytest.mark.processes

TEXTURE = 'createNode file -n "wood";\n\tsetAttr ".ftn" -type "string" "{path}";\n'


@pytest.fixture
def farm_of(tmp_path, monkeypatch):
    """A farm whose worker has these Mayas; it is the artist's."""
    running = []

    def start(*programs):
        farm = RunningFarm(
            tmp_path / "data",
            workers=1,
            environment={"OUTFIELD_MAYA__EXECUTABLES": ":".join(map(str, programs)) or "/nowhere/Render"},
        )
        running.append(farm)
        monkeypatch.setenv("OUTFIELD_SERVER", farm.url)
        monkeypatch.setenv("OUTFIELD_TOKEN", farm.token)
        return farm

    yield start
    assert [farm.stop() for farm in running] == [0] * len(running)


def frames(farm, job):
    """Bytes of a job's frames by their numbers."""
    listed = farm.client.get(f"/jobs/{job}/frames").json()["data"]
    return {each["frame"]: farm.client.get(f"/jobs/{job}/frames/{each['frame']}").content for each in listed}


def test_a_scene_with_a_texture_comes_back_as_frames(maya, project, tmp_path, farm_of):
    farm = farm_of(installed(tmp_path / "autodesk", "2024"))
    elsewhere = tmp_path / "it's the library" / "wood.png"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"wood")
    scene = project / "scenes" / "shot.ma"
    fakes = ["cameras persp ns:shotcam", "layers defaultRenderLayer rs_hero", "passes diffuse beauty"]
    scene.write_text(scene_text(*fakes, body=TEXTURE.format(path=elsewhere)))
    maya.scene.file("wood", str(elsewhere))
    maya.scene.camera("ns:shotcam")
    maya.scene.add("rs_hero", "renderLayer", renderable=False)
    maya.scene.ending = "png"

    (made,) = part("").submit(
        frames="1-4", chunk=2, camera="ns:shotcam", layer="hero", output_mode="FARM",
        overrides={"samples": 3, "width": 48, "height": 27},
    )  # fmt: skip
    farm.succeed(made.job_id)

    job = farm.job(made.job_id)
    assert job["renderer"] == "maya" and job["metadata"]["maya"]["layer"] == "hero"
    wanted = {"engine": "arnold", "camera": "ns:shotcam", "layer": "hero", "project": str(project)}
    assert wanted.items() <= job["settings"].items()
    pictures = frames(farm, made.job_id)
    assert sorted(pictures) == [1, 2, 3, 4] and len(set(pictures.values())) == 4
    assert all(picture[:4] == b"\x89PNG" for picture in pictures.values())
    assert len(farm.tasks(made.job_id)) == 2, "two frames of a chunk are one process"


def test_maya_software_is_told_by_its_name_on_the_command_line(maya, tmp_path, farm_of):
    farm = farm_of(installed(tmp_path / "autodesk", "2026", "file sw"))
    maya.scene.nodes["defaultRenderGlobals"]["currentRenderer"] = "mayaSoftware"
    maya.scene.ending = "exr"
    (made,) = part("").submit(frames="7", output_mode="FARM")
    farm.succeed(made.job_id)
    assert farm.job(made.job_id)["settings"]["engine"] == "sw"
    assert frames(farm, made.job_id)[7][:4] == b"\x76\x2f\x31\x01"


def test_what_no_worker_can_render_is_said_before_anything_is_sent(maya, tmp_path, farm_of):
    farm = farm_of(installed(tmp_path / "autodesk", "2023", "file sw hw2"))
    farm.until(lambda: farm.client.get("/workers").json()["data"] or None)
    with pytest.raises(Exception, match=r"needs Maya 2024; the newest on the farm is 2023"):
        part("").submit(output_mode="FARM")
    maya.scene.version = "2022"
    with pytest.raises(Exception, match="No worker can render with arnold"):
        part("").submit(output_mode="FARM")
    assert part("session").current().spool.waiting() == []


def test_a_lost_licence_is_nobodys_fault_and_is_tried_again(maya, project, tmp_path, farm_of):
    farm = farm_of(installed(tmp_path / "autodesk", "2024"))
    scene = project / "scenes" / "shot.ma"
    scene.write_text(scene_text("licence"))
    maya.scene.ending = "png"
    (made,) = part("").submit(frames="1", output_mode="FARM")

    def licence():
        (task,) = farm.tasks(made.job_id)
        attempts = farm.client.get(f"/tasks/{task['task']}").json()["data"]["attempts"]
        return next((each for each in attempts if each["failure"] == "licence"), None)

    assert "got no licence" in farm.until(licence, within_s=120.0)["message"]
    assert farm.job(made.job_id)["status"] in ("QUEUED", "RUNNING"), "the artist's attempts are not spent"


def test_a_farm_without_maya_says_so_and_draws_the_mesh(maya, tmp_path, farm_of):
    farm = farm_of()
    farm.until(lambda: farm.client.get("/workers").json()["data"] or None)
    (made,) = part("").submit(preview=True, overrides={"width": 48, "height": 27, "ao_samples": 2})
    farm.succeed(made.job_id)
    job = farm.job(made.job_id)

    assert job["name"] == "shot preview"
    assert job["metadata"]["maya"]["renderer"] == "arnold"
    (picture,) = frames(farm, made.job_id).values()
    assert picture[:4] == b"\x89PNG"
    assert part("session").current().spool.waiting() == []
