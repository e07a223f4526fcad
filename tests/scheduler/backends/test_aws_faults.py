"""What goes wrong at Amazon and never in moto: tokens, stock, quotas, throttling, partial fills, lag, lost answers."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import boto3
import pytest
from ec2_pools import Ec2Desk
from fake_ec2 import FakeEc2, state

from scheduler.backends.aws import backend as aws_backend
from scheduler.backends.aws import connection
from scheduler.backends.aws.refusals import refusal, worst
from scheduler.backends.base import (
    BackendError,
    InstanceState,
    NoticeKind,
    QuotaExceeded,
    StockOut,
    Throttled,
    Unknown,
)
from scheduler.clock import ManualClock
from scheduler.errors import Unavailable


@pytest.fixture
def desk(ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> Ec2Desk:
    monkeypatch.setattr(connection, "ASK_ATTEMPTS_MAX", 1)  # botocore's pauses are its own business
    return Ec2Desk(ec2)


REFUSALS = [
    ("InsufficientInstanceCapacity", 500, StockOut),
    ("UnfulfillableCapacity", 400, StockOut),
    ("SpotMaxPriceTooLow", 400, StockOut),
    ("MaxSpotInstanceCountExceeded", 400, QuotaExceeded),
    ("VcpuLimitExceeded", 400, QuotaExceeded),
    ("RequestLimitExceeded", 503, Throttled),
    ("UnauthorizedOperation", 403, BackendError),
    ("InvalidFleetConfig", 400, BackendError),
    ("InternalError", 500, Unknown),
    ("Unavailable", 503, Unknown),
    ("IdempotentParameterMismatch", 400, Unknown),
    ("SomethingNew", 502, Unknown),
]


@pytest.mark.parametrize(("code", "status", "kind"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_a_refused_fleet_is_understood_and_sent_once(desk: Ec2Desk, code: str, status: int, kind: type) -> None:
    desk.ec2.fail("CreateFleet", code, status, times=5)
    backend = desk.backend()
    with pytest.raises(kind) as caught:
        backend.launch(desk.order())

    assert type(caught.value) is kind and code in caught.value.message and caught.value.hint
    assert len(desk.ec2.sent("CreateFleet")) == 1, "botocore must not repeat what starts something"
    assert list(backend.list()) == []


def test_a_refusal_is_an_error_of_the_whole_fleet_too(desk: Ec2Desk) -> None:
    """EC2 answers 200 with an error for every place, where no place has room."""
    desk.ec2.room, desk.ec2.refusal = 0, ("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    with pytest.raises(QuotaExceeded):
        desk.backend().launch(desk.order())


def test_of_many_refusals_the_one_is_told_that_somebody_can_mend() -> None:
    stock, quota = ("InsufficientInstanceCapacity", "none"), ("VcpuLimitExceeded", "too many")
    denied, unclear = ("UnauthorizedOperation", "no"), ("InternalError", "oops")

    assert type(worst([stock])) is StockOut
    assert type(worst([])) is StockOut
    for some in itertools.permutations([stock, quota]):
        assert type(worst(some)) is QuotaExceeded
    for some in itertools.permutations([stock, denied, quota]):
        assert type(worst(some)) is BackendError
    for some in itertools.permutations([stock, unclear, denied]):
        assert type(worst(some)) is Unknown, "a doubt must not be lost"


def test_a_question_that_fails_is_never_an_unknown_outcome() -> None:
    assert type(refusal("InternalError", "", status=500, starting=False)) is Unavailable


def test_a_partial_fill_is_told_with_its_reason(desk: Ec2Desk) -> None:
    desk.ec2.room = 2
    backend, order = desk.backend(), desk.order(5)
    started = backend.launch(order)
    (notice,) = backend.events()

    assert len(started) == 2
    assert (notice.kind, notice.intent, notice.instance) == (NoticeKind.STOCK_OUT, order.intent, "")
    assert notice.message.startswith("3 of 5 instances were not started: InsufficientInstanceCapacity: c7i.2xlarge")
    assert list(backend.events()) == []


def test_a_partial_fill_is_not_filled_up_by_the_same_order(desk: Ec2Desk) -> None:
    desk.ec2.room = 1
    order = desk.order(2)
    first = desk.backend().launch(order)
    desk.ec2.room = None

    assert [i.id for i in desk.backend().launch(order)] == [i.id for i in first]
    assert len(desk.ec2.sent("CreateFleet")) == 1


def test_a_lost_answer_is_unknown_and_the_same_order_finds_its_instances(desk: Ec2Desk) -> None:
    desk.ec2.lose("CreateFleet")
    order = desk.order()
    with pytest.raises(Unknown):
        desk.backend().launch(order)
    again = desk.backend().launch(order)

    assert len(again) == 2
    assert len(desk.ec2.sent("CreateFleet")) == 1


def test_ec2_that_does_not_show_yet_what_it_started_is_not_asked_to_start_it_again(desk: Ec2Desk) -> None:
    """A lost answer, and a listing that lags behind: the token makes the repetition harmless."""
    desk.ec2.lose("CreateFleet")
    order = desk.order()
    with pytest.raises(Unknown):
        desk.backend().launch(order)
    desk.ec2.lag = 1
    again = desk.backend().launch(order)

    assert len(desk.ec2.sent("CreateFleet")) == 2
    assert sorted(i.id for i in again) == sorted(i.id for i in desk.backend().list())


def test_another_content_under_the_same_intent_is_unknown_not_a_second_fleet(desk: Ec2Desk) -> None:
    order = desk.order()
    desk.backend().launch(order)
    desk.ec2.lag = 1
    with pytest.raises(Unknown, match="IdempotentParameterMismatch"):
        desk.backend(disk_gib=99).launch(order)

    assert len(desk.backend().list()) == 2


def test_what_was_started_counts_though_it_is_not_listed_yet(desk: Ec2Desk) -> None:
    clock = ManualClock()
    desk.clock = clock
    backend = desk.backend()
    started = {i.id for i in backend.launch(desk.order())}
    desk.ec2.lag = 2

    assert {(i.id, i.state) for i in backend.list()} == {(number, InstanceState.STARTING) for number in started}
    clock.advance(aws_backend.UNSEEN_S + 1)
    assert list(backend.list()) == [], "some day it has to be believed"


def test_what_was_started_a_moment_ago_is_ended_or_asked_again(desk: Ec2Desk) -> None:
    backend = desk.backend()
    (one,) = backend.launch(desk.order(1))
    desk.ec2.fail("TerminateInstances", "InvalidInstanceID.NotFound", 400)
    with pytest.raises(Unavailable):
        backend.terminate([one.id])
    backend.terminate([one.id])

    assert state(one.id) == "terminated"


def test_one_that_is_not_there_does_not_save_the_others(desk: Ec2Desk) -> None:
    backend = desk.backend()
    numbers = [i.id for i in backend.launch(desk.order())]
    backend.terminate([numbers[0], "i-0123456789abcdef0", "nonsense", numbers[1]])

    assert [state(number) for number in numbers] == ["terminated"] * 2


def test_one_that_cannot_be_ended_does_not_save_the_others(desk: Ec2Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_backend, "TERMINATE_MAX", 1)
    backend = desk.backend()
    numbers = [i.id for i in backend.launch(desk.order())]
    desk.ec2.fail("TerminateInstances", "RequestLimitExceeded", 503)
    with pytest.raises(Unavailable, match="RequestLimitExceeded"):
        backend.terminate(numbers)

    assert [state(number) for number in numbers] == ["running", "terminated"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("Server.SpotInstanceTermination", NoticeKind.PREEMPTED),
        ("Server.SpotInstanceShutdown", NoticeKind.PREEMPTED),
        ("Server.InternalError", NoticeKind.FAILED),
        ("Client.VolumeLimitExceeded", NoticeKind.QUOTA),
    ],
)
def test_an_end_that_nobody_here_wanted_is_told(desk: Ec2Desk, code: str, kind: NoticeKind) -> None:
    backend, order = desk.backend(), desk.order(1)
    (one,) = backend.launch(order)
    desk.ec2.interrupt(one.id, code)

    assert [(n.kind, n.instance, n.intent) for n in backend.events()] == [(kind, one.id, order.intent)]
    assert list(backend.events()) == []


def test_an_end_that_was_ordered_is_no_news(desk: Ec2Desk) -> None:
    backend = desk.backend()
    (one,) = backend.launch(desk.order(1))
    backend.terminate([one.id])

    assert list(backend.events()) == []


def test_a_stopped_instance_is_ended_since_its_disk_still_costs(desk: Ec2Desk) -> None:
    backend = desk.backend()
    (one,) = backend.launch(desk.order(1))
    boto3.client("ec2", endpoint_url=desk.ec2.url, region_name=desk.ec2.region).stop_instances(InstanceIds=[one.id])

    assert [(i.id, i.state) for i in backend.list()] == [(one.id, InstanceState.STOPPING)]
    assert [(i.id, i.state) for i in backend.list()] == [(one.id, InstanceState.GONE)]


def test_when_it_cannot_be_looked_up_whether_it_was_launched_nothing_is_launched(desk: Ec2Desk) -> None:
    desk.ec2.fail("DescribeInstances", "UnauthorizedOperation", 403)
    with pytest.raises(Unknown, match="cannot be looked up"):
        desk.backend().launch(desk.order())

    assert desk.ec2.sent("CreateFleet") == []


@pytest.mark.parametrize("call", ["DescribeImages", "CreateLaunchTemplate"])
def test_a_failure_before_the_fleet_has_started_nothing(desk: Ec2Desk, call: str) -> None:
    desk.ec2.fail(call, "InternalError", 500)
    with pytest.raises(BackendError):
        desk.backend().launch(desk.order())

    assert desk.ec2.sent("CreateFleet") == []


def test_an_image_that_is_not_there_is_said_to_be_so(desk: Ec2Desk) -> None:
    with pytest.raises(BackendError, match="ami-0123456789abcdef0"):
        desk.backend(image="ami-0123456789abcdef0").launch(desk.order())


def test_no_answer_in_time_is_unknown(desk: Ec2Desk) -> None:
    backend = desk.backend(timeout_s=0.5)
    backend._images.boot(backend._clock.monotonic())
    desk.ec2.slow("CreateFleet", 1.0)
    order = desk.order(1)
    with pytest.raises(Unknown):
        backend.launch(order)
    desk.ec2.released.set()

    assert len(desk.backend().launch(order)) == 1
    assert len([i for i in desk.backend().list() if i.intent == order.intent]) == 1


def test_nobody_listening_is_a_plain_failure_to_launch(desk: Ec2Desk) -> None:
    backend = desk.backend(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(BackendError, match="cannot be reached"):
        backend.list()


def test_without_keys_it_is_said_where_they_come_from(desk: Ec2Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(BackendError) as caught:
        desk.backend(timeout_s=7.0).list()  # a client of its own

    assert "credentials" in caught.value.message and "AWS_PROFILE" in caught.value.hint


def test_templates_that_were_left_behind_are_swept(desk: Ec2Desk) -> None:
    client: Any = boto3.client("ec2", endpoint_url=desk.ec2.url, region_name=desk.ec2.region)
    desk.ec2.fail("DeleteLaunchTemplate", "InternalError", 500)
    desk.backend().launch(desk.order())
    (name,) = {call["LaunchTemplateName"] for call in desk.ec2.sent("CreateLaunchTemplate")}
    there = lambda: [t["LaunchTemplateName"] for t in client.describe_launch_templates()["LaunchTemplates"]]  # noqa: E731
    assert name in there()

    clock = ManualClock(desk.clock.now())
    desk.clock = clock
    desk.backend().launch(desk.order(start_up="#!/bin/sh\n# another\n"))
    assert name in there(), "it is young; a repetition may need it"
    clock.advance(aws_backend.TEMPLATE_AGE.total_seconds() + timedelta(minutes=1).total_seconds())
    desk.backend().launch(desk.order(start_up="#!/bin/sh\n# a third\n"))
    assert name not in there()
