"""The demo: its jobs are what the farm takes, and the whole of it ends with frames, a still and a contact sheet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from components import require

from scheduler.cli.demo_jobs import ANIMATION_FRAMES, BLEND_FRAMES, blender_job, kernel_jobs
from scheduler.service.validating import validate_payload, validate_settings

DEMO_S = 240


def test_the_kernel_jobs_are_valid(tmp_path: Path) -> None:
    jobs = kernel_jobs(tmp_path / "knot.ply", tmp_path)

    for job in jobs:
        payload = validate_payload(job.body)
        validate_settings("kernel", payload.settings)
    assert {job.body["name"] for job in jobs} == {"turntable", "still"}


def test_blender_makes_the_scene(tmp_path: Path) -> None:
    require("blender")

    job = blender_job(tmp_path, tmp_path / "out")

    assert job is not None
    assert validate_payload(job.body).frames == f"1-{BLEND_FRAMES}"
    assert Path(job.body["scene"]).stat().st_size > 0


def test_without_blender_the_blend_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert blender_job(tmp_path, tmp_path / "out") is None


@pytest.mark.processes
def test_the_demo_ends_with_frames_a_still_and_a_sheet(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scheduler.cli.main", "demo", "--json", "--to", "shown"]
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=DEMO_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert {job["status"] for job in said["jobs"]} == {"SUCCEEDED"}
    shown = tmp_path / "shown"
    assert [path for path in said["frames"] if not Path(path).is_file()] == []
    assert len(list((shown / "turntable").glob("*.png"))) == ANIMATION_FRAMES
    assert (shown / "still.png").is_file()
    assert Path(said["sheet"]) == shown / "contact_sheet.png"
    assert list(scratch.glob("outfield-demo-*")) == []
