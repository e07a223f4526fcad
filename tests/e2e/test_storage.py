"""The whole road with frames in an object store: rendered, split, uploaded, seen as they grow; killed and refused."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from object_stores import BUCKET, CREDENTIALS
from PIL import Image
from running_farm import RunningFarm
from store_fixtures import fake_gcs, weed  # noqa: F401
from store_gates import ForgetfulS3
from wire_tap import WireTap

SMALL = {"width": 64, "height": 48, "subsamples": 2, "ao_samples": 4}
SLOW = {"width": 1600, "height": 1200, "subsamples": 4, "ao_samples": 32}
CUBE = "\n".join(
    [f"v {x} {y} {z}" for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    + ["f 1 2 4 3", "f 5 7 8 6", "f 1 5 6 2", "f 3 4 8 7", "f 1 3 7 5", "f 2 6 8 4"]
)


@pytest.fixture(scope="module")
def stored_farm(tmp_path_factory, weed):  # noqa: F811
    """A farm with two workers whose storage is an S3 server."""
    folder = tmp_path_factory.mktemp("farm")
    farm = RunningFarm(
        folder / "data",
        workers=2,
        flags=("--output-root", str(folder), "--storage", weed.url("e2e")),
        environment=CREDENTIALS | {"OUTFIELD_WORKER__PICTURE_EVERY_S": "0.3"},
    )
    farm.folder = folder
    yield farm
    assert farm.stop() == 0


def frame(farm: RunningFarm, job: str, number: int = 1) -> bytes:
    answer = farm.client.get(f"/jobs/{job}/frames/{number}")
    assert answer.status_code == 200, answer.text
    return answer.content


def test_frames_stay_in_the_store_and_come_by_every_way(stored_farm, weed):  # noqa: F811
    job = stored_farm.submit(name="on s3", frames="1-3", settings=SMALL)
    stored_farm.succeed(job)

    listed = stored_farm.client.get(f"/jobs/{job}/frames").json()["data"]
    assert [hashlib.sha256(frame(stored_farm, job, each["frame"])).hexdigest() for each in listed] == [
        each["hash"] for each in listed
    ]
    assert all(each["path"].startswith("s3://") for each in listed)
    archive = stored_farm.client.get(f"/jobs/{job}/archive").content
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        assert zipped.namelist() == [f"on_s3.{number:04d}.png" for number in (1, 2, 3)]
        assert zipped.read("on_s3.0002.png") == frame(stored_farm, job, 2)
    for way in ("frames/2/preview", "sheet"):
        assert Image.open(io.BytesIO(stored_farm.client.get(f"/jobs/{job}/{way}").content)).width > 0
    assert [each["path"].split("/", 3)[3] for each in listed] == sorted(
        weed.keys(f"e2e/frames/{job}/"), key=lambda key: key[-8:]
    )
    assert list((stored_farm.data / "frames").rglob("*.png")) == []


def test_the_store_changes_no_pixel(stored_farm, shared_farm):
    split = {"tiles": [2, 2], "samples": 2}
    there = [stored_farm.submit(settings=SMALL, format="exr", split=how) for how in (None, split)]
    here = shared_farm.submit(settings=SMALL, format="exr")
    for farm, job in (*((stored_farm, job) for job in there), (shared_farm, here)):
        farm.succeed(job)

    assert {frame(stored_farm, job) for job in there} == {frame(shared_farm, here)}


def test_a_scene_from_the_store_goes_home_to_its_path(stored_farm):
    data = CUBE.encode()
    digest = hashlib.sha256(data).hexdigest()
    assert stored_farm.client.put(f"/blobs/{digest}", content=data).status_code == 201
    output = stored_farm.folder / "out" / "cube.####.png"
    job = stored_farm.submit(scene=f"blob:{digest}/cube.obj", frames="1-2", settings=SMALL, output=str(output))
    stored_farm.succeed(job)

    assert sorted(path.name for path in output.parent.iterdir()) == ["cube.0001.png", "cube.0002.png"]
    assert frame(stored_farm, job) == (output.parent / "cube.0001.png").read_bytes()


def test_nothing_is_left_under_way(stored_farm, weed):  # noqa: F811
    """What workers have put directly was taken and cleared away."""
    job = stored_farm.submit(settings=SMALL, split={"tiles": [2, 2]})
    stored_farm.succeed(job)

    stored_farm.until(lambda: weed.keys("e2e/staging/") == [])
    assert weed.uploads("e2e/") == weed.keys("e2e/trial/") == []
    assert weed.keys("e2e/blobs/") != []


def test_no_worker_holds_a_cloud_key(stored_farm):
    for worker in stored_farm.workers():
        assert CREDENTIALS.keys() & worker.environ().keys() == set()


def test_nobody_on_the_line_or_in_the_bucket_can_read_anything(tmp_path, weed):  # noqa: F811
    """A marker in the scene, and the frame: neither is in the bucket, nor in what travels to and from it."""
    marker = hashlib.sha256(b"a secret of the show").hexdigest().encode() * 4
    data = b"# " + marker + b"\n" + CUBE.encode()
    digest = hashlib.sha256(data).hexdigest()
    tap = WireTap(urlsplit(weed.endpoint).port)
    url = weed.url("tapped").replace(quote(weed.endpoint, safe=""), quote(f"http://127.0.0.1:{tap.port}", safe=""))
    farm = RunningFarm(tmp_path / "data", workers=1, flags=("--storage", url), environment=CREDENTIALS)
    try:
        assert farm.client.put(f"/blobs/{digest}", content=data).status_code == 201
        job = farm.submit(scene=f"blob:{digest}/cube.obj", settings=SMALL, split={"samples": 2})
        farm.succeed(job)
        content = frame(farm, job)
    finally:
        assert farm.stop() == 0
        tap.stop()
    client = weed.client()
    stored = {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in weed.keys("tapped/")}

    assert any(key.startswith(f"tapped/frames/{job}/") for key in stored)
    assert any(key == f"tapped/blobs/{digest[:2]}/{digest}" for key in stored)
    assert len(tap.heard) > sum(map(len, stored.values()))
    for secret in (marker[:64], content[8:72]):
        assert secret in data + content
        assert not any(secret in each for each in stored.values())
        assert secret not in tap.heard


def test_a_task_is_seen_while_it_renders(stored_farm):
    job = stored_farm.submit(settings=SLOW)
    (task,) = stored_farm.until(lambda: [task for task in stored_farm.tasks(job) if task["pictured_at"]])

    def look() -> list[np.ndarray]:
        looked = stored_farm.client.get(f"/tasks/{task['task']}/preview")
        assert (looked.status_code, looked.headers["content-type"]) == (200, "image/webp")
        picture = np.asarray(Image.open(io.BytesIO(looked.content)))
        return [picture] if picture.any() else []  # above the spheres there is nothing but black

    (picture,) = stored_farm.until(look)
    assert picture.shape == (240, 320, 3)
    stored_farm.client.post(f"/jobs/{job}/cancel")
    assert stored_farm.wait(job)["status"] == "CANCELED"


def test_the_same_in_google_cloud_storage(tmp_path, shared_farm, fake_gcs):  # noqa: F811
    """Without a key that signs, workers send everything through the scheduler."""
    farm = RunningFarm(tmp_path / "data", workers=1, flags=("--storage", fake_gcs.url("e2e")))
    try:
        there = farm.submit(name="on gcs", settings=SMALL, format="exr", split={"tiles": [2, 1]})
        here = shared_farm.submit(name="on gcs", settings=SMALL, format="exr")
        farm.succeed(there)
        shared_farm.succeed(here)
        content = frame(farm, there)
    finally:
        assert farm.stop() == 0

    assert content == frame(shared_farm, here)
    assert [key for key in fake_gcs.keys("e2e/") if not key.startswith(("e2e/blobs/", "e2e/seal/"))] == [
        f"e2e/frames/{there}/{hashlib.sha256(content).hexdigest()}/on_gcs.0001.exr"
    ]


def test_kill_9_of_the_scheduler_loses_no_frame(tmp_path, weed):  # noqa: F811
    flags, published = ("--storage", weed.url("killed")), []
    farm = RunningFarm(tmp_path / "data", workers=1, flags=flags, environment=CREDENTIALS)
    job = farm.submit(name="f", frames="1-8", settings=SMALL | {"width": 400, "height": 300})
    farm.until(lambda: [each for each in farm.client.get(f"/jobs/{job}/frames").json()["data"] if "path" in each])
    farm.kill()
    farm = RunningFarm(tmp_path / "data", workers=1, flags=flags, environment=CREDENTIALS)
    try:
        farm.succeed(job)
        events = farm.client.get(f"/jobs/{job}/events?limit=1000").json()["data"]
        published = [event for event in events if event["kind"] == "frame.published"]
        contents = [frame(farm, job, number) for number in range(1, 9)]
    finally:
        assert farm.stop() == 0

    assert len(published) == 8
    assert all(Image.open(io.BytesIO(content)).size == (400, 300) for content in contents)
    assert weed.uploads("killed/") == []


def test_a_store_that_overwrites_is_refused_at_start(tmp_path):
    store = ForgetfulS3()
    try:
        url = f"s3://bucket/farm?endpoint_url={quote(store.url, safe='')}&region=x"
        command = [sys.executable, "-m", "scheduler.cli.main", "up", "--port", "0", "--storage", url]
        command += ["--data", str(tmp_path / "data")]
        own = CREDENTIALS | {"PATH": "", "HOME": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=own)
    finally:
        store.stop()

    assert done.returncode == 1
    assert "ready" not in done.stdout
    assert "overwrites objects that it was asked not to" in done.stderr
    assert "Traceback" not in done.stderr
