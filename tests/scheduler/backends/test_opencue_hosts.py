"""Hosts that fall silent and what they report in the end: the `opencue` backend without a host."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import pytest
from opencue_proto import report_pb2, report_pb2_grpc
from rqd_host import free_port

from scheduler.backends.base import NoticeKind
from scheduler.backends.opencue import OpencueBackend
from scheduler.backends.opencue.backend import NIMBY_KILL
from scheduler.backends.opencue.reports import End, Receiver, receiver_at
from scheduler.backends.opencue.rqd import HostView, Running
from scheduler.clock import ManualClock
from scheduler.settings import OpencuePool


class TwoHosts:
    """What two hosts say, in the place of `Rqd`."""

    def __init__(self) -> None:
        labels = {"outfield-farm": "f", "outfield-pool": "p", "outfield-intent": "i"}
        frame = Running("frame", labels)
        self.views = {
            "a": HostView("a", 0, 0, 0, True, (frame,)),
            "b": HostView("b", 0, 0, 0, True, ()),
        }
        self.silent: set[str] = set()

    def look_at_all(self, hosts: Sequence[str]) -> list[HostView]:
        return [self.views[host] for host in hosts if host not in self.silent]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> tuple[OpencueBackend, TwoHosts, Receiver, ManualClock]:
    receiver, clock, hosts = Receiver(), ManualClock(), TwoHosts()
    settings = OpencuePool(hosts=("a", "b"), listen="127.0.0.1:1", lost_s=120)
    made = OpencueBackend("p", settings, "f", receiver=receiver, clock=clock)
    monkeypatch.setattr(made, "_rqd", hosts)
    return made, hosts, receiver, clock


Two = tuple[OpencueBackend, TwoHosts, Receiver, ManualClock]


def test_a_silent_hosts_workers_are_kept_for_a_while(two: Two) -> None:
    backend, hosts, _receiver, clock = two
    assert [each.id for each in backend.list()] == ["a/frame"]
    hosts.silent = {"a"}
    clock.advance(100)
    assert [each.id for each in backend.list()] == ["a/frame"]
    clock.advance(30)

    (told,) = backend.events()
    assert (told.kind, told.instance) == (NoticeKind.FAILED, "a/frame")
    assert "has not said how it ended" in told.message
    assert backend.list() == []


def test_a_machine_whose_owner_came_back_is_taken_back(two: Two) -> None:
    backend, hosts, receiver, _clock = two
    backend.list()
    receiver._ends["frame"] = End(NIMBY_KILL, 0)
    assert backend.events() == []  # a report alone proves nothing: the host still lists the frame
    hosts.views["a"] = HostView("a", 0, 0, 0, True, ())
    assert backend.list() == []
    (told,) = backend.events()

    assert (told.kind, told.intent) == (NoticeKind.PREEMPTED, "i")


def test_a_receiver_remembers_a_bounded_number_of_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.backends.opencue.reports.ENDS_MAX", 3)
    address = f"127.0.0.1:{free_port()}"
    receiver = receiver_at(address)
    with grpc.insecure_channel(address) as channel:
        stub = report_pb2_grpc.RqdReportInterfaceStub(channel)
        for number in range(5):
            info = report_pb2.RunningFrameInfo(frame_id=str(number))
            report = report_pb2.FrameCompleteReport(frame=info, exit_status=number)
            stub.ReportRunningFrameCompletion(
                report_pb2.RqdReportRunningFrameCompletionRequest(frame_complete_report=report), timeout=10
            )

    assert [receiver.end_of(str(number)) for number in range(5)] == [None, None, End(2, 0), End(3, 0), End(4, 0)]
    assert receiver_at(address) is receiver
