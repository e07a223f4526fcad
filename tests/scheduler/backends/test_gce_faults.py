"""What goes wrong at Google: stock, quotas, rate limits, partial fills, lost answers, Spot taken back, dead hosts."""

from __future__ import annotations

import subprocess
import sys

import pytest
from fake_gce_project import Telling
from gce_pools import GceDesk

from scheduler.backends.base import (
    BackendError,
    InstanceState,
    NoticeKind,
    QuotaExceeded,
    StockOut,
    Throttled,
    Unknown,
)
from scheduler.backends.gce.refusals import refusal
from scheduler.errors import Unavailable

pytestmark = pytest.mark.gce_client

REFUSALS = [
    (403, "quotaExceeded", QuotaExceeded),
    (403, "rateLimitExceeded", Throttled),
    (429, "", Throttled),
    (503, "stockout", StockOut),
    (403, "forbidden", BackendError),
    (400, "invalid", BackendError),
    (503, "backendError", Unknown),
    (500, "", Unknown),
    (409, "alreadyExists", Unknown),
]


@pytest.mark.parametrize(("status", "reason", "kind"), REFUSALS, ids=[f"{case[0]}-{case[1]}" for case in REFUSALS])
def test_a_refused_launch_is_understood(desk: GceDesk, status: int, reason: str, kind: type) -> None:
    desk.gce.fail("bulk_insert", status, reason, times=9)
    backend = desk.backend()
    with pytest.raises(kind) as caught:
        backend.launch(desk.order())

    assert type(caught.value) is kind and caught.value.message and caught.value.hint
    assert list(backend.list()) == []


def test_a_question_that_fails_is_never_an_unknown_outcome() -> None:
    assert type(refusal("backendError", "", status=503, starting=False)) is Unavailable


def places_tried(desk: GceDesk) -> list[str]:
    return [seen.path.split("/zones/")[1].partition("/")[0] for seen in desk.gce.sent("bulk_insert")]


def test_a_place_without_stock_is_passed_by_and_tried_last_for_a_while(desk: GceDesk) -> None:
    desk.gce.project.stock["us-east1-b"] = 0
    backend = desk.backend()
    started = backend.launch(desk.order())
    assert {i.place for i in started} == {"us-east1-c"}
    assert places_tried(desk) == ["us-east1-b", "us-east1-c"]

    backend.launch(desk.order())
    assert places_tried(desk)[2:] == ["us-east1-c"]
    desk.clock.advance(601.0)
    desk.gce.project.stock.clear()
    backend.launch(desk.order())
    assert places_tried(desk)[3:] == ["us-east1-b"]


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

    assert len(started) == 1 and places_tried(desk) == ["us-east1-b"]
    assert [n.kind for n in backend.events()] == [NoticeKind.QUOTA]
    with pytest.raises(QuotaExceeded, match="PREEMPTIBLE_CPUS"):
        backend.launch(desk.order(1))


def test_a_quota_is_asked_once_per_region(desk: GceDesk) -> None:
    desk.gce.project.quotas["us-east1"] = 1
    backend = desk.backend(zones=["us-east1-b", "us-east1-c", "us-west1-a"], cheapest_first=False)
    started = backend.launch(desk.order())

    assert places_tried(desk) == ["us-east1-b", "us-west1-a"]
    assert {i.place for i in started} == {"us-west1-a"}


def test_a_machine_type_that_a_zone_lacks_is_looked_for_elsewhere(desk: GceDesk) -> None:
    started = desk.backend(machine_type="m9-huge", machine_types_else=["n2-standard-8"]).launch(desk.order(1))

    assert [i.machine for i in started] == ["n2-standard-8"]


def test_a_rate_limit_is_not_answered_with_more_calls(desk: GceDesk) -> None:
    desk.gce.fail("bulk_insert", 403, "rateLimitExceeded", times=9)
    with pytest.raises(Throttled):
        desk.backend().launch(desk.order())

    assert places_tried(desk) == ["us-east1-b"]


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


def test_a_lost_answer_is_unknown_and_the_same_order_finds_its_instances(desk: GceDesk) -> None:
    desk.gce.lose("bulk_insert")
    order = desk.order()
    with pytest.raises(Unknown):
        desk.backend().launch(order)

    assert len(desk.backend().launch(order)) == 2
    assert len(desk.gce.sent("bulk_insert")) == 1


def test_the_same_order_has_the_same_request_ids_in_the_same_places(desk: GceDesk) -> None:
    """An answer that is lost, and instances that are gone before it is asked again: nothing is started anew."""
    desk.gce.project.stock["us-east1-b"] = 1
    order = desk.order(2)
    started = desk.backend().launch(order)
    desk.backend().terminate([i.id for i in started])
    with pytest.raises(Unknown, match="has carried out the order"):
        desk.backend().launch(order)

    assert list(desk.backend().list()) == []
    first, second = ([s.query["requestId"] for s in desk.gce.sent("bulk_insert")][n : n + 2] for n in (0, 2))
    assert first == second and len(set(first)) == 2


def test_names_that_are_taken_are_unknown_not_a_second_launch(desk: GceDesk) -> None:
    order = desk.order(1)
    backend = desk.backend()
    backend.launch(order)
    desk.gce.project.requests.clear()  # Google forgets request ids after a while
    again = desk.backend()
    again._listed = lambda wanted: []  # as if the listing lagged behind
    with pytest.raises(Unknown):
        again.launch(order)

    assert len(backend.list()) == 1


def test_an_operation_that_does_not_end_in_time_is_unknown(desk: GceDesk) -> None:
    desk.gce.project.operation_s = 1000.0
    with pytest.raises(Unknown, match="has not ended yet"):
        desk.backend(operation_s=30).launch(desk.order())

    polls = len(desk.gce.sent("operation"))
    assert 8 <= polls <= 25, "patiently"


def test_an_operation_that_cannot_be_asked_for_a_moment_is_asked_again(desk: GceDesk) -> None:
    desk.gce.fail("operation", 503, "backendError", times=3)

    assert len(desk.backend().launch(desk.order())) == 2


def test_when_it_cannot_be_looked_up_whether_it_was_launched_nothing_is_launched(desk: GceDesk) -> None:
    desk.gce.fail("list", 403, "forbidden")
    with pytest.raises(Unknown, match="cannot be looked up"):
        desk.backend().launch(desk.order())

    assert desk.gce.sent("bulk_insert") == []


def test_no_answer_in_time_is_unknown(desk: GceDesk) -> None:
    backend, order = desk.backend(timeout_s=0.5), desk.order(1)
    backend.list()
    desk.gce.slow("bulk_insert", 3.0)
    with pytest.raises(Unknown):
        backend.launch(order)
    desk.gce.released.set()

    assert len(desk.backend().launch(order)) == 1


def test_a_template_that_is_not_there_has_started_nothing(desk: GceDesk) -> None:
    with pytest.raises(BackendError, match="notFound"):
        desk.backend(instance_template="gone").launch(desk.order())


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


def test_nobody_listening_is_a_plain_failure(desk: GceDesk) -> None:
    with pytest.raises(BackendError, match="cannot be reached"):
        desk.backend(endpoint="http://127.0.0.1:9").list()


def test_a_key_file_that_is_not_there_is_said_to_be_so(desk: GceDesk) -> None:
    backend = desk.backend(endpoint="https://127.0.0.1:9", credentials_file="/no/such/key.json")
    with pytest.raises(BackendError) as caught:
        backend.list()

    assert "key.json" in caught.value.message and "credentials_file" in caught.value.hint


def test_the_sdk_is_not_imported_before_the_first_call() -> None:
    code = (
        "import sys; from scheduler.backends.registry import make; from scheduler.settings import GcePool;"
        "make('burst', GcePool(project='p', zones=('us-east1-b',)), 'farm');"
        "print('google.cloud.compute_v1' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "False"
