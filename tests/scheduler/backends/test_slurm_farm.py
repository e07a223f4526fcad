"""The farm's own desk on a real Slurm: launches, restarts, failing nodes, retiring, and jobs that nobody ordered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from farms import FARM_ID, LooseFarm
from slurm_cluster import SlurmCluster
from sqlmodel import select

from scheduler.backends.base import LaunchOrder
from scheduler.backends.slurm import make_backend
from scheduler.domain.scaling import Scaling
from scheduler.settings import SlurmPool
from scheduler.store.instances import CloudInstance

pytestmark = pytest.mark.processes
POOL = "cluster"


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    made = SlurmCluster(nodes=3)
    yield made
    made.stop()


class SlurmFarm(LooseFarm):
    """A farm whose one pool is the cluster. Its agents only sleep."""

    def __init__(self, data: Path, cluster: SlurmCluster) -> None:
        agent = data / "bin" / "outfield"
        agent.parent.mkdir(parents=True)
        agent.write_text("#!/bin/sh\nexec sleep 600\n")
        agent.chmod(0o755)
        pool: dict[str, Any] = {
            "backend": "slurm",
            "vcpus": 1,
            "memory_gib": 0.1,
            "slurm_conf": cluster.conf,
            "scratch": data,
            "life_s": 3600.0,
            "agent_install": f"PATH={agent.parent}:$PATH",
        }
        super().__init__(data, sections={"pools": {POOL: pool}})

    def _open(self) -> None:
        super()._open()
        self.launcher = self.services.launcher
        self.farm.url = "http://127.0.0.1:8000"

    def apply(self, launch: int = 0, retire: tuple[str, ...] = ()) -> None:
        """Have a decision carried out."""

        async def apply() -> None:
            await self.launcher.apply(POOL, Scaling(POOL, launch, retire, ("the test wants it",)))
            await self.launcher.idle()

        self.run(apply())

    def states(self) -> dict[str, str]:
        """The record's instances, after a round."""
        self.run(self.launcher.desks[POOL].round(look=True))
        with self.store.read() as session:
            return {row.id: row.status for row in session.exec(select(CloudInstance)).all()}

    def until(self, look: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Do rounds until it is so."""
        for _round in range(100):
            found = self.states()
            if look(found):
                return found
            threading.Event().wait(0.1)
        raise AssertionError(self.states())


def alive(cluster: SlurmCluster) -> set[str]:
    return set(cluster.query("squeue", "-h", "-r", "-o", "%F_%K").split())


def test_launches_survive_restarts_and_nodes_and_leave_nothing(cluster: SlurmCluster, tmp_path: Path) -> None:
    farm = SlurmFarm(tmp_path, cluster)
    assert farm.states() == {}  # a first round, in which it learns what the pool costs
    farm.apply(launch=3)
    first = farm.until(lambda found: list(found.values()) == ["RUNNING"] * 3)
    farm.restart()
    farm.run(farm.launcher.start())
    assert farm.states() == first
    assert alive(cluster) == set(first)

    lost, *stay = sorted(first)
    cluster.down(
        next(node for node in cluster.nodes if cluster.query("squeue", "-h", "-w", node, "-o", "%F_%K") == lost)
    )
    farm.until(lambda found: found[lost] == "GONE" and [found[each] for each in stay] == ["RUNNING"] * 2)

    farm.apply(retire=tuple(stay))
    farm.until(lambda found: set(found.values()) == {"GONE"})
    assert alive(cluster) == set()
    farm.close()


def test_a_job_with_the_farms_labels_that_nobody_ordered_is_ended(cluster: SlurmCluster, tmp_path: Path) -> None:
    farm = SlurmFarm(tmp_path, cluster)
    settings = farm.settings.pools[POOL]
    assert isinstance(settings, SlurmPool)
    stray = make_backend(POOL, settings, FARM_ID)
    (made,) = stray.launch(LaunchOrder("an order of a database that was lost", 1, "exec sleep 600", 3600.0))
    other = make_backend(POOL, settings, "another farm")
    (theirs,) = other.launch(LaunchOrder("an order of theirs", 1, "exec sleep 600", 3600.0))

    farm.until(lambda _found: made.id not in alive(cluster))
    assert theirs.id in alive(cluster)
    other.terminate([theirs.id])
    farm.close()
