"""A farm on a PostgreSQL server: killed, cut off from its database, and started again."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from postgres import Cluster
from running_farm import RunningFarm

FRAMES = 12
SLOW = {"width": 320, "height": 240, "subsamples": 3, "ao_samples": 8}
END_S = 60.0
AWAY_S = 2.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.stop()


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.url()


@pytest.fixture
def start(new_farm, url: str, tmp_path):
    """Starts the farm, again and again."""
    return lambda: new_farm(flags=("--database", url, "--output-root", str(tmp_path)))


def submit(farm: RunningFarm, tmp_path) -> str:
    job = farm.submit(frames=f"1-{FRAMES}", settings=SLOW, output=str(tmp_path / "out" / "f.####.png"))
    farm.until(lambda: [task for task in farm.tasks(job) if task["status"] == "SUCCEEDED"])
    return job


def all_is_there(farm: RunningFarm, job: str, tmp_path) -> None:
    """Every frame came, and came once."""
    farm.succeed(job)
    assert len(list((tmp_path / "out").iterdir())) == FRAMES
    events = farm.client.get(f"/jobs/{job}/events", params={"limit": 500}).json()["data"]
    published = [event["data"]["frame"] for event in events if event["kind"] == "frame.published"]
    assert sorted(published) == list(range(1, FRAMES + 1))


def test_kill_9_and_a_new_start(start, tmp_path):
    farm = start()
    job = submit(farm, tmp_path)
    farm.kill()

    all_is_there(start(), job, tmp_path)


@pytest.mark.parametrize("how", ["crash", "cut"])
def test_a_scheduler_without_its_database_ends_and_goes_on_at_the_next_start(start, cluster, url, tmp_path, how):
    farm = start()
    job = submit(farm, tmp_path)
    if how == "crash":
        cluster.crash()
        threading.Timer(AWAY_S, cluster.start).start()  # the next start waits for it
    else:
        assert cluster.cut(url)
    assert farm.process.wait(END_S) == 1
    assert "[database_lost]" in farm.log()

    all_is_there(start(), job, tmp_path)


def test_a_second_scheduler_is_refused_on_the_same_database(start, url, tmp_path):
    start()
    command = [sys.executable, "-m", "scheduler.cli.main", "up", "--port", "0", "--workers", "0", "--database", url]
    second = subprocess.run(
        [*command, "--data", str(tmp_path / "another")], capture_output=True, text=True, timeout=END_S, check=False
    )

    assert second.returncode == 1
    assert "[already_active]" in second.stderr
