"""The connection breaks at every step of a launch and of an end, before it and after it: nothing is started twice,
nothing is forgotten. Each repetition is a new backend object, as after a crash of the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from ec2_pools import Ec2Desk
from fake_ec2 import FakeEc2
from gce_pools import GceDesk

from scheduler.backends.aws import connection
from scheduler.backends.base import Backend, BackendError, InstanceState, LaunchOrder, Unknown
from scheduler.errors import Unavailable

pytestmark = pytest.mark.gce_client

COUNT = 2


@dataclass
class Cloud:
    """A cloud that can be told to break a connection."""

    backend: Callable[[], Backend]
    order: Callable[[], LaunchOrder]
    crash: Callable[[int, bool], None]
    peace: Callable[[], int]
    """No more faults; the requests since the last call."""
    watcher: Backend
    """Only looks."""


@pytest.fixture(params=["aws", "gce"])
def cloud(
    request: pytest.FixtureRequest, ec2: FakeEc2, desk: GceDesk, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    def peace_of(fake: FakeEc2 | object) -> int:
        asked = len(fake.requests)  # type: ignore[attr-defined]
        fake.requests.clear()  # type: ignore[attr-defined]
        fake.faults.clear()  # type: ignore[attr-defined]
        return asked

    if request.param == "aws":
        monkeypatch.setattr(connection, "ASK_ATTEMPTS_MAX", 1)
        amazon = Ec2Desk(ec2)
        yield Cloud(
            amazon.backend,
            lambda: amazon.order(COUNT),
            lambda step, after: ec2.crash(step, after=after),
            lambda: peace_of(ec2),
            amazon.backend(),
        )
    else:
        desk.gce.project.stock["us-east1-b"] = 1_000_000
        yield Cloud(
            desk.backend,
            lambda: desk.order(COUNT),
            lambda step, after: desk.gce.crash(step, after=after),
            lambda: peace_of(desk.gce),
            desk.backend(),
        )


def alive(cloud: Cloud, order: LaunchOrder) -> list[str]:
    mine = [i for i in cloud.watcher.list() if i.intent == order.intent]
    return sorted(i.id for i in mine if i.state in (InstanceState.STARTING, InstanceState.RUNNING))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_launch_that_breaks_off_anywhere_starts_its_instances_once(cloud: Cloud, after: bool) -> None:
    cloud.peace()
    cloud.backend().launch(cloud.order())
    steps = cloud.peace()
    assert steps >= 4
    for step in range(steps):
        order = cloud.order()
        cloud.crash(step, after)
        try:
            cloud.backend().launch(order)
        except BackendError:
            assert alive(cloud, order) == [], f"step {step}: nothing was started, it said"
        except Unknown:
            assert len(alive(cloud, order)) in (0, COUNT)
        cloud.peace()
        cloud.backend().launch(order)

        first = alive(cloud, order)
        assert len(first) == COUNT, f"step {step}"
        cloud.backend().launch(order)
        assert alive(cloud, order) == first, f"step {step}"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_end_that_breaks_off_anywhere_is_reached_by_asking_again(cloud: Cloud, after: bool) -> None:
    for step in range(COUNT):
        order = cloud.order()
        cloud.backend().launch(order)
        there = alive(cloud, order)
        cloud.peace()
        cloud.crash(step, after)
        try:
            cloud.backend().terminate(there)
        except Unavailable:
            cloud.backend().terminate(there)
        cloud.peace()

        assert alive(cloud, order) == [], f"step {step}"
