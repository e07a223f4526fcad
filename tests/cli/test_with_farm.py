"""The real thing: `outfield` as a user types it, against `outfield up` with one worker."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from running_farm import RunningFarm

pytestmark = pytest.mark.processes

OUTFIELD = [sys.executable, "-m", "scheduler.cli.main"]
RUN_S = 90
SMALL = ("-p", "width=32", "-p", "height=16", "-p", "ao_samples=1", "-p", "subsamples=1")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningFarm]:
    folder = tmp_path_factory.mktemp("farm")
    running = RunningFarm(folder / "data", workers=1, flags=("--output-root", str(folder)))
    yield running
    assert running.stop() == 0


@pytest.fixture
def run(farm: RunningFarm, tmp_path: Path) -> Run:
    """Run `outfield` in a folder of its own; the farm is named by the environment."""
    home = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("DATA", "CONFIG")}
    environment = os.environ | home | {"OUTFIELD_SERVER": farm.url, "OUTFIELD_TOKEN": farm.token}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*OUTFIELD, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )

    return call


def test_submit_wait_and_get(run: Run, tmp_path: Path) -> None:
    done = run("submit", "--name", "hello", "--frames", "1-3", *SMALL, "--wait")
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()

    assert run("frames", "get", job, "--to", "frames").stdout.split() == [
        f"frames/hello.{n:04d}.png" for n in (1, 2, 3)
    ]
    assert (tmp_path / "frames" / "hello.0003.png").read_bytes().startswith(b"\x89PNG")
    assert run("frames", "check", job).returncode == 0
    assert run("frames", "sheet", job, "--to", "sheet.png").stdout.strip() == "sheet.png"
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert run("watch", job).returncode == 0
    assert "SUCCEEDED" in run("jobs", job).stdout
    assert json.loads(run("--json", "jobs").stdout)[0]["jobID"]
    assert run("why", job).returncode == 0


def test_a_scene_is_uploaded_and_written_where_it_was_asked_for(run: Run, farm: RunningFarm, tmp_path: Path) -> None:
    (tmp_path / "tri.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    output = farm.data.parent / "out" / "tri.####.png"

    done = run("submit", "tri.obj", "--upload", "--output", str(output), *SMALL, "--wait")

    assert done.returncode == 0, done.stderr
    assert (output.parent / "tri.0001.png").is_file()


def test_a_bundle_is_packed_and_rendered(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sh010").mkdir()
    (tmp_path / "sh010" / "tri.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")

    done = run("submit", "sh010", *SMALL, "--wait")

    assert done.returncode == 0, done.stderr


def test_what_no_worker_can_take_is_7(run: Run) -> None:
    done = run("submit", "--name", "nowhere", "--tag", "quantum", "--wait")

    assert (done.returncode, done.stdout != "") == (7, True)
    assert "cannot be placed anywhere" in done.stderr
    assert run("cancel", done.stdout.strip()).returncode == 0


def test_a_canceled_job_is_6_for_who_waits(run: Run, farm: RunningFarm) -> None:
    job = run("submit", "--name", "slow", "--renderer", "null", "-p", "sleep_s=60").stdout.strip()
    farm.until(lambda: farm.job(job)["status"] == "RUNNING")
    waiting = subprocess.Popen(
        [*OUTFIELD, "--server", farm.url, "--token", farm.token, "watch", job], stderr=subprocess.PIPE, text=True
    )
    assert waiting.stderr is not None
    assert "RUNNING" in waiting.stderr.readline()

    assert run("cancel", job).returncode == 0

    assert waiting.wait(RUN_S) == 6
    waiting.stderr.close()


def test_a_refused_submission_says_why_and_changes_nothing(run: Run) -> None:
    before = run("jobs", "--quiet").stdout

    done = run("submit", "--name", "x", "--frames", "1-")

    assert done.returncode == 1
    assert "frames" in done.stderr
    assert run("jobs", "--quiet").stdout == before


def test_workers_drain_and_come_back(run: Run) -> None:
    worker = run("workers", "--quiet").stdout.split()[0]

    assert run("drain", worker).returncode == 0
    assert json.loads(run("workers", worker, "--json").stdout)["drain"] is True
    assert run("enable", worker).returncode == 0


def test_tokens_come_and_go(run: Run) -> None:
    made = json.loads(run("token", "new", "ada", "--role", "user", "--json").stdout)

    assert run("--token", made["token"], "jobs").returncode == 0
    assert run("--token", made["token"], "token", "ls").returncode == 4
    assert run("token", "revoke", made["id"]).returncode == 0
    assert run("--token", made["token"], "jobs").returncode == 4


def test_a_wrong_join_code_is_4(run: Run, farm: RunningFarm, tmp_path: Path) -> None:
    assert run("worker", "--join", "NONSENSE22", "--data", str(tmp_path / "w")).returncode == 4


def test_after_kill_9_its_workers_end_by_themselves_and_the_next_up_goes_on(tmp_path: Path) -> None:
    """No task that runs is started again: its worker lives on until it is done, and finds the new scheduler."""
    first = RunningFarm(tmp_path / "data")
    worker = first.client.get("/workers").json()["data"][0]["worker"]
    job = first.submit(renderer="null", settings={"sleep_s": 6})
    first.until(lambda: [task for task in first.tasks(job) if task["status"] == "LEASED"])
    orphans = [psutil.Process(child.pid) for child in first.workers()]
    first.kill()

    second = RunningFarm(tmp_path / "data", flags=("--port", first.url.rpartition(":")[2]))
    try:
        second.succeed(job, within_s=RUN_S)
        assert {task["attempt"] for task in second.tasks(job)} == {1}
        assert {task["worker"] for task in second.tasks(job)} == {worker}
        assert psutil.wait_procs(orphans, timeout=RUN_S)[1] == []
    finally:
        assert second.stop() == 0


def test_a_worker_that_dies_is_started_again_as_the_same(farm: RunningFarm) -> None:
    before = {worker["worker"] for worker in farm.client.get("/workers").json()["data"]}
    (child,) = worker_pids(farm)
    psutil.Process(child).kill()

    (again,) = farm.until(lambda: worker_pids(farm) - {child})

    assert psutil.pid_exists(again)
    assert {worker["worker"] for worker in farm.client.get("/workers").json()["data"]} == before


def worker_pids(farm: RunningFarm) -> set[int]:
    """The worker processes that live; one that has died but was not waited for yet does not count."""
    found = set[int]()
    for child in psutil.Process(farm.process.pid).children():
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "worker" in child.cmdline():
                found.add(child.pid)
    return found
