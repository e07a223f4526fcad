"""The provider's list against the record: what is new, strange, gone, or must end; and what becomes of intents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.domain.budgeting import LATE_S
from scheduler.domain.instance_states import InstanceEvent, InstanceStatus, IntentEvent, IntentStatus
from scheduler.domain.instances import (
    MISSING_S,
    STALE_INTENT_S,
    WHY_DRAINED,
    WHY_GIVEN_UP,
    WHY_NO_JOIN,
    WHY_NOBODY,
    WHY_OUTLIVED,
    WHY_PROVIDER,
    WHY_SILENT,
    WHY_SURPLUS,
    Findings,
    Known,
    Listed,
    Order,
    Patience,
    Shown,
    compare,
    settle,
)

NOW_S = 10_000.0
PATIENCE = Patience(lookup_s=120.0, join_s=900.0)
ORDER = Order(
    "o", IntentStatus.RUNNING, count=2, expected=2, settled=False, created_at_s=NOW_S - 60, asked_at_s=NOW_S - 60
)
ROW = Known("i1", "o", InstanceStatus.RUNNING, NOW_S - 60, 3600.0, running_at_s=NOW_S - 30, worker="w", silent_s=1.0)


def listed(name: str, shown: Shown = Shown.RUNNING, intent: str = "o") -> Listed:
    return Listed(name, intent, shown, NOW_S - 60)


def found(
    *rows: Known, order: Order | None = ORDER, seen: tuple[Listed, ...] = (), patience: Patience = PATIENCE
) -> Findings:
    orders = {order.id: order} if order is not None else {}
    return compare(NOW_S, orders, {row.id: row for row in rows}, seen, patience)


def moves(findings: Findings) -> list[tuple[str, InstanceEvent, str]]:
    return [(turn.id, turn.event, turn.reason) for turn in findings.turns]


def test_what_is_known_and_well_stays() -> None:
    findings = found(ROW, seen=(listed("i1"),))

    assert findings == Findings(seen=["i1"])


def test_an_instance_of_a_living_intent_comes_in() -> None:
    for status in (IntentStatus.LAUNCHING, IntentStatus.RUNNING, IntentStatus.ENDING):
        findings = found(ROW, order=replace(ORDER, status=status), seen=(listed("i1"), listed("i2")))
        assert [one.id for one in findings.adopted] == ["i2"]
        assert findings.strangers == []


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (None, WHY_NOBODY),
        (replace(ORDER, status=IntentStatus.FAILED), WHY_GIVEN_UP),
        (replace(ORDER, status=IntentStatus.GONE), WHY_GIVEN_UP),
        (replace(ORDER, status=IntentStatus.INTENDED), WHY_GIVEN_UP),
        (replace(ORDER, expected=1), WHY_SURPLUS),
    ],
)
def test_an_instance_that_nobody_wants_is_a_stranger(order: Order | None, why: str) -> None:
    rows = (ROW,) if order is not None else ()
    findings = found(*rows, order=order, seen=(listed("i1"), listed("i2")) if rows else (listed("i2"),))

    assert [(one.id, one.reason) for one in findings.strangers] == [("i2", why)]
    assert findings.adopted == []


def test_one_that_is_gone_counts_as_launched_and_gets_no_successor() -> None:
    gone = replace(ROW, status=InstanceStatus.GONE)
    findings = found(gone, replace(ROW, id="i2"), seen=(listed("i2"), listed("i3")))

    assert [(one.id, one.reason) for one in findings.strangers] == [("i3", WHY_SURPLUS)]


def test_the_provider_moves_instances_on() -> None:
    starting = replace(ROW, status=InstanceStatus.STARTING, worker="", silent_s=None, running_at_s=None)

    assert moves(found(starting, seen=(listed("i1"),))) == [("i1", InstanceEvent.RUN, "")]
    assert moves(found(ROW, seen=(listed("i1", Shown.STOPPING),))) == [("i1", InstanceEvent.END, WHY_PROVIDER)]
    assert moves(found(ROW, seen=(listed("i1", Shown.GONE),))) == [("i1", InstanceEvent.VANISH, "")]


def test_one_list_that_leaves_it_out_is_no_proof() -> None:
    assert found(ROW).absent == ["i1"] and found(ROW).turns == []
    missing = replace(ROW, missing_since_s=NOW_S - MISSING_S + 1)
    assert moves(found(missing)) == []
    long_missing = replace(ROW, missing_since_s=NOW_S - MISSING_S)
    (turn,) = found(long_missing).turns
    assert (turn.event, turn.at_s) == (InstanceEvent.VANISH, NOW_S - MISSING_S)


def test_what_was_only_just_launched_may_take_its_time_to_be_listed() -> None:
    new = replace(ROW, seen=False, launched_at_s=NOW_S - PATIENCE.lookup_s + 1)
    late = replace(new, launched_at_s=NOW_S - PATIENCE.lookup_s)

    assert found(new) == Findings()
    assert found(late).absent == ["i1"]


def test_what_is_back_in_the_list_is_not_missing_any_more() -> None:
    findings = found(replace(ROW, missing_since_s=NOW_S - 10), seen=(listed("i1"),))

    assert findings.back == ["i1"] and findings.turns == []


def test_what_was_taken_to_be_gone_and_is_not_is_ended() -> None:
    findings = found(replace(ROW, status=InstanceStatus.GONE), seen=(listed("i1"),))

    assert [turn.event for turn in findings.turns] == [InstanceEvent.REAPPEAR]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (replace(ROW, status=InstanceStatus.DRAINING, idle=True), WHY_DRAINED),
        (replace(ROW, status=InstanceStatus.DRAINING, idle=False), ""),
        (replace(ROW, launched_at_s=NOW_S - 3600 - LATE_S), WHY_OUTLIVED),
        (replace(ROW, launched_at_s=NOW_S - 3600), ""),
        (replace(ROW, worker="", silent_s=None, running_at_s=NOW_S - 901), WHY_NO_JOIN),
        (replace(ROW, worker="", silent_s=None, running_at_s=NOW_S - 899), ""),
        (replace(ROW, silent_s=901.0), WHY_SILENT),
        (replace(ROW, status=InstanceStatus.ENDING, launched_at_s=0.0), ""),
    ],
)
def test_what_must_end(row: Known, why: str) -> None:
    ends = [reason for _id, event, reason in moves(found(row, seen=(listed("i1"),))) if event is InstanceEvent.END]

    assert ends == ([why] if why else [])


def test_with_reaping_off_only_what_was_asked_for_ends() -> None:
    off = replace(PATIENCE, reap=False)
    old = replace(ROW, launched_at_s=0.0)
    drained = replace(ROW, status=InstanceStatus.DRAINING)

    assert moves(found(old, seen=(listed("i1"),), patience=off)) == []
    assert moves(found(drained, seen=(listed("i1"),), patience=off)) == [("i1", InstanceEvent.END, WHY_DRAINED)]


# ---- Intents --------------------------------------------------------------------------------------------------------

LAUNCHING = replace(ORDER, status=IntentStatus.LAUNCHING)
LATER_S = NOW_S + PATIENCE.lookup_s


def turned(order: Order, *rows: Known, now_s: float = NOW_S, heard: bool = True):
    turn = settle(now_s, order, rows, PATIENCE, listed=heard)
    return None if turn is None else (turn.event, turn.expected, turn.settled)


def test_a_launch_of_unknown_outcome_waits_for_a_list_and_its_time() -> None:
    assert turned(LAUNCHING) is None
    assert turned(LAUNCHING, now_s=LATER_S, heard=False) is None
    assert turned(LAUNCHING, now_s=LATER_S) == (IntentEvent.FAIL, 0, True)


def test_a_launch_whose_instances_appear_runs() -> None:
    assert turned(LAUNCHING, ROW) == (IntentEvent.APPEAR, None, False)
    assert turned(LAUNCHING, ROW, replace(ROW, id="i2")) == (IntentEvent.APPEAR, None, True)


def test_less_than_was_ordered_settles_after_a_while() -> None:
    assert turned(ORDER, ROW) is None
    assert turned(ORDER, ROW, now_s=LATER_S, heard=False) is None
    assert turned(ORDER, ROW, now_s=LATER_S) == (None, 1, True)


def test_when_all_have_gone_the_intent_is_gone() -> None:
    gone = replace(ROW, status=InstanceStatus.GONE)
    both = (gone, replace(gone, id="i2"))

    assert turned(ORDER, gone) is None  # the other one may yet appear
    assert turned(ORDER, *both) == (IntentEvent.VANISH, 2, True)
    assert turned(replace(ORDER, status=IntentStatus.ENDING, settled=True), gone) == (IntentEvent.VANISH, 1, True)


def test_when_all_are_to_go_so_is_the_intent() -> None:
    ending = replace(ROW, status=InstanceStatus.ENDING)

    assert turned(replace(ORDER, settled=True), ending, replace(ending, id="i2", status=InstanceStatus.GONE)) == (
        IntentEvent.END,
        2,
        True,
    )
    assert turned(replace(ORDER, settled=True), ending, replace(ROW, id="i2")) is None


def test_a_launch_that_was_called_off_is_gone_once_nothing_of_it_can_appear() -> None:
    called_off = replace(ORDER, status=IntentStatus.ENDING)

    assert turned(called_off) is None
    assert turned(called_off, now_s=LATER_S) == (IntentEvent.VANISH, 0, True)


def test_an_intent_that_nobody_acts_on_is_given_up() -> None:
    intended = replace(ORDER, status=IntentStatus.INTENDED, asked_at_s=None, created_at_s=NOW_S)

    assert turned(intended) is None
    assert turned(intended, now_s=NOW_S + STALE_INTENT_S + 1) == (IntentEvent.FAIL, 0, True)
