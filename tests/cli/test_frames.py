"""Frames and logs: listed, fetched whole, checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_rest import FakeRest, Request
from typer.testing import Result

Run = Callable[..., Result]

TASK: dict[str, Any] = {
    "task": 3, "jobID": "00007", "step": "render", "kind": "render", "seq": 0, "status": "FAILED", "attempt": 2,
    "frames": [1, 2], "tile": [0, 1, 2, 2], "slice": None, "worker": "w1", "failures": 1, "message": "no camera",
    "not_before": None, "progress": 0.0, "note": "",
}  # fmt: skip


def frame(number: int, content: bytes, **more: Any) -> dict[str, Any]:
    path = f"/elsewhere/shot.{number:04d}.png"
    digest = hashlib.sha256(content).hexdigest()
    return {"frame": number, "status": "published", "path": path, "size": len(content), "hash": digest} | more


def test_frames_are_listed(on: Run, fake: FakeRest) -> None:
    there = frame(1, b"one", width=4, height=2, black=True)
    fake.answers["GET /jobs/7/frames"] = [there, {"frame": 2, "status": "waiting"}]

    out = on("frames", "ls", "7").stdout

    assert "black" in out
    assert "4x2" in out
    assert on("frames", "ls", "7", "--quiet", "--frames", "2").stdout == "2\n"


def test_frames_are_fetched_whole_and_once(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/frames"] = [frame(1, b"one"), {"frame": 2, "status": "waiting"}]
    fake.answers["GET /jobs/7/frames/1"] = lambda _request: (200, b"one")

    result = on("frames", "get", "7", "--to", "got")

    assert (result.exit_code, result.stdout) == (0, "got/shot.0001.png\n")
    assert Path("got/shot.0001.png").read_bytes() == b"one"
    assert "1 of 2 frames are not there yet" in result.stderr
    on("frames", "get", "7", "--to", "got")
    assert len(fake.calls("GET /jobs/7/frames/1")) == 1


def test_a_frame_that_arrives_damaged_leaves_nothing(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/frames"] = [frame(1, b"one")]
    fake.answers["GET /jobs/7/frames/1"] = lambda _request: (200, b"two")

    result = on("frames", "get", "7", "--to", "got")

    assert result.exit_code == 1
    assert "[frame_corrupt]" in result.stderr
    assert list(Path("got").iterdir()) == []


def test_trouble_with_files_is_a_sentence(on: Run, fake: FakeRest) -> None:
    Path("file").touch()
    fake.answers["GET /jobs/7/frames"] = [frame(1, b"one")]

    result = on("frames", "get", "7", "--to", "file/below")

    assert result.exit_code == 1
    assert "file/below: Not a directory." in result.stderr


def test_no_frames_yet_is_3(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/frames"] = [{"frame": 2, "status": "waiting"}]

    assert on("frames", "get", "7").exit_code == 3


def test_check_finds_missing_black_and_corrupt_frames(on: Run, fake: FakeRest) -> None:
    rows = [frame(n, b"good", black=n == 3) for n in (1, 2, 3, 4)] + [
        {"frame": n, "status": "failed"} for n in (5, 6, 8)
    ]
    fake.answers["GET /jobs/7/frames"] = rows
    for number in (1, 2, 3):
        fake.answers[f"GET /jobs/7/frames/{number}"] = lambda _request: (200, b"good")
    fake.answers["GET /jobs/7/frames/2"] = lambda _request: (200, b"bad!")

    result = on("frames", "check", "7")

    assert (result.exit_code, result.stdout) == (1, "missing: 5-6,8\nblack: 3\ncorrupt: 2,4\n")
    data = json.loads(on("frames", "check", "7", "--json").stdout)
    assert data == {"frames": 7, "missing": [5, 6, 8], "black": [3], "corrupt": [2, 4]}


def test_check_is_content_with_good_frames(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/frames"] = [frame(1, b"good")]
    fake.answers["GET /jobs/7/frames/1"] = lambda _request: (200, b"good")

    assert on("frames", "check", "7").exit_code == 0


def test_a_contact_sheet_is_written(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7/sheet"] = lambda _request: (200, b"png")

    assert on("frames", "sheet", "7", "--columns", "4").stdout == "7_sheet.png\n"
    assert Path("7_sheet.png").read_bytes() == b"png"
    assert fake.seen[-1].query == "columns=4"


def test_wrong_frames_are_a_usage_error(on: Run, fake: FakeRest) -> None:
    assert on("frames", "ls", "7", "--frames", "1-x").exit_code == 2


def test_a_log_is_read_to_its_end(on: Run, fake: FakeRest) -> None:
    log = b"a" * 10 + b"\nb\n"

    def part(request: Request) -> tuple[int, Any]:
        offset = int(request.query.rpartition("=")[2])
        return 200, log[offset : offset + 8]

    fake.answers["GET /tasks/3"] = TASK
    fake.answers["GET /tasks/3/log"] = part

    assert on("logs", "3", "-f").stdout_bytes == log
    assert json.loads(on("logs", "3", "--json").stdout) == {"task": 3, "attempt": 2, "log": log.decode()}
    assert "attempt=2" in fake.seen[-1].query
