"""Random histories on both clouds: orders, repetitions, broken connections, restarts, shortages, ends, interruptions.

Whatever happens: no order ever starts more than it asked for, and what a backend lists is what is there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from ec2_pools import Ec2Desk
from fake_ec2 import FakeEc2, state
from fake_gce import FakeGce
from gce_pools import GceDesk
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from scheduler.backends.aws import connection
from scheduler.backends.base import LABEL_FARM, LABEL_INTENT, Backend, InstanceState, LaunchOrder, NoticeKind
from scheduler.clock import ManualClock
from scheduler.errors import Unavailable

pytestmark = pytest.mark.gce_client

HISTORIES = settings(max_examples=10, stateful_step_count=20, suppress_health_check=list(HealthCheck))
BREAKS = st.none() | st.tuples(st.integers(0, 6), st.booleans())
ENDED = (InstanceState.GONE, InstanceState.STOPPING)


class History(RuleBasedStateMachine):
    """One farm on one cloud. What the cloud itself knows is the truth that the backend is held to."""

    orders: Bundle[LaunchOrder] = Bundle("orders")

    def __init__(self, desk: Any) -> None:
        super().__init__()
        self.desk = desk
        self.backend: Backend = desk.backend()
        self.ordered: dict[str, int] = {}

    # What a subclass knows of its cloud.

    def born(self) -> list[tuple[str, str]]:
        """Every instance that ever was, with its intent; one that was started twice is there twice."""
        raise AssertionError

    def alive(self) -> set[str]:
        """The instances that are there and cost."""
        raise AssertionError

    def take_back(self, identity: str) -> None:
        raise AssertionError

    def squeeze(self, room: int | None) -> None:
        raise AssertionError

    def crash(self, step: int, after: bool) -> None:
        raise AssertionError

    def peace(self) -> None:
        raise AssertionError

    # What may happen.

    @initialize()
    def begin(self) -> None:
        self.backend.events()

    @rule(target=orders, count=st.integers(1, 3))
    def write(self, count: int) -> LaunchOrder:
        order = self.desk.order(count)
        self.ordered[order.intent] = count
        return order

    @rule(order=orders, breaks=BREAKS)
    def launch(self, order: LaunchOrder, breaks: tuple[int, bool] | None) -> None:
        if breaks is not None:
            self.crash(*breaks)
        with suppress(Unavailable):
            started = self.backend.launch(order)
            assert {instance.intent for instance in started} == {order.intent}
        self.peace()

    @rule()
    def restart(self) -> None:
        self.backend = self.desk.backend()

    @rule(room=st.none() | st.integers(0, 4))
    def shortage(self, room: int | None) -> None:
        self.squeeze(room)

    @rule(data=st.data(), breaks=BREAKS)
    def end(self, data: st.DataObject, breaks: tuple[int, bool] | None) -> None:
        some = data.draw(
            st.lists(st.sampled_from(sorted(self.alive())), max_size=3, unique=True) if self.alive() else st.just([])
        )
        if breaks is not None:
            self.crash(0, breaks[1])
        try:
            self.backend.terminate(some)
        except Unavailable:
            self.peace()
            self.backend.terminate(some)
        self.peace()
        assert not set(some) & self.alive()

    @rule(data=st.data())
    def interrupt(self, data: st.DataObject) -> None:
        if self.alive():
            self.backend.list()  # a scheduler looks at its instances many times in the life of one
            taken = data.draw(st.sampled_from(sorted(self.alive())))
            self.take_back(taken)
            told = [n for n in self.backend.events() if n.kind is NoticeKind.PREEMPTED]
            assert (taken, dict(self.born())[taken]) in [(n.instance, n.intent) for n in told]
            for notice in told:  # after a restart, the intent of one that went before it is not known any more
                assert notice.intent in ("", dict(self.born())[notice.instance])

    @invariant()
    def nothing_is_started_twice(self) -> None:
        intents = [intent for _identity, intent in self.born()]
        assert {i: intents.count(i) for i in set(intents) if intents.count(i) > self.ordered[i]} == {}

    @invariant()
    def the_list_is_what_is_there(self) -> None:
        assert {i.id for i in self.backend.list() if i.state not in ENDED} == self.alive()


class Amazon(History):
    """On EC2, whose listing may lag behind once in a while."""

    desk: Ec2Desk

    def born(self) -> list[tuple[str, str]]:
        tags = {number: self.desk.ec2.tags(number) for number in self.desk.ec2.templates}
        return [(n, t[LABEL_INTENT]) for n, t in tags.items() if t[LABEL_FARM] == self.desk.farm]

    def alive(self) -> set[str]:
        return {number for number, _intent in self.born() if state(number) == "running"}

    def take_back(self, identity: str) -> None:
        self.desk.ec2.interrupt(identity)

    def squeeze(self, room: int | None) -> None:
        self.desk.ec2.room = room

    def crash(self, step: int, after: bool) -> None:
        self.desk.ec2.crash(step, after=after)

    def peace(self) -> None:
        self.desk.ec2.faults.clear()

    @rule(order=History.orders)
    def launch_while_the_listing_lags(self, order: LaunchOrder) -> None:
        self.desk.ec2.lag = 1
        with suppress(Unavailable):
            self.backend.launch(order)
        self.desk.ec2.lag = 0


class Google(History):
    """On Compute Engine, with operations that take their time. The order of places does not change here."""

    desk: GceDesk

    def __init__(self) -> None:
        clock = ManualClock()
        gce = FakeGce(clock.now)
        gce.project.operation_s = 2.0
        super().__init__(_SteadyDesk(gce, clock))

    def teardown(self) -> None:
        self.desk.gce.close()

    def born(self) -> list[tuple[str, str]]:
        return [(f"{m.zone}/{m.name}", m.metadata(LABEL_INTENT)) for m in self.desk.gce.project.born]

    def alive(self) -> set[str]:
        return set(self.desk.gce.alive())

    def take_back(self, identity: str) -> None:
        self.desk.gce.preempt(identity)

    def squeeze(self, room: int | None) -> None:
        self.desk.gce.project.stock = {} if room is None else {"us-east1-b": room // 2, "us-east1-c": room - room // 2}

    def crash(self, step: int, after: bool) -> None:
        self.desk.gce.crash(step, after=after)

    def peace(self) -> None:
        self.desk.gce.faults.clear()

    @rule(seconds=st.sampled_from([10.0, 400.0, 1800.0]))
    def time_passes(self, seconds: float) -> None:
        """Instances live for an hour at the most."""
        self.desk.clock.advance(seconds)


class _SteadyDesk(GceDesk):
    def backend(self, **changes: object) -> Any:
        return super().backend(stock_out_s=0, **changes)


def test_histories_on_ec2(ec2: FakeEc2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ASK_ATTEMPTS_MAX", 1)

    def fresh() -> Amazon:
        ec2.peace()
        return Amazon(Ec2Desk(ec2))

    run_state_machine_as_test(fresh, settings=HISTORIES)


def test_histories_on_compute_engine() -> None:
    run_state_machine_as_test(Google, settings=HISTORIES)
