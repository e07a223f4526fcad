"""The backend that other tests stand on behaves as every backend must."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from backend_rig import Rig
from backend_suite import BackendSuite
from memory_cloud import MemoryBackend, MemoryCloud, lose_answer_at, peace

from scheduler.backends.base import LaunchOrder
from scheduler.clock import ManualClock


class TestMemoryBackend(BackendSuite):
    """As it is."""

    @pytest.fixture
    def rig(self) -> Rig:
        return rig_on(MemoryCloud(ManualClock()))


class TestSlowMemoryBackend(BackendSuite):
    """With a provider that shows and ends instances late."""

    @pytest.fixture
    def rig(self) -> Rig:
        return rig_on(MemoryCloud(ManualClock(), listing_delay_s=25.0, ending_s=45.0))


def rig_on(cloud: MemoryCloud) -> Rig:
    backend = MemoryBackend(cloud, "burst", "farm-a")
    clock = cloud.clock
    assert isinstance(clock, ManualClock)

    @contextmanager
    def losing_answers() -> Iterator[None]:
        backend.plot = lose_answer_at("launch.after")
        yield
        backend.plot = peace

    @contextmanager
    def cut_off() -> Iterator[None]:
        cloud.reachable = False
        yield
        cloud.reachable = True

    return Rig(
        backend,
        reborn=lambda: MemoryBackend(cloud, "burst", "farm-a"),
        wait=lambda: clock.advance(10.0),
        other_farm=lambda: MemoryBackend(cloud, "burst", "farm-b"),
        leave_room_for=lambda count: setattr(cloud, "stock", count),
        losing_answers=losing_answers,
        cut_off=cut_off,
        preempt=cloud.preempt,
    )


def test_the_provider_ends_what_has_lived_too_long() -> None:
    clock = ManualClock()
    cloud = MemoryCloud(clock)
    backend = MemoryBackend(cloud, "burst", "farm-a")
    backend.launch(LaunchOrder("one", 2, "", life_s=600.0))
    clock.advance(629.0)
    assert len(cloud.alive()) == 2
    clock.advance(1.0)

    assert cloud.alive() == []
    assert list(backend.list()) == []
