"""Frames over HTTP: what is there, what is not and why, and every way to get them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from api_client import ServedFarm
from store_bench import Bench

from scheduler.api import archive
from scheduler.api.archive import archive_names, stream_zip
from scheduler.imaging.facts import Verdict
from scheduler.objects.opening import local_storage
from scheduler.service.viewing_frames import FrameFile
from scheduler.store.frames import FrameStore


@pytest.fixture
def served(tmp_path: Path, bench: Bench) -> Iterator[ServedFarm]:
    """A farm of its own, on each store in turn."""
    farm = ServedFarm(tmp_path, bench=bench)
    yield farm
    farm.close()


@pytest.fixture
def job(served: ServedFarm) -> str:
    """A job of five frames: 1 published, 2 and 3 leased (3 then failed), 4 and 5 waiting."""
    job = served.post_job(renderer="null", frames="1-5", max_attempts=1)
    served.publish(job, 1, b"pixels of frame one")
    leases = served.lease(3)
    failed = {
        "task": leases[2].task,
        "attempt": 1,
        "secret": leases[2].secret,
        "outcome": "failed",
        "message": "no camera",
    }
    served.data("POST", f"/workers/{served.worker}/sync", "worker", json={"reports": [failed]})
    return job


def test_the_list_says_what_each_frame_is_doing(served: ServedFarm, job: str) -> None:
    frames = served.data("GET", f"/jobs/{job}/frames")

    assert [(frame["frame"], frame["status"]) for frame in frames] == [
        (1, "published"), (2, "rendering"), (3, "failed"), (4, "waiting"), (5, "waiting")]  # fmt: skip
    assert (frames[0]["size"], frames[0]["width"], frames[0]["channels"]) == (19, 2, ["R", "G", "B"])


def test_pages_of_frames(served: ServedFarm, job: str) -> None:
    first = served.call("GET", f"/jobs/{job}/frames?limit=2")
    rest = served.data("GET", f"/jobs/{job}/frames?cursor={first.headers['x-next-cursor']}")

    assert [frame["frame"] for frame in first.json()["data"] + rest] == [1, 2, 3, 4, 5]
    assert served.call("GET", f"/jobs/{job}/frames?cursor=x").status_code == 422


def test_negative_frames(served: ServedFarm) -> None:
    job = served.post_job(renderer="null", frames="-2-1")
    served.publish(job, -2)

    assert [frame["frame"] for frame in served.data("GET", f"/jobs/{job}/frames")] == [-2, -1, 0, 1]
    assert served.call("GET", f"/jobs/{job}/frames/-2").content == b"pixels"


def test_a_frame_of_parts_is_rendering_as_soon_as_one_part_is(served: ServedFarm) -> None:
    job = served.post_job(frames="1-2", split={"tiles": [2, 1]})
    served.lease(1)

    states = {frame["frame"]: frame["status"] for frame in served.data("GET", f"/jobs/{job}/frames")}
    assert states == {1: "rendering", 2: "waiting"}


def test_download(served: ServedFarm, job: str) -> None:
    whole = served.call("GET", f"/jobs/{job}/frames/1")
    part = served.call("GET", f"/jobs/{job}/frames/1", headers={"Range": "bytes=7-"})
    known = served.call("GET", f"/jobs/{job}/frames/1", headers={"If-None-Match": whole.headers["etag"]})

    assert (whole.status_code, whole.content) == (200, b"pixels of frame one")
    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["content-disposition"] == 'inline; filename="beauty.0001.png"'
    assert (part.status_code, part.content) == (206, b"of frame one")
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize(
    ("frame", "state"), [("2", "rendering"), ("3", "failed"), ("4", "waiting"), ("9", "unknown"), ("x", "unknown")]
)
@pytest.mark.parametrize("ending", ["", "/preview"])
def test_a_missing_frame_says_in_which_state_it_is(
    served: ServedFarm, job: str, frame: str, state: str, ending: str
) -> None:
    response = served.call("GET", f"/jobs/{job}/frames/{frame}{ending}")

    assert (response.status_code, response.json()["data"]["code"]) == (404, "frame_missing")
    assert response.json()["data"]["details"] == {"state": state}
    assert "{" not in response.json()["data"]["hint"]


def test_a_file_that_someone_removed_is_missing(served: ServedFarm, job: str) -> None:
    served.publish(job, 2).remove()
    served.imaging.verdict = Verdict(False, None, "file_missing", "The file is missing.")

    for ending in ("", "/preview"):
        response = served.call("GET", f"/jobs/{job}/frames/2{ending}")
        assert (response.status_code, response.json()["data"]["details"]) == (404, {"state": "published"})


@pytest.mark.parametrize("bench", ["local"], indirect=True)  # an object store has no links
def test_a_link_in_a_frames_place_is_not_followed(served: ServedFarm, job: str, tmp_path: Path) -> None:
    """Artists may write where frames are published; the farm's own secrets must not leave through such a link."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"0" * 6)
    frame = served.publish(job, 2)
    frame.remove()
    frame.path.symlink_to(secret)

    response = served.call("GET", f"/jobs/{job}/frames/2")
    with zipfile.ZipFile(io.BytesIO(served.call("GET", f"/jobs/{job}/archive").content)) as zipped:
        names = zipped.namelist()

    assert (response.status_code, response.json()["data"]["details"]) == (404, {"state": "published"})
    assert names == ["beauty.0001.png", "MISSING.txt"]


def test_a_changed_file_is_not_what_was_published(served: ServedFarm, job: str) -> None:
    served.publish(job, 2).overwrite(b"overwritten by someone")

    assert served.call("GET", f"/jobs/{job}/frames/2").status_code == 404


def test_a_preview_is_made_once(served: ServedFarm, job: str) -> None:
    answers = [served.call("GET", f"/jobs/{job}/frames/1/preview?width={width}") for width in (200, 300, 320)]
    other = served.call("GET", f"/jobs/{job}/frames/1/preview")

    assert {answer.content for answer in answers} == {b"webp 320"}
    assert answers[0].headers["content-type"] == "image/webp"
    assert other.content == b"webp 640"
    assert len(served.imaging.asked) == 2


def test_a_preview_for_programs_that_read_no_webp(served: ServedFarm, job: str) -> None:
    made = served.call("GET", f"/jobs/{job}/frames/1/preview?width=160&format=png")
    other = served.call("GET", f"/jobs/{job}/frames/1/preview?width=160")

    assert (made.content, made.headers["content-type"]) == (b"png 160", "image/png")
    assert other.content == b"webp 160"
    assert made.headers["etag"] != other.headers["etag"]
    assert served.call("GET", f"/jobs/{job}/frames/1/preview?format=gif").status_code == 422


@pytest.mark.parametrize("width", ["0", "15", "99999", "x"])
def test_a_preview_has_bounds(served: ServedFarm, job: str, width: str) -> None:
    assert served.call("GET", f"/jobs/{job}/frames/1/preview?width={width}").status_code == 422


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [("decoder_unavailable", 503, "preview_unavailable"), ("corrupt", 404, "preview_impossible")],
)
def test_no_preview_is_said_in_words(served: ServedFarm, job: str, code: str, status: int, told: str) -> None:
    served.imaging.verdict = Verdict(False, None, code, "It cannot be decoded.")

    for path in (f"/jobs/{job}/frames/1/preview", f"/jobs/{job}/sheet"):
        response = served.call("GET", path)
        assert (response.status_code, response.json()["data"]["code"]) == (status, told)


def test_a_contact_sheet(served: ServedFarm, job: str) -> None:
    for frame in (2, 3, 4, 5):
        served.publish(job, frame)
    answers = [served.call("GET", f"/jobs/{job}/sheet?columns=2&cell_px=100") for _ in range(2)]
    served.call("GET", f"/jobs/{job}/sheet")

    assert {(answer.status_code, answer.content) for answer in answers} == {(200, b"sheet")}
    assert served.imaging.asked == [
        ("sheet", ("1", "2", "3", "4", "5"), 2, 100),
        ("sheet", ("1", "2", "3", "4", "5"), 3, 240),
    ]


# ---- The archive -----------------------------------------------------------------------------------------------------


def test_an_archive_holds_every_published_frame(served: ServedFarm, job: str) -> None:
    served.publish(job, 3, b"three")
    served.publish(job, 4).remove()

    response = served.call("GET", f"/jobs/{job}/archive")

    with zipfile.ZipFile(io.BytesIO(response.content)) as zipped:
        assert zipped.testzip() is None
        assert zipped.namelist() == ["beauty.0001.png", "beauty.0003.png", "MISSING.txt"]
        assert zipped.read("beauty.0003.png") == b"three"
        assert "beauty.0004.png" in zipped.read("MISSING.txt").decode()
    assert response.headers["content-disposition"] == f'attachment; filename="job-{job}.zip"'


def test_an_archive_is_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "CHUNK_BYTES", 1000)
    path = tmp_path / "a.exr"
    path.write_bytes(b"x" * 100_000)

    frames = [FrameFile(1, frame, str(path), "", 100_000, 0.0) for frame in range(3)]
    pieces = list(stream_zip(frames, FrameStore(local_storage(tmp_path))))

    assert max(len(piece) for piece in pieces) < 3000
    assert sum(len(piece) for piece in pieces) > 300_000


def test_frames_of_one_name_stay_apart(tmp_path: Path) -> None:
    frames = [FrameFile(1, n, f"{tmp_path}/{folder}/a.png", "", 1, 0.0) for n, folder in ((1, "x"), (2, "y"))]

    assert archive_names(frames) == ["1.a.png", "2.a.png"]


def test_nothing_published_is_no_archive(served: ServedFarm) -> None:
    job = served.post_job(renderer="null")
    answers: list[httpx.Response] = [served.call("GET", f"/jobs/{job}/{what}") for what in ("archive", "sheet")]

    assert {(answer.status_code, answer.json()["data"]["code"]) for answer in answers} == {(404, "frame_missing")}
