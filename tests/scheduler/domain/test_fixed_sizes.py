"""The policies static and twostate."""

from __future__ import annotations

from dataclasses import replace

from rented import NOW_S, instance, one, pool, waiting

from scheduler.domain.scaling import Phase, Policy


def test_static_keeps_its_number_and_replaces_what_is_lost():
    assert one(pool(Policy.STATIC, size=3)).launch == 3
    assert one(pool(Policy.STATIC, instance(), instance("j", Phase.STARTING), size=3)).launch == 1
    assert one(pool(Policy.STATIC, instance(), instance("j", Phase.RETIRING), size=3)).launch == 2
    assert one(pool(Policy.STATIC, size=99)).launch == 20


def test_static_lets_go_of_what_is_idle_and_too_much():
    idle, busy = instance("idle", idle_s=900), instance("busy")

    assert one(pool(Policy.STATIC, idle, busy, size=1)).retire == ("idle",)
    assert one(pool(Policy.STATIC, busy, replace(busy, id="b"), size=1)).retire == ()


def test_twostate_is_full_while_in_use_and_low_ten_minutes_after():
    assert one(pool(Policy.TWOSTATE), waiting()).launch == 20
    assert one(pool(Policy.TWOSTATE, used_at_s=NOW_S - 599)).launch == 20
    assert one(pool(Policy.TWOSTATE, used_at_s=NOW_S - 600)).launch == 1
    idle = [instance(f"i{n}", idle_s=700) for n in range(20)]
    assert len(one(pool(Policy.TWOSTATE, *idle, used_at_s=NOW_S - 700)).retire) == 19
    assert one(pool(Policy.TWOSTATE, *idle, used_at_s=NOW_S - 500)).retire == ()
