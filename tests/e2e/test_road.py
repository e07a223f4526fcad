"""The whole road on real input: a scene goes in, frames come out as files."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

CUBE = "\n".join(
    [f"v {x} {y} {z}" for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    + ["f 1 2 4 3", "f 5 7 8 6", "f 1 5 6 2", "f 3 4 8 7", "f 1 3 7 5", "f 2 6 8 4"]
)

SMALL = {"width": 64, "height": 48, "subsamples": 1, "ao_samples": 4}


def image(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_hello_is_the_built_in_scene(shared_farm):
    job = shared_farm.submit(name="hello")
    shared_farm.succeed(job)
    answer = shared_farm.client.get(f"/jobs/{job}/frames/1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    pixels = image(answer.content)
    assert pixels.shape[:2] == (512, 512)
    # Sky above, spheres on a plane below: the lower half is lit, and darker where the spheres touch the plane.
    lower = pixels[256:, :, 0].astype(float)
    assert lower.std() > 10
    listed = shared_farm.client.get("/jobs").json()["data"]
    assert {"jobID": job, "name": "hello", "jobs-status": "SUCCEEDED"}.items() <= next(
        row for row in listed if row["jobID"] == job
    ).items()


def test_an_animation_of_a_mesh_appears_where_the_artist_asked_for_it(shared_farm):
    folder = shared_farm.folder / "mesh"
    folder.mkdir()
    (folder / "cube.obj").write_text(CUBE)
    settings = SMALL | {"orbit_deg_per_frame": 15.0}
    output = str(folder / "out" / "cube.####.png")
    job = shared_farm.submit(scene=str(folder / "cube.obj"), frames="1-6", settings=settings, output=output)
    assert shared_farm.job(job)["renderer"] == "kernel"
    shared_farm.succeed(job)
    frames = sorted((folder / "out").iterdir())
    assert [path.name for path in frames] == [f"cube.{n:04d}.png" for n in range(1, 7)]
    first, second = image(frames[0].read_bytes()), image(frames[1].read_bytes())
    assert first.shape[:2] == (48, 64)
    assert (first != second).any()
    archive = shared_farm.client.get(f"/jobs/{job}/archive")
    assert len(zipfile.ZipFile(io.BytesIO(archive.content)).namelist()) == 6
    preview = shared_farm.client.get(f"/jobs/{job}/frames/3/preview")
    assert image(preview.content).shape[0] > 0


@pytest.mark.parametrize("image_format", ["png", "exr", "jpg"])
def test_a_frame_is_bit_identical_however_it_was_split(shared_farm, image_format):
    splits = [None, {"tiles": [3, 2]}, {"samples": 4}, {"tiles": [5, 4], "samples": 1}]
    settings = SMALL | {"subsamples": 2, "width": 101, "height": 67}
    jobs = [shared_farm.submit(name="same", split=split, settings=settings, format=image_format) for split in splits]
    for job in jobs:
        shared_farm.succeed(job)
    contents = {shared_farm.client.get(f"/jobs/{job}/frames/1").content for job in jobs}
    assert len(contents) == 1


def test_an_uploaded_scene_is_rendered(shared_farm):
    import hashlib

    data = CUBE.encode()
    digest = hashlib.sha256(data).hexdigest()
    assert shared_farm.client.put(f"/blobs/{digest}", content=data).status_code in (200, 201)
    job = shared_farm.submit(scene=f"blob:{digest}/cube.obj", settings=SMALL)
    shared_farm.succeed(job)


def test_a_zip_of_a_scene_as_finca_took_it(shared_farm):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("demo/cube.obj", CUBE)
        archive.writestr("demo/readme.txt", "a cube")
    answer = shared_farm.client.post("/jobs/new", files={"file": ("demo.zip", packed.getvalue(), "application/zip")})
    assert answer.status_code == 201, answer.text
    shared_farm.succeed(answer.json()["data"]["jobID"])


def test_deleted_jobs_leave_the_queue(shared_farm):
    job = shared_farm.submit(renderer="null", settings={"sleep_s": 600}, frames="1-3")
    shared_farm.wait(job, "RUNNING")
    answer = shared_farm.client.delete("/jobs", params={"jobID": job})
    assert (answer.status_code, answer.json()["data"]) == (200, job)
    assert job not in [row["jobID"] for row in shared_farm.client.get("/jobs").json()["data"]]
    assert shared_farm.client.delete("/jobs", params={"jobID": "99999999"}).status_code == 404
    hello = shared_farm.submit(name="after", settings=SMALL)
    shared_farm.succeed(hello, within_s=20)  # the slots were freed at once, not after 600 s


def test_failures_are_told_in_plain_words(shared_farm):
    folder = shared_farm.folder / "broken"
    folder.mkdir()
    (folder / "empty.obj").write_text("# nothing\nv 0 0 0\n")
    job = shared_farm.submit(scene=str(folder / "empty.obj"), settings=SMALL, max_attempts=1)
    found = shared_farm.wait(job)
    assert found["status"] == "FAILED"
    why = shared_farm.client.get(f"/jobs/{job}/why").json()["data"]
    assert why["failures"][0]["message"]
    assert "Traceback" not in why["failures"][0]["message"]
