"""The backend `aws` on the behavioural suite, with the real boto3 over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from backend_rig import Rig
from backend_suite import BackendSuite
from ec2_pools import ec2_pool
from fake_ec2 import FakeEc2

from scheduler.backends.aws import connection
from scheduler.backends.registry import make
from scheduler.settings import AwsPool


class TestAws(BackendSuite):
    """As it is: a spot fleet over two types and two subnets."""

    market = "spot"

    @pytest.fixture
    def rig(self, ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> Rig:
        monkeypatch.setattr(connection, "ASK_ATTEMPTS_MAX", 1)  # botocore's pauses are its own business
        return rig_on(ec2, ec2_pool(ec2, market=self.market))


class TestAwsOnDemand(TestAws):
    """With instances that nobody takes back."""

    market = "on_demand"


def rig_on(ec2: FakeEc2, pool: AwsPool) -> Rig:
    farm = uuid.uuid4().hex

    @contextmanager
    def losing_answers() -> Iterator[None]:
        ec2.lose("CreateFleet")
        yield

    @contextmanager
    def cut_off() -> Iterator[None]:
        ec2.down = True
        yield
        ec2.down = False

    return Rig(
        make("burst", pool, farm),
        reborn=lambda: make("burst", pool, farm),
        other_farm=lambda: make("burst", pool, farm + "b"),
        leave_room_for=lambda count: setattr(ec2, "room", count),
        losing_answers=losing_answers,
        cut_off=cut_off,
        preempt=ec2.interrupt,
    )
