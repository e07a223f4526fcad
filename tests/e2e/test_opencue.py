"""A worker on a real host of an OpenCue farm renders a job, and goes when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_script import start_up
from rqd_host import RqdHost, free_port

from scheduler.backends.base import LaunchOrder
from scheduler.backends.opencue import make_backend
from scheduler.backends.opencue.reports import receiver_at
from scheduler.settings import OpencuePool

FARM = """
[pools.lent]
backend = "opencue"
hosts = ["{host}"]
listen = "127.0.0.1:{port}"
[[rules]]
name = "lent hosts may help"
allow = ["lent"]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[OpencuePool]:
    port = free_port()
    receiver_at(f"127.0.0.1:{port}")
    host = RqdHost(tmp_path, "host", report_port=port)
    host.wait()
    yield OpencuePool(
        hosts=(host.address,), listen=f"127.0.0.1:{port}", memory_gib=0.5, scratch=tmp_path, log_folder=tmp_path
    )
    host.stop()


def test_a_worker_on_a_lent_host_renders_and_goes(new_farm, settings: OpencuePool, tmp_path: Path) -> None:
    backend = make_backend("lent", settings, "farm-a")
    (tmp_path / "outfield.toml").write_text(FARM.format(host=settings.hosts[0], port=free_port()))
    farm = new_farm(workers=0, flags=("--config", str(tmp_path / "outfield.toml")))
    (made,) = backend.launch(LaunchOrder("an order", 1, start_up(farm, "lent"), life_s=600.0))
    job = farm.submit(name="hello", frames="1-3", settings={"width": 64, "height": 48, "subsamples": 1})
    farm.succeed(job)
    backend.terminate([made.id])

    farm.until(lambda: not backend.list())
    farm.until(lambda: not [*tmp_path.glob("outfield-*")])
    (worker,) = farm.client.get("/workers").json()["data"]
    assert (worker["pool"], worker["running"]) == ("lent", [])
    assert backend.events() == []
