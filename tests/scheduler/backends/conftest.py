"""EC2 and GCE for the backends' tests: one server of each for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_ec2 import FakeEc2, fake_ec2
from fake_gce import fake_gce
from gce_pools import GceDesk

from scheduler.clock import ManualClock


@pytest.fixture(scope="session")
def ec2_server() -> Iterator[FakeEc2]:
    with fake_ec2() as fake:
        yield fake


@pytest.fixture
def ec2(ec2_server: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> FakeEc2:
    """EC2 without faults, and a caller with keys."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    ec2_server.peace()
    return ec2_server


@pytest.fixture
def desk() -> Iterator[GceDesk]:
    """A farm on a Compute Engine of its own."""
    clock = ManualClock()
    with fake_gce(clock.now) as gce:
        yield GceDesk(gce, clock)
