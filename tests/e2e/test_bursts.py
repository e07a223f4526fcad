"""A burst as a studio has it: a rule, a date that home cannot make, a plan, machines, frames, and nothing left over.

The farm is a real `outfield up` with one slow worker; `boto3` talks to moto and `google-cloud-compute` to a server of
its REST shape. The fakes boot no machines: the test runs each instance's very start-up script in their stead. In the
middle, while the provider's answer to the launch is still on its way, the scheduler is killed.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from burst_clouds import LIFE_S, Cloud, on_aws, on_gce
from fake_ec2 import fake_ec2
from fake_gce import fake_gce
from fake_metadata import FakeMetadata
from instance_processes import InstanceProcesses
from running_farm import RunningFarm

from worker.runners.power import save_power

SCENE = {"width": 160, "height": 120, "samples": 1024, "ao_samples": 16}
FRAMES = 10
DUE_S = 10.0
"""Home alone needs longer than half a minute; and nobody can make it by the time that machines have booted."""

HOME_RATING = 0.2
SLOW_PERIOD_S = 0.5
"""The home worker runs for a fifth of each period: it is as slow as its rating says."""

WORKERS_MAX = 2
PRICE_USD = 0.14
BUDGET_USD = 5.0

FARM = """
[farm]
tick_s = 0.5
scale_s = {scale_s}
look_s = 1
[estimates]
interval_s = 0.5
[budgets.farm]
usd = {budget}
{pool}
workers_max = {workers_max}
price_usd_per_hour = {price}
life_s = {life_s}
autoscale = "deadline"
idle_s = 2
settle_s = 1
boot_s = 5
transfer_s = 1
deadline_margin_tasks = 0
[[rules]]
name = "deadline burst"
when = 'job.deadline_slack_s("onprem") < 0 && job.cloud == "allow"'
allow = ["{name}"]
"""


@pytest.fixture(params=["aws", "gce"])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    if request.param == "aws":
        with fake_ec2() as ec2:
            yield on_aws(ec2)
    else:
        with fake_gce() as gce:
            yield on_gce(gce)


# ---- The studio ------------------------------------------------------------------------------------------------------


class Studio:
    """One farm on one port, through all lives of its scheduler, with its slow worker."""

    def __init__(self, folder: Path, cloud: Cloud, lives: ExitStack) -> None:
        self.folder, self.cloud, self._lives = folder, cloud, lives
        self._port, self._pace = free_port(), threading.Lock()
        save_power(folder / "data" / "workers" / "1", {"rating": HOME_RATING, "vcpus": 2})
        self.farm: RunningFarm = self.up(scale_s=3600.0)

    def up(self, *, scale_s: float) -> RunningFarm:
        """`outfield up`, once more."""
        file = self.folder / "outfield.toml"
        file.write_text(
            FARM.format(
                pool=self.cloud.pool,
                name=self.cloud.name,
                scale_s=scale_s,
                budget=BUDGET_USD,
                workers_max=WORKERS_MAX,
                price=PRICE_USD,
                life_s=LIFE_S,
            )
        )
        keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_EC2_METADATA_DISABLED": "true"}
        self.farm = RunningFarm(
            self.folder / "data",
            flags=("--config", str(file), "--port", str(self._port)),
            environment=keys | {"OUTFIELD_WORKER__RENDERERS": "kernel"},
        )
        self._lives.callback(ended, self.farm)
        return self.farm

    def outfield(self, *words: str) -> Any:
        """What a command says, as data."""
        known = {"OUTFIELD_SERVER": self.farm.url, "OUTFIELD_TOKEN": self.farm.token}
        command = [sys.executable, "-m", "scheduler.cli.main", "--json", *words]
        done = subprocess.run(command, env=os.environ | known, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def get(self, path: str, **query: str) -> Any:
        return self.farm.client.get(path, params=query).json()["data"]

    def kill(self) -> None:
        """kill -9 of the scheduler. Its worker notices, and ends by itself."""
        with self._pace:
            self.farm.kill()

    @contextmanager
    def slow_home(self) -> Iterator[None]:
        """The home worker runs for a fifth of the time only."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(SLOW_PERIOD_S * HOME_RATING):
                with self._pace, suppress(psutil.Error):
                    workers = self.farm.workers()
                    for worker in workers:
                        worker.suspend()
                    over.wait(SLOW_PERIOD_S * (1 - HOME_RATING))
                    for worker in workers:
                        worker.resume()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ended(farm: RunningFarm) -> None:
    if farm.process.poll() is None:
        assert farm.stop() == 0


@contextmanager
def machines(cloud: Cloud, folder: Path) -> Iterator[InstanceProcesses]:
    """The provider's computers: whatever is alive there runs its start-up script."""
    with FakeMetadata() as metadata:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OUTFIELD_RUN_AS": "",
            "OUTFIELD_WORKER__METADATA_URL": metadata.url,
            "OUTFIELD_WORKER__RENDERERS": "kernel",
            "OUTFIELD_WORKER__SCRATCH_MIN_FREE_GIB": "0",
        }
        with InstanceProcesses(
            cloud.alive, folder, powered_off=cloud.powered_off, environment=environment
        ) as processes:
            yield processes


# ---- The burst -------------------------------------------------------------------------------------------------------


def test_a_late_job_bursts_as_planned_and_leaves_nothing_behind(cloud: Cloud, tmp_path: Path) -> None:
    with ExitStack() as lives:
        studio = Studio(tmp_path, cloud, lives)
        booted = lives.enter_context(machines(cloud, tmp_path / "instances"))
        lives.enter_context(studio.slow_home())
        due = datetime.now(UTC) + timedelta(seconds=DUE_S)
        job = studio.farm.submit(
            name="sh010", frames=f"1-{FRAMES}", settings=SCENE, deadline=due.isoformat(), tracking={"project": "Alpha"}
        )
        planned = the_plan(studio, job)
        assert cloud.orders() == 0 and not cloud.alive(), "a plan launches nothing"

        studio.kill()
        cloud.hold_answer()
        studio.up(scale_s=1.0)
        studio.farm.until(cloud.alive)
        studio.kill()  # the machines are there, and nobody has told the farm
        cloud.let_go()
        studio.up(scale_s=1.0)

        launch = the_launch(studio, planned)
        for identity in launch["instances"]:
            cloud.look_at(identity, launch)
        pools = joined(studio, planned)
        studio.farm.succeed(job, within_s=120)
        assert {pools[worker] for worker in rendered_by(studio, job)} == {"onprem", cloud.name}
        gone(studio, booted)
        assert cloud.orders() == 1 and sorted(booted.started) == sorted(launch["instances"]), "nothing twice"
        the_bill(studio, job)


def the_plan(studio: Studio, job: str) -> int:
    """What `outfield cloud plan` says, once there is a forecast; how many it would launch."""

    def look() -> dict[str, Any] | None:
        found = studio.get("/cloud/plan")
        return found if found["jobs"] and found["pools"][0]["launch"] else None

    plan = studio.farm.until(look, within_s=30)
    (pool,), (cover,) = plan["pools"], plan["jobs"]
    assert (pool["pool"], pool["launch"], pool["workers"]["present"]) == (studio.cloud.name, WORKERS_MAX, 0)
    assert "that home cannot do in time" in pool["reasons"][0]
    assert pool["usd_per_hour_wanted"] == pytest.approx(WORKERS_MAX * PRICE_USD)
    assert (cover["jobID"], cover["pool"], cover["stage"]) == (job, studio.cloud.name, "bursting")
    assert "late at home" in cover["reason"]
    told = studio.outfield("cloud", "plan")
    assert [(each["pool"], each["launch"]) for each in told["pools"]] == [(studio.cloud.name, WORKERS_MAX)]
    return pool["launch"]


def the_launch(studio: Studio, planned: int) -> dict[str, Any]:
    """The one launch, with its instances and the farm's id, once the farm has found them."""

    def found() -> list[str]:
        seen = [each["instance"] for each in studio.get("/cloud/instances")["instances"]]
        return seen if len(seen) == planned else []

    instances = studio.farm.until(found)
    (launch,) = studio.get("/cloud/launches")
    assert launch["count"] == planned and launch["shares"] == {"Alpha": 1.0}
    assert launch["reserved_usd"] > 0
    return launch | {"instances": instances, "farm": studio.get("/info")["farm_id"]}


def joined(studio: Studio, planned: int) -> dict[str, str]:
    """Worker to pool, once every instance has had its worker: one may be idle and gone before the next has booted."""

    def look() -> dict[str, str]:
        instances = studio.get("/cloud/instances", gone="true")["instances"]
        found = {each["worker"]: each["pool"] for each in instances if each["worker"]}
        return found if len(found) == planned else {}

    rented = studio.farm.until(look, within_s=60)
    return {each["worker"]: each["pool"] for each in studio.get("/workers")} | rented


def rendered_by(studio: Studio, job: str) -> set[str]:
    """The workers that rendered the job's frames, each of them once."""
    tasks = [studio.get(f"/tasks/{task['task']}")["attempts"] for task in studio.farm.tasks(job)]
    done = [each["worker"] for attempts in tasks for each in attempts if each["status"] == "SUCCEEDED"]
    assert len(done) == FRAMES
    return set(done)


def gone(studio: Studio, booted: InstanceProcesses) -> None:
    """Idle machines are ended, the provider has confirmed it, and no process is left of them."""

    def confirmed() -> bool:
        found = studio.get("/cloud/instances", gone="true")["instances"]
        return {each["status"] for each in found} == {"GONE"} and not booted.pids()

    studio.farm.until(confirmed, within_s=60)
    assert not studio.cloud.alive()
    assert studio.outfield("cloud", "ls")["instances"] == []
    (launch,) = studio.get("/cloud/launches")
    assert (launch["status"], launch["reserved_usd"], launch["error"]) == ("GONE", 0.0, "")


def the_bill(studio: Studio, job: str) -> None:
    """What it has cost is spent, nothing is reserved any more, and the job's own part of it is known."""
    (budget,) = studio.outfield("budget")
    assert budget["reserved_usd"] == 0.0
    assert 0 < budget["spent_usd"] < WORKERS_MAX * PRICE_USD * 180 / 3600
    (cost,) = studio.outfield("budget", "--job", job)
    assert 0 < cost["usd"] < budget["spent_usd"]
