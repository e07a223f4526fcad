"""Pools and backends on the fake EC2, as its tests need them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from fake_ec2 import FakeEc2

from scheduler.backends.aws.backend import AwsBackend
from scheduler.backends.base import LaunchOrder
from scheduler.clock import Clock, SystemClock
from scheduler.settings import AwsPool

START_UP = "#!/bin/sh\nexec outfield worker --server https://farm.example --join code\n"


def ec2_pool(ec2: FakeEc2, **changes: object) -> AwsPool:
    """Two types in two subnets, spot, at a known price."""
    values = {
        "region": ec2.region,
        "endpoint_url": ec2.url,
        "image": ec2.image,
        "instance_types": ("c7i.2xlarge", "c6i.2xlarge"),
        "subnets": ec2.subnets[:2],
        "price_usd_per_hour": 0.14,
    }
    return AwsPool.model_validate(values | changes)


@dataclass
class Ec2Desk:
    """A backend of a farm of its own on the fake EC2, and orders for it."""

    ec2: FakeEc2
    farm: str = field(default_factory=lambda: uuid.uuid4().hex)
    clock: Clock = field(default_factory=SystemClock)

    def backend(self, **changes: object) -> AwsBackend:
        """A new backend object for the pool `burst`, as after a restart."""
        return AwsBackend("burst", ec2_pool(self.ec2, **changes), self.farm, self.clock)

    def order(self, count: int = 2, *, start_up: str = START_UP, intent: str = "") -> LaunchOrder:
        """A new order."""
        return LaunchOrder(intent or uuid.uuid4().hex, count, start_up, 3600.0, {"outfield-job": "00007"})
