"""kill -9, of a worker and of the scheduler: the farm goes on, nothing is lost, nothing is published twice."""

from __future__ import annotations

import json
import os
import signal

import httpx
from running_farm import RunningFarm

SLOW = {"width": 320, "height": 240, "subsamples": 4, "ao_samples": 16}


def leased(farm: RunningFarm, job: str) -> list[dict]:
    return [task for task in farm.tasks(job) if task["status"] == "LEASED"]


def test_kill_9_of_a_worker_in_mid_task(new_farm):
    farm = new_farm(
        workers=1,
        environment={"OUTFIELD_FARM__LEASE_S": "3", "OUTFIELD_FARM__GRACE_S": "1", "OUTFIELD_FARM__RENEW_S": "1"},
    )
    job = farm.submit(renderer="null", settings={"sleep_s": 5})
    (task,) = farm.until(lambda: leased(farm, job))
    first = task["attempt"]
    worker_folder = farm.data / "workers"
    identity = next(path for path in worker_folder.rglob("*.json") if "token" in path.read_text())
    known = json.loads(identity.read_text())
    (worker,) = farm.workers()
    secret = secret_of(farm, task["task"])
    os.kill(worker.pid, signal.SIGKILL)
    farm.succeed(job, within_s=60)
    (task,) = farm.tasks(job)
    assert task["attempt"] == first + 1
    # The dead worker's late report, replayed with its own token and secret.
    late = httpx.post(
        f"{farm.url}/attempts/{task['task']}.{first}/complete",
        headers={"Authorization": f"Bearer {known['token']}"},
        json={"attempt": first, "secret": secret, "files": []},
    )
    assert late.status_code == 409, late.text
    assert late.json()["data"]["code"] == "stale_attempt"


def secret_of(farm: RunningFarm, task: int) -> str:
    """The lease's secret, read where only the farm's own user can."""
    from pysqlite3 import dbapi2

    connection = dbapi2.connect(f"file:{farm.data / 'outfield.sqlite'}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT secret FROM task WHERE id = ?", (task,)).fetchone()[0]
    finally:
        connection.close()


def test_kill_9_of_a_worker_while_it_renders_publishes_once(new_farm, tmp_path):
    farm = new_farm(
        workers=1,
        flags=("--output-root", str(tmp_path)),
        environment={"OUTFIELD_FARM__LEASE_S": "3", "OUTFIELD_FARM__GRACE_S": "1", "OUTFIELD_FARM__RENEW_S": "1"},
    )
    job = farm.submit(name="hello", frames="1-3", settings=SLOW, output=str(tmp_path / "out" / "f.####.png"))
    farm.until(lambda: leased(farm, job))
    os.kill(farm.workers()[0].pid, signal.SIGKILL)
    farm.succeed(job, within_s=90)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["f.0001.png", "f.0002.png", "f.0003.png"]
    published = [e for e in farm.client.get(f"/jobs/{job}/events").json()["data"] if e["kind"] == "frame.published"]
    assert len(published) == 3


def test_kill_9_of_the_scheduler_in_mid_job(new_farm):
    farm = new_farm(workers=0)
    code = farm.client.post("/tokens", json={"name": "w", "role": "worker"}).json()["data"]["token"]
    import subprocess
    import sys

    port = farm.url.rsplit(":", 1)[1]
    worker = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "scheduler.cli.main",
            "worker",
            "--server",
            farm.url,
            "--join",
            code,
            "--data",
            str(farm.data.parent / "w"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        job = farm.submit(renderer="null", frames="1-4", settings={"sleep_s": 4})
        farm.until(lambda: leased(farm, job))
        before = {task["task"]: task["attempt"] for task in farm.tasks(job) if task["status"] == "LEASED"}
        farm.kill()
        again = new_farm(workers=0, flags=("--port", port))
        assert again.url == farm.url
        again.succeed(job, within_s=90)
        after = {task["task"]: task["attempt"] for task in again.tasks(job)}
        assert set(after.values()) == {1}
        assert before.items() <= after.items()
    finally:
        worker.terminate()
        assert worker.wait(60) == 0


def test_a_second_up_on_the_same_folder_is_told_so(new_farm):
    import subprocess
    import sys

    farm = new_farm(workers=0)
    second = subprocess.run(
        [sys.executable, "-m", "scheduler.cli.main", "up", "--port", "0", "--data", str(farm.data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "Another scheduler is already active" in second.stderr
