"""The `opencue` backend on two real RQDs, OpenCue's host daemon."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil
import pytest
from backend_rig import Rig
from backend_suite import BackendSuite
from opencue_proto import rqd_pb2
from rqd_host import RqdHost, free_port
from waiting import pause, until

from scheduler.backends.base import Instance, LaunchOrder, NoticeKind, StockOut
from scheduler.backends.opencue import OpencueBackend, make_backend
from scheduler.backends.opencue.reports import receiver_at
from scheduler.backends.opencue.rqd import HostView, Launched, Rqd
from scheduler.errors import Unavailable
from scheduler.settings import OpencuePool

pytestmark = pytest.mark.processes
CORES = 3
SLEEP = "exec sleep 600"


@pytest.fixture(scope="module")
def listen() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, listen: str) -> Iterator[list[RqdHost]]:
    receiver_at(listen)
    folder, port = tmp_path_factory.mktemp("rqd"), int(listen.rpartition(":")[2])
    made = [RqdHost(folder, name, report_port=port, cores=CORES) for name in ("h1", "h2")]
    for host in made:
        host.wait()
    yield made
    for host in made:
        host.stop()


@pytest.fixture
def settings(hosts: list[RqdHost], listen: str, tmp_path: Path) -> OpencuePool:
    return OpencuePool(
        hosts=tuple(host.address for host in hosts),
        listen=listen,
        vcpus=1,
        memory_gib=0.1,
        scratch=tmp_path,
        log_folder=tmp_path,
        leave_s=1,
        call_s=15,
    )


@pytest.fixture
def backend(settings: OpencuePool) -> Iterator[OpencueBackend]:
    made = make_backend("cue", settings, "farm-a")
    yield made
    made.terminate([each.id for each in made.list()])
    until(lambda: not made.list())


def workers_on(hosts: list[RqdHost]) -> list[int]:
    """The processes of workers' frames, known by what they were told."""
    found: list[int] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("OUTFIELD_INSTANCE", "").startswith(tuple(host.address for host in hosts)):
                found.append(process.pid)
    return found


def running(backend: OpencueBackend, intent: str, count: int = 1) -> list[Instance]:
    def look() -> list[Instance]:
        found = [each for each in backend.list() if each.intent == intent]
        return found if len(found) == count else []

    return until(look)


class TestOpencue(BackendSuite):
    """Everything that is asked of a backend."""

    CANNOT = frozenset({"preempt"})

    @pytest.fixture
    def rig(self, hosts: list[RqdHost], settings: OpencuePool) -> Iterator[Rig]:
        def leave_room_for(count: int) -> None:
            hosts[0].lock(CORES - count)
            hosts[1].lock(CORES)

        backend = make_backend("cue", settings, "farm-a")
        yield Rig(
            backend,
            reborn=lambda: make_backend("cue", settings, "farm-a"),
            wait=pause,
            other_farm=lambda: make_backend("cue", settings, "farm-b"),
            count_max=2 * CORES,
            leave_room_for=leave_room_for,
            losing_answers=losing_answers,
            cut_off=lambda: frozen(hosts, backend),
        )
        for host in hosts:
            host.unlock()


@contextmanager
def losing_answers() -> Iterator[None]:
    """RQD starts the frame, and is not heard."""
    launch = Rqd.launch

    def lost(self: Rqd, host: str, fields: Mapping[str, Any]) -> tuple[Launched, str]:
        launch(self, host, fields)
        return Launched.UNKNOWN, "no answer"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rqd, "launch", lost)
        yield


@contextmanager
def frozen(hosts: list[RqdHost], backend: OpencueBackend) -> Iterator[None]:
    """They are there, and do not answer."""
    backend._rqd._limit_s = 0.5
    for host in hosts:
        host.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for host in hosts:
            host.process.send_signal(signal.SIGCONT)
        backend._rqd._limit_s = 15


def test_workers_go_to_the_freest_host_first(backend: OpencueBackend, hosts: list[RqdHost]) -> None:
    hosts[0].lock(2)
    try:
        made = backend.launch(LaunchOrder("spread", 4, SLEEP, 600.0))
    finally:
        hosts[0].unlock()

    assert sorted(each.id.rpartition("/")[0] for each in made) == sorted([hosts[0].address, *[hosts[1].address] * 3])


def test_a_worker_is_asked_to_go_though_rqd_only_kills(backend: OpencueBackend, tmp_path: Path) -> None:
    """RQD kills the process group of the frame; the worker stands behind `timeout`, which leads another."""
    log = tmp_path / "said"
    leave = f"echo asked >> {log}; sleep 0.2; echo left >> {log}; exit 0"
    work = f"trap '{leave}' TERM; touch {log}; while :; do sleep 0.1; done"
    backend.launch(LaunchOrder("polite", 1, f'timeout 600 bash -c "{work}"', 600.0))
    until(log.exists)
    (instance,) = running(backend, "polite")
    backend.terminate([instance.id])
    until(lambda: not backend.list())

    # `timeout` passes the question on, so that it may be heard twice.
    until(lambda: [word for word, _many in groupby(log.read_text().split())] == ["asked", "left"], tell=log.read_text)
    until(lambda: not [*tmp_path.glob("outfield-*")])
    assert backend.events() == []


def test_a_kill_at_any_moment_of_a_start_leaves_nothing(
    backend: OpencueBackend, hosts: list[RqdHost], tmp_path: Path
) -> None:
    """RQD lists a frame a moment before it has a process. A kill must not hit RQD then, and the frame must go."""
    for number in range(8):
        backend.launch(LaunchOrder(f"hasty {number}", 1, SLEEP, 600.0))
        until(backend.list)
        threading.Event().wait(number * 0.02)
        backend.terminate([each.id for each in backend.list()])
        until(lambda: not backend.list())

    assert [host.process.poll() for host in hosts] == [None, None]
    until(lambda: not [*tmp_path.glob("outfield-*")])
    assert workers_on(hosts) == []


def test_a_worker_that_does_not_go_is_killed(backend: OpencueBackend, tmp_path: Path) -> None:
    backend.launch(LaunchOrder("deaf", 1, f"trap '' TERM; touch {tmp_path}/up; while :; do sleep 1; done", 600.0))
    until((tmp_path / "up").exists)
    (instance,) = running(backend, "deaf")
    backend.terminate([instance.id])

    until(lambda: not backend.list())


def test_a_worker_whose_time_is_over_goes_though_nobody_asks(backend: OpencueBackend, tmp_path: Path) -> None:
    backend.launch(LaunchOrder("short", 1, SLEEP, life_s=2.0))
    running(backend, "short")

    until(lambda: not backend.list())
    until(lambda: not [*tmp_path.glob("outfield-*")])


def test_a_worker_is_told_who_it_is(backend: OpencueBackend, tmp_path: Path) -> None:
    (made,) = backend.launch(LaunchOrder("it's", 1, f"env > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/env", 600.0))
    until((tmp_path / "env").exists)
    told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)

    assert (told["OUTFIELD_INSTANCE"], told["OUTFIELD_WORKER__INTENT"]) == (made.id, "it's")
    assert (told["OUTFIELD_WORKER__LIFE_S"], told["OUTFIELD_WORKER__DRAIN_S"]) == ("600", "0.5")
    until(lambda: not backend.list())
    assert [each for each in backend.events() if each.intent == "it's"] == []  # it ended as it should


@pytest.mark.parametrize(("script", "how"), [("exit 7", "exit status 7"), ("sleep 600", "signal 9")])
def test_a_frame_that_ends_otherwise_is_told(
    backend: OpencueBackend, hosts: list[RqdHost], tmp_path: Path, script: str, how: str
) -> None:
    backend.launch(LaunchOrder(script, 1, f"touch {tmp_path}/up; sleep 1; {script}", 600.0))
    (instance,) = running(backend, script)
    until((tmp_path / "up").exists)
    if "9" in how:
        address, _slash, frame = instance.id.rpartition("/")
        host = next(each for each in hosts if each.address == address)
        host.call("KillRunningFrame", rqd_pb2.RqdStaticKillRunningFrameRequest(frame_id=frame, message="an operator"))
    (told,) = until(backend.events)

    assert (told.kind, told.intent, told.instance) == (NoticeKind.FAILED, script, instance.id)
    assert how in told.message


def test_more_than_any_host_has_is_refused_with_what_to_do(settings: OpencuePool) -> None:
    backend = make_backend("cue", settings.model_copy(update={"vcpus": CORES + 1}), "farm-a")
    with pytest.raises(StockOut, match="0 of 1") as error:
        backend.launch(LaunchOrder("big", 1, SLEEP, 600.0))

    assert "vcpus" in error.value.hint


def test_what_rqd_refuses_goes_to_another_host(backend: OpencueBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody took the cores after they were counted."""
    look = Rqd.look

    def hopeful(self: Rqd, host: str) -> HostView:
        found = look(self, host)
        return HostView(host, found.cores + 100, found.memory_kib, 0, found.takes_work, found.frames)

    monkeypatch.setattr(Rqd, "look", hopeful)

    assert len(backend.launch(LaunchOrder("packed", 2 * CORES + 1, SLEEP, 600.0))) == 2 * CORES
    (told,) = [each for each in backend.events() if each.kind is NoticeKind.STOCK_OUT]
    assert "insufficient idle cores" in told.message


def test_a_port_that_is_taken_is_said_to_be_so(listen: str, hosts: list[RqdHost]) -> None:
    with pytest.raises(Unavailable, match="cannot listen") as error:
        receiver_at(hosts[0].address)

    assert "listen" in error.value.hint
