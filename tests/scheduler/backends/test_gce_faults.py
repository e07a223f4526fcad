"""What goes wrong at Google: refusals, lost answers, operations that do not end, no way to reach it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from gce_pools import GceDesk

from scheduler.backends.base import (
    BackendError,
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
