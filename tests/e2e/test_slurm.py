"""A real Slurm on this machine: agents as an array render a job, and nodes that fail in the middle are survived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from agent_script import start_up
from running_farm import RunningFarm
from slurm_cluster import SlurmCluster

from scheduler.backends.base import Instance, InstanceState, LaunchOrder, NoticeKind
from scheduler.backends.slurm import SlurmBackend, make_backend
from scheduler.settings import SlurmPool

NODES = 3
FRAMES = 9
SCENE = {"width": 320, "height": 240, "subsamples": 4, "ao_samples": 16}
FARM = """
[farm]
lease_s = 3
grace_s = 1
renew_s = 1
[pools.cluster]
backend = "slurm"
slurm_conf = "{conf}"
[[rules]]
name = "the cluster may help"
allow = ["cluster"]
"""


@pytest.fixture
def cluster() -> Iterator[SlurmCluster]:
    made = SlurmCluster(nodes=NODES)
    yield made
    made.stop()


@pytest.fixture
def backend(cluster: SlurmCluster, tmp_path: Path) -> SlurmBackend:
    settings = SlurmPool(
        vcpus=1, memory_gib=0.5, slurm_conf=cluster.conf, scratch=tmp_path / "node", log_folder=tmp_path, kill_wait_s=5
    )
    return make_backend("cluster", settings, "farm-a")


def busy(farm: RunningFarm, backend: SlurmBackend) -> list[Instance]:
    """Every node with its worker, once each of them renders."""
    holders = {row["name"] for row in farm.client.get("/workers").json()["data"] if row["running"]}
    return [each for each in backend.list() if f"{each.address}-{each.id}" in holders]


def all_busy(farm: RunningFarm, backend: SlurmBackend) -> list[Instance]:
    found = busy(farm, backend)
    return found if len(found) == NODES else []


def die(cluster: SlurmCluster, instance: Instance) -> None:
    """The machine of a worker is gone from one moment to the next: no signal, no word."""
    ours = [each for each in cluster.processes() if each.name() != "slurmstepd" and instance.id in about(each)]
    assert ours
    for process in ours:
        process.kill()


def about(process: psutil.Process) -> str:
    return " ".join([*process.environ().values(), *process.cmdline()])


def published(farm: RunningFarm, job: str) -> Counter[int]:
    events: list[dict[str, Any]] = farm.client.get(f"/jobs/{job}/events").json()["data"]
    return Counter(event["data"]["frame"] for event in events if event["kind"] == "frame.published")


def test_agents_as_an_array_render_a_job_and_failing_nodes_are_survived(
    new_farm, cluster: SlurmCluster, backend: SlurmBackend, tmp_path: Path
) -> None:
    (tmp_path / "outfield.toml").write_text(FARM.format(conf=cluster.conf))
    flags = ("--config", str(tmp_path / "outfield.toml"), "--output-root", str(tmp_path))
    farm = new_farm(workers=0, flags=flags)
    backend.launch(
        LaunchOrder(
            "the first order", NODES, start_up(farm, "cluster", NODES, number="$SLURM_ARRAY_TASK_ID"), life_s=1800.0
        )
    )
    output = str(tmp_path / "out" / "f.####.png")
    job = farm.submit(name="hello", frames=f"1-{FRAMES}", settings=SCENE, output=output)

    down, dead, stays = farm.until(lambda: all_busy(farm, backend), within_s=90)
    cluster.down(down.address)
    die(cluster, dead)
    cluster.down(dead.address)
    assert farm.job(job)["status"] == "RUNNING"
    farm.succeed(job, within_s=120)

    assert published(farm, job) == Counter(range(1, FRAMES + 1))
    assert len([*(tmp_path / "out").iterdir()]) == FRAMES
    assert {notice.instance: notice.kind for notice in backend.events()} == {
        down.id: NoticeKind.FAILED,
        dead.id: NoticeKind.FAILED,
    }
    states = {each.id: each.state for each in backend.list()}
    assert states == {down.id: InstanceState.GONE, dead.id: InstanceState.GONE, stays.id: InstanceState.RUNNING}

    backend.terminate([stays.id])
    farm.until(lambda: all(each.state is InstanceState.GONE for each in backend.list()))
    (folder,) = (tmp_path / "node").iterdir()
    assert [path.name for path in folder.iterdir() if path.name.startswith(stays.id)] == []
    assert backend.events() == []
