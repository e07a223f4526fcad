"""When each lane speaks: decided by arithmetic, tested by arithmetic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from scheduler.protocol.work import SyncReply, SyncRequest, TaskRef
from worker.pacing import (
    COALESCE_S,
    IDLE_CHECK_S,
    Traffic,
    View,
    exchange_wait_s,
    exchange_want,
    is_hasty,
    poll_wait_s,
    renew_wait_s,
)

NOW = 50.0
IDLE = View(want=0, starved=False, reports=0, renewed_at=None, lease_s=0.0)


EMPTY = SyncReply([], [], False, 6.0, [])


def replace_reply(**more: Any) -> SyncReply:
    return msgspec.structs.replace(EMPTY, **more)


def traffic(**more: object) -> Traffic:
    return replace(Traffic(6.0), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("view", "now_on_the_wire", "wait_s"),
    [
        (IDLE, traffic(), IDLE_CHECK_S),
        (replace(IDLE, reports=1), traffic(), 0.0),
        (replace(IDLE, reports=1), traffic(report_after=NOW + 2), 2.0),
    ],
    ids=["idle", "report", "backing off"],
)
def test_an_exchange_is_due(view: View, now_on_the_wire: Traffic, wait_s: float) -> None:
    assert exchange_wait_s(view, now_on_the_wire, NOW) == wait_s


@pytest.mark.parametrize(("want", "parked_want", "asked"), [(2, None, 2), (2, 1, 1), (2, 2, 0), (0, 1, 0)])
def test_nothing_is_asked_for_twice(want: int, parked_want: int | None, asked: int) -> None:
    assert exchange_want(replace(IDLE, want=want), traffic(parked_want=parked_want)) == asked


HUNGRY = replace(IDLE, want=1, starved=True)
AHEAD = replace(IDLE, want=1)


@pytest.mark.parametrize(
    ("view", "now_on_the_wire", "wait_s"),
    [
        (HUNGRY, traffic(last_reply_at=NOW), 0.0),
        (IDLE, traffic(last_reply_at=NOW - 0.02), pytest.approx(0.03)),
        (IDLE, traffic(last_reply_at=NOW - 9), 0.0),
        (HUNGRY, traffic(exchanging=True), IDLE_CHECK_S),
        (HUNGRY, traffic(poll_after=NOW + 3), 3.0),
        (HUNGRY, traffic(parked_want=1, polls=1), IDLE_CHECK_S),
        (HUNGRY, traffic(parked_want=0, polls=1), 0.0),
        (HUNGRY, traffic(parked_want=0, polls=2), IDLE_CHECK_S),
        (AHEAD, traffic(parked_want=0, polls=1), pytest.approx(COALESCE_S)),
        (AHEAD, traffic(parked_want=0, polls=1, differs_since=NOW - COALESCE_S), 0.0),
        (IDLE, traffic(parked_want=1, polls=1, differs_since=NOW - 0.02), pytest.approx(0.03)),
    ],
    ids=[
        "hungry",
        "busy",
        "quiet",
        "exchange on its way",
        "backing off",
        "asks already",
        "asks for too little",
        "the older one is not answered yet",
        "prefetch waits",
        "prefetch goes",
        "asks for too much",
    ],
)
def test_a_poll_is_parked(view: View, now_on_the_wire: Traffic, wait_s: float) -> None:
    assert poll_wait_s(view, now_on_the_wire, 0.05, NOW) == wait_s


@pytest.mark.parametrize(
    ("reply", "took_s", "hasty"),
    [(EMPTY, 0.01, True), (EMPTY, 5.9, False), (replace_reply(cancel=[TaskRef(1, 1)]), 0.01, False)],
    ids=["early and empty", "in time", "with news"],
)
def test_an_answer_that_comes_early_and_says_nothing_is_hasty(reply: SyncReply, took_s: float, hasty: bool) -> None:
    assert is_hasty(SyncRequest(wait_s=6.0), reply, took_s) is hasty


@pytest.mark.parametrize(
    ("renewed_at", "interval_s", "wait_s"),
    [(None, 6.0, IDLE_CHECK_S), (NOW - 2, 6.0, 4.0), (NOW - 7, 6.0, 0.0), (NOW, 60.0, 15.0)],
    ids=["nothing held", "in time", "overdue", "stretched too far"],
)
def test_a_renewal_is_due(renewed_at: float | None, interval_s: float, wait_s: float) -> None:
    assert renew_wait_s(replace(IDLE, renewed_at=renewed_at, lease_s=20.0), traffic(), interval_s, NOW) == wait_s
