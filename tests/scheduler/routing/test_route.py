"""Routing: never a no without a reason, and the same rule everywhere for "does it fit"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.routing.machines import Machine, Needs, Room, shortfall, tasks_that_fit
from scheduler.routing.route import (
    REASON_AWAY,
    REASON_EMPTY,
    REASON_FITS,
    REASON_NOT_ASKED,
    REASON_UNFIT,
    Pool,
    RouteRequest,
    route,
)

SMALL = Machine("w1", 2, 8.0, renderers={"blender": ("3.4.1",), "kernel": ("0.1.0",)})
LARGE = Machine("w2", 32, 128.0, 2, frozenset({"linux", "fast"}), {"blender": ("4.5.15", "3.4.1")})


@pytest.mark.parametrize(
    ("needs", "machine", "words"),
    [
        (Needs("kernel"), SMALL, ()),
        (Needs("kernel"), LARGE, ("without kernel",)),
        (Needs("blender", "3.4"), SMALL, ()),
        (Needs("blender", "4.2"), SMALL, ("with a blender older than 4.2",)),
        (Needs("blender", "4.5"), LARGE, ()),
        (Needs("blender", memory_gib=64), SMALL, ("with less than 64 GiB",)),
        (Needs("blender", vcpus=4, gpus=1), SMALL, ("with fewer than 4 vCPUs", "with fewer than 1 GPUs")),
        (Needs("blender", tags=("fast", "slow")), LARGE, ("without the tag slow",)),
    ],
)
def test_what_is_missing_in_words(needs, machine, words):
    assert shortfall(needs, machine) == words


def test_without_a_rule_no_job_leaves_home():
    found = route(RouteRequest(Needs("kernel")), [Pool("onprem", (SMALL,)), Pool("aws", (SMALL,))])
    assert found.chosen == ("onprem",)
    assert {v.pool: v.reason for v in found.pools} == {"onprem": REASON_FITS, "aws": REASON_AWAY}
    assert found.placeable


def test_named_pools_leave_out_the_others():
    found = route(RouteRequest(Needs("kernel"), ("branch",)), [Pool("onprem", (SMALL,))])
    assert found.chosen == ()
    assert found.pools[0].reason == REASON_NOT_ASKED
    assert not found.placeable


def test_reasons_count_the_workers():
    found = route(RouteRequest(Needs("blender", memory_gib=64)), [Pool("onprem", (SMALL, SMALL, LARGE))])
    assert found.pools[0].detail == "1 of 3 workers can take it; 2 with less than 64 GiB"
    unfit = route(RouteRequest(Needs("blender", memory_gib=640)), [Pool("onprem", (SMALL, LARGE))])
    assert unfit.pools[0].reason == REASON_UNFIT
    assert unfit.chosen == ("onprem",)
    assert not unfit.placeable
    empty = route(RouteRequest(Needs("blender")), [Pool("onprem")])
    assert empty.pools[0].reason == REASON_EMPTY


machines = st.builds(
    Machine,
    st.text(max_size=3),
    st.integers(1, 64),
    st.floats(0, 256),
    st.integers(0, 4),
    st.frozensets(st.sampled_from("abc")),
    st.dictionaries(st.sampled_from(["kernel", "blender"]), st.just(("3.4",))),
)
needs = st.builds(
    Needs,
    st.sampled_from(["kernel", "blender"]),
    st.sampled_from(["", "3.4", "4.5"]),
    st.integers(1, 64),
    st.floats(0, 256),
    st.integers(0, 4),
    st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
)


@given(needs, st.lists(machines, max_size=5), st.lists(st.sampled_from(["onprem", "aws"]), max_size=2))
def test_never_a_no_without_a_reason_and_scores_between_0_and_1(needs, machines, asked):
    found = route(RouteRequest(needs, tuple(asked)), [Pool("onprem", tuple(machines)), Pool("aws", tuple(machines))])
    assert len(found.pools) == 2
    for verdict in found.pools:
        assert verdict.reason
        assert 0.0 <= verdict.score <= 1.0
        assert (verdict.pool in found.chosen) == verdict.allowed
    assert found.placeable == any(v.allowed and any(not shortfall(needs, m) for m in machines) for v in found.pools)


@given(needs, st.integers(0, 64), st.floats(0, 256), st.integers(0, 4), st.integers(0, 9))
def test_what_fits_never_overdraws_the_machine(needs, vcpus, memory_gib, gpus, want):
    count = tasks_that_fit(needs, Room(vcpus, memory_gib, gpus), want=want)
    assert 0 <= count <= want
    if needs.vcpus > 1:
        assert count * needs.vcpus <= vcpus
    assert count * needs.memory_gib <= memory_gib or count == 0 or needs.memory_gib == 0
    assert count * needs.gpus <= gpus
