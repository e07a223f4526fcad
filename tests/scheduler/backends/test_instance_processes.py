"""The fakes' instances run the very script of their order, from boot to end: what tests of whole farms stand on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ec2_pools import Ec2Desk
from fake_ec2 import FakeEc2, state
from gce_pools import GceDesk
from instance_processes import InstanceProcesses
from waiting import until

pytestmark = pytest.mark.gce_client

SCRIPT = '#!/bin/sh\necho "here is $OUTFIELD_INSTANCE"\nsleep 600 &\nwait\n'
SHORT = "#!/bin/sh\necho done\n"


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_on_ec2(ec2: FakeEc2, tmp_path: Path) -> None:
    desk = Ec2Desk(ec2)
    backend = desk.backend()
    with InstanceProcesses(lambda: ec2.alive(desk.farm), tmp_path, powered_off=ec2.shut_down) as machines:
        one, other = (i.id for i in backend.launch(desk.order(2, start_up=SCRIPT)))
        until(lambda: machines.pids().keys() == {one, other} and machines.logs(other) == f"here is {other}\n")
        pid = machines.pids()[one]
        backend.terminate([one])
        until(lambda: machines.pids().keys() == {other} and not is_there(pid))
        ec2.interrupt(other)
        until(lambda: not machines.pids())

        (short,) = (i.id for i in backend.launch(desk.order(1, start_up=SHORT)))
        until(lambda: state(short) == "terminated")
        assert machines.logs(short) == "done\n"
        assert sorted(machines.started) == sorted([one, other, short])


def test_on_compute_engine(desk: GceDesk, tmp_path: Path) -> None:
    backend = desk.backend()
    desk.gce.project.boot_s = 30.0
    with InstanceProcesses(desk.gce.alive, tmp_path, powered_off=desk.gce.power_off) as machines:
        one, other = (i.id for i in backend.launch(desk.order(2, start_up=SCRIPT)))
        time.sleep(0.2)
        assert machines.started == [], "they have not booted yet"
        desk.clock.advance(30.0)
        until(lambda: machines.pids().keys() == {one, other} and machines.logs(other) == f"here is {other}\n")
        desk.gce.preempt(one)
        until(lambda: machines.pids().keys() == {other})
        desk.clock.advance(3600.0)
        until(lambda: not machines.pids())

        (short,) = (i.id for i in backend.launch(desk.order(1, start_up=SHORT)))
        desk.clock.advance(30.0)
        until(lambda: short in machines.started and not machines.pids())
        backend.list()
        assert list(backend.list()) == []
