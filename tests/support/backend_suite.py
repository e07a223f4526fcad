"""What every backend must do, as tests: subclass `BackendSuite` in the backend's own test file and give it a rig.

    class TestSlurm(BackendSuite):
        @pytest.fixture
        def rig(self, cluster: Cluster) -> Rig:
            return Rig(make_backend("slurm", settings, "farm-a"), ...)

A rig tells how to make what a real provider does by itself. What a provider cannot be made to do is None in the rig,
and the test that needs it is skipped with that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import ClassVar, TypeVar

import pytest
from backend_rig import Rig

from scheduler.backends.base import (
    BackendError,
    Instance,
    InstanceState,
    LaunchOrder,
    Notice,
    NoticeKind,
    QuotaExceeded,
    StockOut,
    Unknown,
)
from scheduler.errors import Unavailable

Test = TypeVar("Test", bound=Callable[..., object])


def _needs(ability: str) -> Callable[[Test], Test]:
    """A test for providers that can be made to do this; whose cannot, say so in `CANNOT`, and have no such test."""

    def mark(test: Test) -> Test:
        setattr(test, "ability", ability)  # noqa: B010  functions have no such attribute for the type checker
        return test

    return mark


class BackendSuite:
    """The behaviour of every backend. `rig` is the subclass's fixture; it need not clean up what tests launch.

    `CANNOT` names the fields of the rig that this provider leaves empty.
    """

    CANNOT: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        for name, test in vars(BackendSuite).items():
            if getattr(test, "ability", None) in cls.CANNOT:
                setattr(cls, name, None)

    @pytest.fixture(autouse=True)
    def _leave_nothing(self, rig: Rig) -> Iterator[None]:
        yield
        rig.clear()

    # ---- What it is, and what it would cost ------------------------------------------------------------------------

    def test_it_says_what_can_be_had(self, rig: Rig) -> None:
        offers = rig.backend.offers()

        assert offers
        for offer in offers:
            assert offer.machine and offer.vcpus >= 1 and offer.memory_gib > 0
            assert offer.price_usd_per_hour >= 0 and offer.boot_s >= 0 and offer.billing_s >= 0
            assert 0 <= offer.loss_per_hour <= 1

    def test_a_plan_costs_what_its_instances_cost_and_starts_nothing(self, rig: Rig) -> None:
        before = {instance.id for instance in rig.backend.list()}
        plan = rig.backend.plan(2)
        prices = [offer.price_usd_per_hour for offer in rig.backend.offers()]

        assert plan.count == 2
        assert 2 * min(prices) <= plan.usd_per_hour + 1e-9 and plan.usd_per_hour <= 2 * max(prices) + 1e-9
        assert plan.lines and all(isinstance(line, str) and line for line in plan.lines)
        assert {instance.id for instance in rig.backend.list()} == before

    # ---- Launching -------------------------------------------------------------------------------------------------

    def test_what_is_launched_is_listed_with_its_intent(self, rig: Rig) -> None:
        order = rig.order(2)
        started = rig.backend.launch(order)

        assert {instance.intent for instance in started} <= {order.intent}
        rig.until(lambda: len(rig.seen(order.intent)) == 2, "both instances are listed")
        assert {instance.id for instance in started} <= rig.ids(order.intent)
        assert all(i.state in (InstanceState.STARTING, InstanceState.RUNNING) for i in rig.seen(order.intent))
        assert all(i.launched_at_s > 0 for i in rig.seen(order.intent))

    def test_it_comes_to_run(self, rig: Rig) -> None:
        intent, _ids = rig.launched()

        rig.until(lambda: [i.state for i in rig.seen(intent)] == [InstanceState.RUNNING], "the instance is running")

    def test_the_same_order_twice_starts_once(self, rig: Rig) -> None:
        order = rig.order(2)
        rig.backend.launch(order)
        rig.until(lambda: len(rig.ids(order.intent)) == 2, "both instances are listed")
        before = rig.ids(order.intent)
        again = rig.backend.launch(order)

        assert {instance.id for instance in again} <= before
        _settle(rig)
        assert rig.ids(order.intent) == before

    def test_the_same_order_after_a_restart_starts_once(self, rig: Rig) -> None:
        order = rig.order()
        rig.backend.launch(order)
        rig.until(lambda: len(rig.ids(order.intent)) == 1, "the instance is listed")
        before = rig.ids(order.intent)
        rig.reborn().launch(order)

        _settle(rig)
        assert rig.ids(order.intent) == before

    def test_a_new_scheduler_finds_what_the_old_one_launched(self, rig: Rig) -> None:
        intent, ids = rig.launched()

        assert {instance.id for instance in rig.reborn().list() if instance.intent == intent} == ids

    def test_orders_are_told_apart(self, rig: Rig) -> None:
        (one, first), (two, second) = rig.launched(), rig.launched()
        assert not first & second

        rig.backend.terminate(sorted(first))

        rig.until(lambda: not rig.ids(one), "the first order's instance is gone")
        assert rig.ids(two) == second

    @_needs("other_farm")
    def test_other_farms_are_left_alone(self, rig: Rig) -> None:
        assert rig.other_farm is not None
        _intent, ids = rig.launched()

        assert ids.isdisjoint(instance.id for instance in rig.other_farm().list())

    # ---- Less than was ordered -------------------------------------------------------------------------------------

    @_needs("leave_room_for")
    def test_fewer_than_ordered_is_told_and_no_error(self, rig: Rig) -> None:
        assert rig.leave_room_for is not None
        rig.leave_room_for(1)
        order = rig.order(2)
        started = rig.backend.launch(order)
        told = _told(rig, lambda notice: notice.intent == order.intent)

        assert len(started) == 1
        rig.until(lambda: rig.ids(order.intent) == {started[0].id}, "the one that was started is listed")
        assert {notice.kind for notice in told} <= {NoticeKind.STOCK_OUT, NoticeKind.QUOTA}
        assert told and all(notice.message for notice in told)

    @_needs("leave_room_for")
    def test_nothing_at_all_is_an_error_that_says_why(self, rig: Rig) -> None:
        assert rig.leave_room_for is not None
        rig.leave_room_for(0)
        order = rig.order(2)

        with pytest.raises((StockOut, QuotaExceeded)) as caught:
            rig.backend.launch(order)

        assert caught.value.message and caught.value.hint
        assert rig.seen(order.intent) == []

    # ---- Ending ----------------------------------------------------------------------------------------------------

    def test_what_is_terminated_goes(self, rig: Rig) -> None:
        intent, ids = rig.launched(2)
        gone, stays = sorted(ids)
        rig.backend.terminate([gone])

        rig.until(lambda: rig.ids(intent) == {stays}, "only the other one is left")

    def test_ending_twice_or_what_never_was_is_no_error(self, rig: Rig) -> None:
        intent, ids = rig.launched()
        rig.backend.terminate(sorted(ids))
        rig.backend.terminate(sorted(ids))
        rig.until(lambda: not rig.ids(intent), "it is gone")

        rig.reborn().terminate(sorted(ids))
        rig.backend.terminate([])
        assert rig.ids(intent) == set()

    def test_a_launch_after_its_end_does_not_start_it_anew(self, rig: Rig) -> None:
        """An intent is spent when its instances are gone: whoever wants more writes a new one."""
        order = rig.order()
        rig.backend.launch(order)
        rig.until(lambda: len(rig.ids(order.intent)) == 1, "it is listed")
        first = rig.ids(order.intent)
        rig.backend.terminate(sorted(first))
        rig.until(lambda: not rig.ids(order.intent), "it is gone")

        assert {instance.id for instance in _tried(rig, order)} <= first

    # ---- Trouble ---------------------------------------------------------------------------------------------------

    @_needs("losing_answers")
    def test_an_answer_that_is_lost_is_unknown_and_list_tells(self, rig: Rig) -> None:
        assert rig.losing_answers is not None
        order = rig.order()

        with rig.losing_answers(), pytest.raises(Unknown):
            rig.backend.launch(order)

        rig.until(lambda: len(rig.ids(order.intent)) == 1, "what was started is listed")

    @_needs("cut_off")
    def test_a_provider_that_cannot_be_reached_is_said_to_be_so(self, rig: Rig) -> None:
        assert rig.cut_off is not None
        order = rig.order()

        with rig.cut_off():
            with pytest.raises(Unavailable):
                rig.backend.list()
            with pytest.raises(Unavailable):
                rig.backend.launch(order)

        rig.backend.list()

    @_needs("preempt")
    def test_an_instance_that_is_taken_back_is_told_once(self, rig: Rig) -> None:
        assert rig.preempt is not None
        intent, ids = rig.launched()
        (instance,) = ids
        rig.until(lambda: [i.state for i in rig.seen(intent)] == [InstanceState.RUNNING], "it is running")
        rig.preempt(instance)
        told = _told(rig, lambda notice: notice.instance == instance)

        assert {(notice.kind, notice.intent) for notice in told} == {(NoticeKind.PREEMPTED, intent)}
        rig.until(lambda: not rig.ids(intent), "it is gone")
        assert [notice for notice in rig.backend.events() if notice.instance == instance] == []

    def test_quiet_times_have_no_news(self, rig: Rig) -> None:
        rig.backend.events()

        assert list(rig.backend.events()) == []


def _tried(rig: Rig, order: LaunchOrder) -> Collection[Instance]:
    """Launch a spent order again: refused, or answered with what there was; nothing alive may come of it."""
    try:
        rig.backend.launch(order)
    except BackendError:
        return []
    _settle(rig)
    return rig.seen(order.intent)


def _settle(rig: Rig) -> None:
    """Time enough for what should not appear to appear."""
    for _round in range(3):
        rig.wait()


def _told(rig: Rig, mine: Callable[[Notice], bool]) -> list[Notice]:
    """The notices about something, waited for."""
    found: list[Notice] = []

    def heard() -> bool:
        found.extend(notice for notice in rig.backend.events() if mine(notice))
        return bool(found)

    rig.until(heard, "the provider has told of it")
    return found
