"""A Spot machine is taken away in mid-slice: real processes and real HTTP; a fake speaks for both clouds' metadata.

What must show: the notice is seen within 2 s, the lease is back within 5 s with what was rendered, another worker has
it within 10 s, nobody's retries are spent, and the frame is the one that an undisturbed render makes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fake_metadata import FakeMetadata
from kernel_work import Tasks
from running_farm import RunningFarm

from worker.runners.kernel import KernelRunner

HEAVY = {"width": 640, "height": 480, "samples": 768, "ao_samples": 16}
"""Some seconds for each of two slices on two cores; the second is begun when the first is done."""

HALF_WAY_S = 0.5

SEEN_S, RETURNED_S, LEASED_S = 2.0, 5.0, 10.0


@contextmanager
def worker(farm: RunningFarm, name: str, folder: Path, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as a machine of its own starts it: settings in the environment, nothing on the command line."""
    code = farm.client.post("/tokens", json={"name": name, "role": "worker"}).json()["data"]["token"]
    given = {"server": farm.url, "join": code, "name": name, "data": folder / "data", "renderers": "kernel"} | settings
    environment = os.environ | {f"OUTFIELD_WORKER__{key.upper()}": str(value) for key, value in given.items()}
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "scheduler.cli.main", "worker"], env=environment, stderr=log, stdout=log
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()


def unix_s(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def frame(farm: RunningFarm, job: str) -> bytes:
    return farm.client.get(f"/jobs/{job}/frames/1").content


def events(farm: RunningFarm, job: str) -> list[dict[str, Any]]:
    return farm.client.get(f"/jobs/{job}/events").json()["data"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> bytes:
    """The frame as it is rendered in one go."""
    runner = KernelRunner()
    (made,) = Tasks(runner, tmp_path_factory.mktemp("undisturbed")).run(HEAVY, format="png", name="taken")
    runner.close()
    return made.path.read_bytes()


@pytest.mark.parametrize("cloud", ["gce", "aws"])
def test_a_spot_machine_is_taken_away(new_farm, tmp_path, cloud, undisturbed):
    farm = new_farm(workers=0)
    submission = {"name": "taken", "settings": HEAVY, "split": {"samples": 2}}
    with FakeMetadata() as metadata:
        taken = {"cloud": cloud, "metadata_url": metadata.url, "instance": "i-1"}
        with worker(farm, "spot", tmp_path / "spot", **taken) as spot, worker(farm, "other", tmp_path / "other"):
            farm.until(lambda: len(farm.client.get("/workers").json()["data"]) == 2)
            (other,) = (w["worker"] for w in farm.client.get("/workers").json()["data"] if w["name"] == "other")
            farm.client.post(f"/workers/{other}/drain")  # it stands by; the cores are the Spot machine's
            job, task = last_slice(farm, submission)
            time.sleep(HALF_WAY_S)
            noticed_at = time.time()
            metadata.take_back(cloud)
            farm.client.post(f"/workers/{other}/enable")
            left = farm.until(lambda: leaving(farm), within_s=10)
            returned = farm.until(lambda: ended(farm, task, "RETURNED"), within_s=20)
            assert spot.wait(20) == 0
            gone_at = time.time()
            farm.succeed(job, within_s=120)
        attempts = farm.client.get(f"/tasks/{task}").json()["data"]["attempts"]
    again = next(each for each in attempts if each["attempt"] == returned["attempt"] + 1)
    took = {
        "seen": left - noticed_at,
        "returned": unix_s(returned["ended_at"]) - noticed_at,
        "leased again": unix_s(again["leased_at"]) - noticed_at,
        "gone": gone_at - noticed_at,
    }
    sys.stdout.write(f"{cloud}: " + ", ".join(f"{what} after {s:.2f} s" for what, s in took.items()) + "\n")
    assert took["seen"] < SEEN_S and took["returned"] < RETURNED_S and took["leased again"] < LEASED_S
    assert returned["failure"] == "preempted"
    (saved,) = [event for event in events(farm, job) if event["kind"] == "task.saved"]
    assert 0.1 < saved["data"]["done"] < 1.0
    assert {task["failures"] for task in farm.tasks(job)} == {0}, "nobody's retries are spent"
    assert frame(farm, job) == undisturbed


def last_slice(farm: RunningFarm, submission: dict[str, Any]) -> tuple[str, int]:
    """Submit; the job, and its second slice once that is being rendered and nothing else is left to lease."""
    job = farm.submit(**submission)

    def begun() -> int | None:
        status = {task["task"]: task["status"] for task in farm.tasks(job) if task["kind"] == "render"}
        going = [task for task, each in status.items() if each == "LEASED"]
        return going[0] if sorted(status.values()) == ["LEASED", "SUCCEEDED"] else None

    return job, farm.until(begun)


def leaving(farm: RunningFarm) -> float | None:
    """When the farm was told that the Spot machine goes: wall time, as this process sees it."""
    workers = farm.client.get("/workers").json()["data"]
    (spot,) = (each for each in workers if each["name"] == "spot")
    return time.time() if "takes this Spot" in spot["leaving"] and spot["status"] == "DRAINING" else None


def ended(farm: RunningFarm, task: int, status: str) -> dict[str, Any] | None:
    attempts = farm.client.get(f"/tasks/{task}").json()["data"]["attempts"]
    return next((each for each in attempts if each["status"] == status), None)
