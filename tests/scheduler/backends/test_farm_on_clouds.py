"""The farm's own launching on both clouds: intents become instances and end; restarts and lost answers are borne."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ec2_pools import ec2_pool
from fake_ec2 import FakeEc2
from fake_gce import FakeGce, fake_gce
from gce_pools import gce_pool
from rented_farm import POOL, RentedFarm

from scheduler.backends.aws import connection
from scheduler.backends.aws.backend import AwsBackend
from scheduler.backends.base import Backend
from scheduler.backends.gce.backend import GceBackend
from scheduler.clock import ManualClock
from scheduler.domain.instance_states import InstanceStatus
from scheduler.settings import AwsPool, GcePool, PoolSettings

pytestmark = pytest.mark.gce_client

RULES = [{"name": "all may go", "allow": [POOL]}]


class CloudFarm(RentedFarm):
    """A farm whose pool is launched on one of the fakes, under an id of its own: EC2 is shared by many tests."""

    def __init__(self, data: Path, pool: PoolSettings, alive: Callable[[str], Mapping[str, str]], clock: ManualClock):
        self._clock, self._alive_there = clock, alive
        self._id = uuid.uuid4().hex
        given = pool.model_dump(mode="json", exclude_none=True) | {"life_s": 3600.0}
        super().__init__(data, sections={"pools": {POOL: given}, "rules": RULES})

    def make_clock(self) -> ManualClock:
        return self._clock

    def make_backend(self, pool: str, settings: PoolSettings, farm_id: str) -> Backend:
        if isinstance(settings, GcePool):
            return GceBackend(pool, settings, self._id, self._clock, self._clock.advance)
        assert isinstance(settings, AwsPool)
        return AwsBackend(pool, settings, self._id, self._clock)

    def alive(self) -> Mapping[str, str]:
        """Number → start-up script of what is there."""
        return self._alive_there(self._id)

    def standing(self) -> set[str]:
        """The record's instances that are not gone."""
        return {row.id for row in self.rows().values() if row.status != InstanceStatus.GONE}


Rig = tuple[CloudFarm, Any]


@pytest.fixture(params=["aws", "gce"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    clock = ManualClock()
    with fake_gce(clock.now) as gce:
        if request.param == "aws":
            monkeypatch.setattr(connection, "ASK_ATTEMPTS_MAX", 1)
            farm, cloud = CloudFarm(tmp_path, ec2_pool(ec2), ec2.alive, clock), ec2
        else:
            farm, cloud = CloudFarm(tmp_path, gce_pool(gce), lambda _id: gce.alive(), clock), gce
        farm.start()
        yield farm, cloud
        farm.close()


def lose(cloud: FakeEc2 | FakeGce) -> None:
    cloud.lose("CreateFleet" if isinstance(cloud, FakeEc2) else "bulk_insert")


def take_back(cloud: FakeEc2 | FakeGce, identity: str) -> None:
    cloud.interrupt(identity) if isinstance(cloud, FakeEc2) else cloud.preempt(identity)


def test_an_intent_becomes_instances_with_a_script_that_joins(rig: Rig) -> None:
    farm, _cloud = rig
    assert farm.apply(2).launched == 2
    farm.pass_time(20.0)
    scripts = farm.alive()

    assert len(scripts) == 2 and farm.standing() == set(scripts)
    assert {row.price_usd_per_hour for row in farm.rows().values()} <= {0.12, 0.14}
    for script in scripts.values():
        assert re.search(r"OUTFIELD_INSTANCE:=", script) and "\njoin='" in script
        assert f"\npool='{POOL}'\n" in script


def test_what_is_retired_is_gone(rig: Rig) -> None:
    farm, _cloud = rig
    farm.apply(2)
    farm.pass_time(20.0)
    one, other = sorted(farm.alive())
    farm.apply(0, (one,))
    farm.pass_time(120.0)

    assert set(farm.alive()) == farm.standing() == {other}


def test_a_lost_answer_is_looked_up_and_its_instances_are_taken_in(rig: Rig) -> None:
    farm, cloud = rig
    lose(cloud)
    farm.apply(2)
    farm.pass_time(60.0)

    assert len(farm.alive()) == 2 and set(farm.alive()) == farm.standing()


def test_a_restart_finds_what_was_launched_before(rig: Rig) -> None:
    farm, cloud = rig
    lose(cloud)
    farm.apply(1)
    farm.restart()
    farm.start()
    farm.pass_time(60.0)

    assert len(farm.alive()) == 1 and set(farm.alive()) == farm.standing()


def test_an_interruption_comes_into_the_record(rig: Rig) -> None:
    farm, cloud = rig
    farm.apply(1)
    farm.pass_time(20.0)
    (one,) = farm.alive()
    take_back(cloud, one)
    farm.pass_time(60.0)

    assert farm.alive() == {} and farm.standing() == set()
    assert [event.data["instance"] for event in farm.events("instance.preempted")] == [one]


def test_an_instance_whose_worker_never_joins_is_ended(rig: Rig) -> None:
    farm, _cloud = rig
    farm.apply(1)
    farm.pass_time(1200.0, step_s=30.0)

    assert farm.alive() == {} and farm.standing() == set()
