"""Submitting, keeping what cannot be sent, waiting for the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fake_rest import JOB, FakeRest, Request
from typer.testing import Result

Run = Callable[..., Result]

TASK: dict[str, Any] = {
    "task": 3, "jobID": "00007", "step": "render", "kind": "render", "seq": 0, "status": "FAILED", "attempt": 2,
    "frames": [1, 2], "tile": [0, 1, 2, 2], "slice": None, "worker": "w1", "failures": 1, "message": "no camera",
    "not_before": None, "progress": 0.0, "note": "",
}  # fmt: skip


def test_submit_prints_the_id_alone(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /new_job"] = JOB

    result = on("submit", "--name", "hello", "-p", "width=64", "--frames", "1-3")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "00007\n", "")
    assert fake.seen[-1].json == {"name": "hello", "frames": "1-3", "settings": {"width": 64}}
    assert len(fake.seen[-1].headers["idempotency-key"]) == 32
    assert json.loads(on("submit", "--name", "hello", "--json").stdout) == JOB


def test_submit_uploads_a_scene_that_is_not_there_yet(on: Run, fake: FakeRest) -> None:
    Path("a.ply").write_bytes(b"ply")
    digest = hashlib.sha256(b"ply").hexdigest()
    fake.answers[f"PUT /blobs/{digest}"] = {"hash": digest, "size": 3}
    fake.answers["POST /new_job"] = JOB

    assert on("submit", "a.ply", "--upload").exit_code == 0

    assert fake.calls(f"PUT /blobs/{digest}")[0].body == b"ply"
    assert fake.seen[-1].json == {"name": "a", "scene": f"blob:{digest}/a.ply"}
    fake.answers[f"HEAD /blobs/{digest}"] = {}
    on("submit", "a.ply", "--upload")
    assert len(fake.calls(f"PUT /blobs/{digest}")) == 1


def test_submit_sends_a_folder_as_a_zip(on: Run, fake: FakeRest) -> None:
    Path("sh010").mkdir()
    Path("sh010/a.ply").write_bytes(b"ply")
    fake.answers["POST /jobs/new"] = JOB

    assert on("submit", "sh010", "--frames", "1-2").stdout == "00007\n"

    body = fake.seen[-1].body
    assert b'filename="sh010.zip"' in body
    assert b'name="scene"\r\n\r\na.ply' in body
    assert b'name="frames"\r\n\r\n1-2' in body


def test_while_the_scheduler_is_away_jobs_are_kept_and_sent_later(outfield: Run, fake: FakeRest, home: Path) -> None:
    profile = home / "config" / "outfield" / "clients.toml"
    profile.parent.mkdir(parents=True)
    profile.write_text(f'[default]\nserver = "{fake.url}"\n')
    fake.fails("POST /new_job", 502, "bad_gateway")

    result = outfield("submit", "--name", "first")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "The job was kept." in result.stderr
    assert "[spooled]" in result.stderr
    key = fake.seen[-1].headers["idempotency-key"]

    fake.answers["POST /new_job"] = JOB
    fake.seen.clear()
    result = outfield("submit", "--name", "second")
    assert (result.exit_code, result.stdout) == (0, "00007\n")
    assert "Job 00007 (first), kept since the scheduler was away, is sent." in result.stderr
    assert [(each.json["name"], each.headers["idempotency-key"] == key) for each in fake.seen] == [
        ("first", True),
        ("second", False),
    ]
    assert list((home / "data" / "outfield" / "outbox").glob("*.json")) == []


def test_flush_sends_what_was_kept_and_tells_what_was_refused(on: Run, fake: FakeRest) -> None:
    fake.fails("POST /new_job", 502, "bad_gateway")
    for name in ("good", "bad"):
        on("submit", "--name", name)

    def judge(request: Request) -> tuple[int, Any]:
        if request.json["name"] == "good":
            return 201, {"data": JOB, "message": ""}
        return 422, {"data": {"code": "invalid_field", "hint": "", "details": None}, "message": "Not like that."}

    fake.answers["POST /new_job"] = judge
    result = on("submit", "--flush")

    assert (result.exit_code, result.stdout) == (1, "00007\n")
    assert "'bad'" in result.stderr
    assert "Not like that." in result.stderr
    assert on("submit", "--flush").exit_code == 0


def test_a_refused_submission_is_not_kept(on: Run, fake: FakeRest, home: Path) -> None:
    fake.fails("POST /new_job", 422, "unknown_field", "chunks is not a field.")

    assert on("submit", "--name", "x").exit_code == 1
    assert not (home / "data" / "outfield" / "outbox").exists()


def test_waiting_ends_with_the_job(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /new_job"] = JOB
    fake.answers["GET /jobs/00007"] = JOB | {"status": "SUCCEEDED"}

    result = on("submit", "--name", "x", "--wait")

    assert (result.exit_code, result.stdout) == (0, "00007\n")
    assert json.loads(on("submit", "--name", "x", "--wait", "--json").stdout)["status"] == "SUCCEEDED"


def test_a_job_that_fails_is_6_and_says_why(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/7"] = JOB | {"status": "FAILED"}
    fake.answers["GET /jobs/00007/tasks"] = [TASK]

    result = on("watch", "7")

    assert result.exit_code == 6
    assert "task 3: no camera" in result.stderr
