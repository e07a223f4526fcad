"""Pools and backends on the fake Compute Engine, as its tests need them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from fake_gce import FakeGce

from scheduler.backends.base import LaunchOrder
from scheduler.backends.gce.backend import GceBackend
from scheduler.clock import ManualClock
from scheduler.settings import GcePool

START_UP = "#!/bin/sh\nexec outfield worker --server https://farm.example --join code\n"


def gce_pool(gce: FakeGce, **changes: object) -> GcePool:
    """Spot in two zones of a region, at a known price."""
    values = {
        "project": gce.project.name,
        "endpoint": gce.url,
        "zones": ("us-east1-b", "us-east1-c"),
        "price_usd_per_hour": 0.12,
    }
    return GcePool.model_validate(values | changes)


@dataclass
class GceDesk:
    """A backend of a farm on the fake Compute Engine, on one clock with it, and orders for it."""

    gce: FakeGce
    clock: ManualClock
    farm: str = "farm-a"

    def backend(self, **changes: object) -> GceBackend:
        """A new backend object for the pool `burst`, as after a restart."""
        return GceBackend("burst", gce_pool(self.gce, **changes), self.farm, self.clock, self.clock.advance)

    def places_tried(self) -> list[str]:
        """The zones that instances were asked of, in this order."""
        return [seen.path.split("/zones/")[1].partition("/")[0] for seen in self.gce.sent("bulk_insert")]

    def order(self, count: int = 2, *, start_up: str = START_UP, intent: str = "") -> LaunchOrder:
        """A new order."""
        return LaunchOrder(intent or uuid.uuid4().hex, count, start_up, 3600.0, {"outfield-job": "00007"})
