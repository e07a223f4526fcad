"""Where Google has too little: stock, quotas, rate limits, and orders that are filled in part or elsewhere."""

from __future__ import annotations

import pytest
from fake_gce_project import Telling
from gce_pools import GceDesk

from scheduler.backends.base import (
    NoticeKind,
    QuotaExceeded,
    StockOut,
    Throttled,
)

pytestmark = pytest.mark.gce_client


def test_a_place_without_stock_is_passed_by_and_tried_last_for_a_while(desk: GceDesk) -> None:
    desk.gce.project.stock["us-east1-b"] = 0
    backend = desk.backend()
    started = backend.launch(desk.order())
    assert {i.place for i in started} == {"us-east1-c"}
    assert desk.places_tried() == ["us-east1-b", "us-east1-c"]

    backend.launch(desk.order())
    assert desk.places_tried()[2:] == ["us-east1-c"]
    desk.clock.advance(601.0)
    desk.gce.project.stock.clear()
    backend.launch(desk.order())
    assert desk.places_tried()[3:] == ["us-east1-b"]


TELLING = pytest.mark.parametrize("telling", ["inserts", "bulk", "nothing"])


@TELLING
def test_an_order_is_filled_from_several_places(desk: GceDesk, telling: Telling) -> None:
    project = desk.gce.project
    project.stock, project.telling = {"us-east1-b": 2}, telling
    backend = desk.backend()
    started = backend.launch(desk.order(3))

    assert sorted(i.place for i in started) == ["us-east1-b", "us-east1-b", "us-east1-c"]
    assert len({i.id.partition("/")[2] for i in started}) == 3
    assert list(backend.events()) == [], "all are there, so nothing is to be told"


@TELLING
def test_a_partial_fill_is_told_with_its_reason(desk: GceDesk, telling: Telling) -> None:
    project = desk.gce.project
    project.stock, project.telling = {"us-east1-b": 1, "us-east1-c": 1}, telling
    backend, order = desk.backend(), desk.order(5)
    started = backend.launch(order)
    (notice,) = backend.events()

    assert len(started) == 2
    assert (notice.kind, notice.intent, notice.instance) == (NoticeKind.STOCK_OUT, order.intent, "")
    assert notice.message.startswith("3 of 5 instances were not started. ")


@TELLING
def test_nothing_at_all_is_a_stock_out_however_it_is_told(desk: GceDesk, telling: Telling) -> None:
    desk.gce.project.stock, desk.gce.project.telling = {"us-east1-b": 0, "us-east1-c": 0}, telling
    with pytest.raises(StockOut):
        desk.backend().launch(desk.order())


@pytest.mark.parametrize("telling", ["inserts", "bulk"])
def test_a_quota_that_the_operation_tells_of_is_understood(desk: GceDesk, telling: Telling) -> None:
    project = desk.gce.project
    project.quotas, project.quotas_late, project.telling = {"us-east1": 1}, True, telling
    backend, order = desk.backend(), desk.order(3)
    started = backend.launch(order)

    assert len(started) == 1 and desk.places_tried() == ["us-east1-b"]
    assert [n.kind for n in backend.events()] == [NoticeKind.QUOTA]
    with pytest.raises(QuotaExceeded, match="PREEMPTIBLE_CPUS"):
        backend.launch(desk.order(1))


def test_a_quota_is_asked_once_per_region(desk: GceDesk) -> None:
    desk.gce.project.quotas["us-east1"] = 1
    backend = desk.backend(zones=["us-east1-b", "us-east1-c", "us-west1-a"], cheapest_first=False)
    started = backend.launch(desk.order())

    assert desk.places_tried() == ["us-east1-b", "us-west1-a"]
    assert {i.place for i in started} == {"us-west1-a"}


def test_a_machine_type_that_a_zone_lacks_is_looked_for_elsewhere(desk: GceDesk) -> None:
    started = desk.backend(machine_type="m9-huge", machine_types_else=["n2-standard-8"]).launch(desk.order(1))

    assert [i.machine for i in started] == ["n2-standard-8"]


def test_a_rate_limit_is_not_answered_with_more_calls(desk: GceDesk) -> None:
    desk.gce.fail("bulk_insert", 403, "rateLimitExceeded", times=9)
    with pytest.raises(Throttled):
        desk.backend().launch(desk.order())

    assert desk.places_tried() == ["us-east1-b"]


def test_what_was_started_before_a_rate_limit_is_kept(desk: GceDesk) -> None:
    desk.gce.project.stock["us-east1-b"] = 1
    backend, order = desk.backend(zones=["us-east1-b", "us-east1-c", "us-east1-d"]), desk.order(2)
    original = desk.gce.project.bulk_insert

    def throttled_after(zone: str, body: dict[str, object], request: str | None) -> object:
        made = original(zone, body, request)
        desk.gce.fail("bulk_insert", 403, "rateLimitExceeded")
        return made

    desk.gce.project.bulk_insert = throttled_after  # type: ignore[method-assign]
    started = backend.launch(order)

    assert len(started) == 1 and len(desk.gce.sent("bulk_insert")) == 2
    assert [n.kind for n in backend.events()] == [NoticeKind.STOCK_OUT]
