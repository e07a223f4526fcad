"""Routing: never a no without a reason, and the same rule everywhere for "does it fit"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_facts import book

from scheduler.routing.machines import Machine, Needs, Room, shortfall, tasks_that_fit
from scheduler.routing.reserving import left_open, narrow
from scheduler.routing.route import (
    ABLE,
    REASON_AWAY,
    REASON_EMPTY,
    REASON_FITS,
    REASON_KEPT,
    REASON_LAUNCH,
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


def test_a_pool_that_can_grow_can_take_what_fits_its_offer():
    small, large = Needs("blender", memory_gib=4), Needs("blender", memory_gib=64)
    empty, full = Pool("onprem", offer=LARGE), Pool("onprem", (SMALL,), offer=LARGE)

    for pool in (empty, full):
        found = route(RouteRequest(large), [pool])
        assert (found.pools[0].reason, found.placeable) == (REASON_LAUNCH, True)
    assert route(RouteRequest(small), [full]).pools[0].reason == REASON_FITS
    assert route(RouteRequest(large), [Pool("onprem", offer=LARGE, workers_max=0)]).pools[0].reason == REASON_EMPTY
    unfit = route(RouteRequest(Needs("blender", memory_gib=640)), [empty])
    assert (unfit.pools[0].reason, unfit.placeable) == (REASON_EMPTY, False)
    assert unfit.pools[0].detail == "one that is launched here comes with less than 640 GiB"


def test_a_pool_that_is_kept_for_others_is_closed_with_the_reason():
    pools = [Pool("onprem", (LARGE,)), Pool("aws", (LARGE,), "aws")]
    found = route(RouteRequest(Needs("blender")), pools, book({"name": "open", "allow": ["aws"]}))
    assert set(found.chosen) == {"onprem", "aws"}

    kept = narrow(found, 7, {"aws": {1: 0, 2: 1}})
    assert kept.chosen == ("onprem",)
    assert {v.pool: v.reason for v in kept.pools} == {"onprem": REASON_FITS, "aws": REASON_KEPT}
    assert narrow(found, 1, {"aws": {1: 0, 2: 1}}) is found
    assert narrow(found, 7, {}) is found
    assert narrow(found, 7, {"gce": {}}) is found


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


@given(needs, st.lists(machines, max_size=4), st.none() | machines, machines)
def test_more_machines_or_an_offer_never_make_a_pool_fit_worse(needs, here, offer, more):
    """Total, and monotone: what could be taken still can, and the score does not fall by a machine that fits."""

    def verdict(pool):
        (found,) = route(RouteRequest(needs), [pool]).pools
        return found

    plain, growing = verdict(Pool("onprem", tuple(here))), verdict(Pool("onprem", tuple(here), offer=offer))
    assert growing.reason
    assert growing.score >= plain.score
    assert (growing.reason in ABLE) >= (plain.reason in ABLE)
    assert (growing.reason == REASON_LAUNCH) == (
        offer is not None and not shortfall(needs, offer) and plain.reason != REASON_FITS
    )
    larger = verdict(Pool("onprem", (*here, more), offer=offer))
    assert (larger.reason in ABLE) >= (growing.reason in ABLE)
    if not shortfall(needs, more):
        assert larger.score >= growing.score


names = st.sampled_from(["onprem", "aws", "gce"])
turns = st.dictionaries(st.integers(0, 3), st.integers(0, 9))


@given(st.lists(names, unique=True), st.integers(0, 3), st.dictionaries(names, turns))
def test_keeping_pools_only_closes(chosen, job, reserved):
    left = left_open(tuple(chosen), job, reserved)

    assert [name for name in chosen if name in left] == list(left)
    assert all((name in left) == (name not in reserved or job in reserved[name]) for name in chosen)
