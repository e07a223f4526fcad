"""What becomes of instances at Google: taken back, broken, stopped, deleted; and whose news it is."""

from __future__ import annotations

import pytest
from gce_pools import GceDesk

from scheduler.backends.base import (
    InstanceState,
    NoticeKind,
)
from scheduler.errors import Unavailable

pytestmark = pytest.mark.gce_client


@pytest.mark.parametrize(("deed", "kind"), [("preempt", NoticeKind.PREEMPTED), ("break_host", NoticeKind.FAILED)])
def test_what_google_does_by_itself_is_told_once_with_its_intent(desk: GceDesk, deed: str, kind: NoticeKind) -> None:
    backend, order = desk.backend(), desk.order(1)
    (one,) = backend.launch(order)
    desk.clock.advance(60.0)
    getattr(desk.gce, deed)(one.id)

    assert [(n.kind, n.instance, n.intent) for n in backend.events()] == [(kind, one.id, order.intent)]
    assert list(backend.events()) == []
    desk.clock.advance(3600.0)
    assert list(backend.events()) == []


def test_other_farms_news_and_old_news_are_not_ours(desk: GceDesk) -> None:
    theirs = GceDesk(desk.gce, desk.clock, farm="farm-b")
    (other,) = theirs.backend().launch(theirs.order(1))
    (old,) = desk.backend().launch(desk.order(1))
    desk.gce.preempt(other.id)
    desk.gce.preempt(old.id)
    desk.clock.advance(3600.0)
    backend = desk.backend()

    assert list(backend.events()) == []
    assert [n.instance for n in theirs.backend().events()] == []


def test_an_instance_in_a_zone_that_the_pool_has_left_is_still_ours(desk: GceDesk) -> None:
    (one,) = desk.backend().launch(desk.order(1))
    moved = desk.backend(zones=["us-west1-a"])

    assert [i.id for i in moved.list()] == [one.id]
    desk.gce.preempt(one.id)
    assert [n.instance for n in moved.events()] == [one.id]


def test_an_instance_that_has_stopped_is_deleted_since_its_disk_costs(desk: GceDesk) -> None:
    backend = desk.backend()
    (one,) = backend.launch(desk.order(1))
    desk.gce.power_off(one.id)

    assert [(i.id, i.state) for i in backend.list()] == [(one.id, InstanceState.STOPPING)]
    assert list(backend.list()) == []


def test_one_that_cannot_be_ended_does_not_save_the_others(desk: GceDesk) -> None:
    backend = desk.backend()
    started = [i.id for i in backend.launch(desk.order())]
    desk.gce.fail("delete", 403, "rateLimitExceeded")
    with pytest.raises(Unavailable):
        backend.terminate(started)

    assert [i.id for i in backend.list()] == started[:1]
    backend.terminate(["nonsense", "us-east1-b/never-was", *started])
    assert list(backend.list()) == []
