"""The backend `gce` on the behavioural suite, with the real client over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from backend_rig import Rig
from backend_suite import BackendSuite
from fake_gce import FakeGce
from gce_pools import GceDesk

pytestmark = pytest.mark.gce_client  # the client's import costs seconds, once


class TestGce(BackendSuite):
    """Everything at once."""

    @pytest.fixture
    def rig(self, desk: GceDesk) -> Rig:
        return rig_on(desk)


class TestSlowGce(BackendSuite):
    """With operations, boots and ends that take their time."""

    @pytest.fixture
    def rig(self, desk: GceDesk) -> Rig:
        project = desk.gce.project
        project.operation_s, project.boot_s, project.ending_s = 9.0, 40.0, 25.0
        return rig_on(desk)


def rig_on(desk: GceDesk) -> Rig:
    gce = desk.gce

    @contextmanager
    def losing_answers() -> Iterator[None]:
        gce.lose("bulk_insert")
        yield

    @contextmanager
    def cut_off() -> Iterator[None]:
        gce.down = True
        yield
        gce.down = False

    return Rig(
        desk.backend(),
        reborn=desk.backend,
        wait=lambda: desk.clock.advance(10.0),
        other_farm=lambda: GceDesk(gce, desk.clock, farm="farm-b").backend(),
        leave_room_for=lambda count: _leave(gce, count),
        losing_answers=losing_answers,
        cut_off=cut_off,
        preempt=gce.preempt,
    )


def _leave(gce: FakeGce, count: int) -> None:
    gce.project.stock = {"us-east1-b": count, "us-east1-c": 0}
