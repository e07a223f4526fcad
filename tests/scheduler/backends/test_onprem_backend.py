"""The `onprem` backend on machines that really sleep and wake, on loopback."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from backend_rig import Rig
from backend_suite import BackendSuite
from sleepy_machines import SleepyNetwork
from waiting import pause, until

from scheduler.backends.base import BackendError, InstanceState, LaunchOrder, NoticeKind, StockOut
from scheduler.backends.onprem import OnpremBackend, make_backend
from scheduler.backends.onprem.memory import Memory
from scheduler.backends.onprem.network import magic_packet
from scheduler.clock import ManualClock
from scheduler.errors import Unavailable
from scheduler.settings import OnpremPool

THURSDAY_MORNING = datetime(2026, 1, 1, 6, tzinfo=UTC)
COUNT = 4

Make = Callable[..., OnpremBackend]


@pytest.fixture
def network() -> Iterator[SleepyNetwork]:
    made = SleepyNetwork(COUNT)
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(THURSDAY_MORNING)


@pytest.fixture
def make(network: SleepyNetwork, clock: ManualClock, tmp_path: Path) -> Make:
    def backend(file: str = "woken.json", **changes: Any) -> OnpremBackend:
        given: dict[str, Any] = {
            "machines": [machine.table() for machine in network.machines.values()],
            "hours": ["Mon-Fri 00:00-12:00"],
            "time_zone": "UTC",
            "broadcast": "127.0.0.1",
            "wake_port": network.port,
            "probe_s": 0.1,
            "sleep_command": network.sleep_command,
        }
        return OnpremBackend(OnpremPool.model_validate(given | changes), memory=Memory(tmp_path / file), clock=clock)

    return backend


def order(intent: str = "one", count: int = 1) -> LaunchOrder:
    return LaunchOrder(intent, count, "", 3600.0)


@contextmanager
def no_network() -> Iterator[None]:
    def unreachable(*_: object, **__: object) -> socket.socket:
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", unreachable)
        yield


class TestOnprem(BackendSuite):
    """Everything that is asked of a backend."""

    CANNOT = frozenset({"losing_answers", "cut_off"})

    @pytest.fixture
    def rig(self, make: Make, network: SleepyNetwork, clock: ManualClock) -> Rig:
        def leave_room_for(count: int) -> None:
            for machine in [*network.machines.values()][count:]:
                machine.wake()

        return Rig(
            make(),
            reborn=make,
            wait=lambda: pause(0.02),
            count_max=COUNT,
            other_farm=lambda: make("other.json"),
            leave_room_for=leave_room_for,
            preempt=lambda _instance: clock.advance(7 * 3600),
        )


def test_without_a_network_silence_says_nothing(make: Make) -> None:
    backend = make()
    backend.launch(order())
    with no_network():
        for call in (backend.list, backend.events, lambda: backend.launch(order("two"))):
            with pytest.raises(Unavailable, match="no way to the network"):
                call()

    assert [each.id for each in backend.list()] == ["ws1@one"]


def test_a_magic_packet() -> None:
    packet = magic_packet("01-23-45-67-89-aB")

    assert packet == b"\xff" * 6 + bytes([0x01, 0x23, 0x45, 0x67, 0x89, 0xAB]) * 16


def test_machines_are_woken_in_order_and_sleep_when_they_are_told_to(make: Make, network: SleepyNetwork) -> None:
    backend = make()
    network.machines["ws1"].wake()  # somebody works at it
    made = backend.launch(order(count=2))
    until(lambda: {each.state for each in backend.list()} == {InstanceState.RUNNING})

    assert [each.id for each in made] == ["ws2@one", "ws3@one"]
    assert not network.machines["ws2"].asleep and network.machines["ws4"].asleep
    backend.terminate(["ws2@one", "ws1@one"])
    until(lambda: network.machines["ws2"].asleep)
    until(lambda: [each.id for each in backend.list()] == ["ws3@one"])
    assert not network.machines["ws1"].asleep


def test_without_a_command_a_machine_is_left_to_itself(make: Make, network: SleepyNetwork) -> None:
    backend = make(sleep_command=())
    backend.launch(order())
    until(lambda: not network.machines["ws1"].asleep)
    backend.terminate(["ws1@one"])

    assert backend.list() == []
    assert not network.machines["ws1"].asleep


def test_who_does_not_wake_gets_further_packets_and_is_given_up(
    make: Make, network: SleepyNetwork, clock: ManualClock
) -> None:
    backend, machine = make(wake_s=100), network.machines["ws1"]
    machine.deaf = True
    backend.launch(order())
    until(lambda: machine.packets == 3)
    assert [each.state for each in backend.list()] == [InstanceState.STARTING]
    until(lambda: machine.packets == 6)
    clock.advance(101)
    (told,) = backend.events()

    assert (told.kind, told.intent, told.instance) == (NoticeKind.FAILED, "one", "ws1@one")
    assert "did not answer within 100 s" in told.message and str(machine.port) in told.message
    assert backend.list() == []


def test_who_falls_silent_is_given_up_after_a_while(make: Make, network: SleepyNetwork, clock: ManualClock) -> None:
    backend = make(lost_s=60)
    backend.launch(order())
    until(lambda: [each.state for each in backend.list()] == [InstanceState.RUNNING])
    network.machines["ws1"].sleep()
    assert [each.state for each in backend.list()] == [InstanceState.RUNNING]
    clock.advance(61)

    assert [each.kind for each in backend.events()] == [NoticeKind.FAILED]
    assert backend.list() == []


def test_when_its_hours_are_over_a_machine_is_its_owners_and_stays_awake(
    make: Make, network: SleepyNetwork, clock: ManualClock
) -> None:
    backend = make()
    (made,) = backend.launch(order())
    until(lambda: not network.machines["ws1"].asleep)
    clock.advance(7 * 3600)
    (told,) = backend.events()
    backend.terminate([made.id])

    assert (told.kind, told.instance) == (NoticeKind.PREEMPTED, made.id)
    assert not network.machines["ws1"].asleep
    with pytest.raises(StockOut, match="4 outside of their hours"):
        backend.launch(order("two"))


def test_a_machine_may_have_hours_of_its_own(make: Make, network: SleepyNetwork, clock: ManualClock) -> None:
    tables = [machine.table() for machine in network.machines.values()]
    tables[2]["hours"] = ["18:00-06:30"]
    clock.advance(13 * 3600)
    backend = make(machines=tables)

    assert backend.plan(4).count == 1
    assert [each.id for each in backend.launch(order(count=2))] == ["ws3@one"]
    (told,) = backend.events()
    assert told.kind is NoticeKind.STOCK_OUT
    assert told.message == "1 of 2 could be woken: 3 outside of their hours."


def test_a_command_that_fails_is_an_error_while_the_machine_is_awake(make: Make, network: SleepyNetwork) -> None:
    backend = make(sleep_command=("sh", "-c", "echo {name} at {address} will not >&2; exit 3"))
    backend.launch(order())
    until(lambda: not network.machines["ws1"].asleep)
    with pytest.raises(Unavailable, match=r"ws1: ws1 at 127\.0\.0\.1 will not"):
        backend.terminate(["ws1@one"])
    assert [each.id for each in backend.list()] == ["ws1@one"]
    network.machines["ws1"].sleep()  # as with ssh, whose connection breaks when the machine goes
    backend.terminate(["ws1@one"])

    assert backend.list() == []


def test_a_machine_that_stays_awake_is_in_somebodys_hands(
    make: Make, network: SleepyNetwork, clock: ManualClock
) -> None:
    backend = make(sleep_command=("true",), wake_s=100)
    backend.launch(order())
    until(lambda: not network.machines["ws1"].asleep)
    backend.terminate(["ws1@one"])
    assert [each.state for each in backend.list()] == [InstanceState.STOPPING]
    clock.advance(101)

    assert backend.list() == [] and backend.events() == []


def test_what_was_woken_is_remembered_before_the_packet_goes(make: Make, tmp_path: Path) -> None:
    backend = make(broadcast="not an address")
    with pytest.raises(Unavailable, match="cannot be sent"):
        backend.launch(order())

    assert json.loads((tmp_path / "woken.json").read_text())["intents"] == ["one"]
    assert [each.id for each in make().list()] == ["ws1@one"]


def test_a_memory_that_cannot_be_read_is_not_taken_for_an_empty_one(make: Make, tmp_path: Path) -> None:
    (tmp_path / "woken.json").write_text('{"woken": [{"machine"')
    with pytest.raises(BackendError, match="cannot be read") as error:
        make().list()

    assert "remove it" in error.value.hint


def test_a_pool_without_machines_has_nothing_to_wake(tmp_path: Path) -> None:
    backend = make_backend("onprem", OnpremPool(state_file=tmp_path / "m.json"), "farm-a")

    assert backend.list() == [] and backend.plan(2).count == 0 and backend.offers()
    with pytest.raises(StockOut, match="there are no more"):
        backend.launch(order())
