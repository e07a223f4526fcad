"""The very start-up script that an instance gets, with the real agent, on a machine whose `shutdown` takes notes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from fake_metadata import FakeMetadata

from scheduler.domain.start_up import Boot, start_up_script

NOTED = '#!/bin/sh\necho "$(basename "$0") $*" >>"$NOTES"\n'


def programs(folder: Path) -> Path:
    """A PATH that begins with a `shutdown` and a `poweroff` that do nothing but say so."""
    place = folder / "bin"
    place.mkdir()
    for name in ("shutdown", "poweroff"):
        (place / name).write_text(NOTED)
        (place / name).chmod(0o755)
    return place


def test_an_instance_joins_renders_and_ends(new_farm, tmp_path):
    farm = new_farm(workers=0)
    code = farm.client.post("/tokens", json={"name": "burst", "role": "worker"}).json()["data"]["token"]
    script = start_up_script(Boot(farm.url, code, "onprem", "burst-1", 600.0, cloud="gce", power_off=True))
    notes, data = tmp_path / "notes", tmp_path / "instance" / "data"
    with FakeMetadata() as metadata:
        metadata.gce |= {"zone": "projects/7/zones/us-central1-a", "name": "burst-0001"}
        environment = os.environ | {
            "PATH": f"{programs(tmp_path)}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NOTES": str(notes),
            "OUTFIELD_RUN_AS": "",
            "OUTFIELD_WORKER__DATA": str(data),
            "OUTFIELD_WORKER__CACHE": str(tmp_path / "instance" / "cache"),
            "OUTFIELD_WORKER__METADATA_URL": metadata.url,
            "OUTFIELD_WORKER__RENDERERS": "kernel",
            "OUTFIELD_WORKER__SCRATCH_MIN_FREE_GIB": "0",
        }
        (tmp_path / "start-up.sh").write_text(script)
        with (tmp_path / "log").open("wb") as log:
            machine = subprocess.Popen(
                ["/bin/sh", str(tmp_path / "start-up.sh")],
                env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            worker = farm.until(lambda: farm.client.get("/workers").json()["data"], within_s=60)[0]
            assert (worker["name"], worker["pool"]) == ("burst-0001", "onprem")
            job = farm.submit(name="hello", settings={"width": 64, "height": 64})
            farm.succeed(job, within_s=60)
            assert data.exists()
            agents = [each for each in psutil.Process(machine.pid).children(recursive=True) if is_agent(each)]
            assert len(agents) == 1
            metadata.take_back("gce")
            assert machine.wait(30) == 0, (tmp_path / "log").read_text()
        finally:
            end(machine)
    assert notes.read_text().splitlines() == ["shutdown -P +10", "shutdown -P now"]
    assert not data.exists() and not (tmp_path / "instance" / "cache").exists()


def is_agent(process: psutil.Process) -> bool:
    return "worker" in process.cmdline() and "--join" in process.cmdline()


def end(machine: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the machine: all that its script has started is in its session."""
    for process in psutil.process_iter(["pid"]):
        try:
            if os.getsid(process.pid) == machine.pid:
                process.send_signal(signal.SIGKILL)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    machine.wait(10)
