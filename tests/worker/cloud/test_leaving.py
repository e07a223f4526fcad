"""A worker whose machine is taken away: what ends, what is saved, what goes back, and how soon."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fake_metadata import FakeMetadata
from fake_scheduler import FakeScheduler
from waiting import until
from worker_rig import WorkerRig

from worker.clock import ManualClock
from worker.cloud.notices import SIGNALLED, Notice
from worker.cloud.pulse import read_pulse
from worker.parts import Command

QUICK: dict[str, Any] = {"notice_finish_s": 0.2, "notice_leave_s": 2.0, "save_s": 0.5, "metadata_poll_s": 0.05}


@pytest.mark.parametrize("cloud", ["gce", "aws"])
def test_a_notice_saves_what_runs_and_gives_the_rest_back(fake: FakeScheduler, tmp_path: Path, cloud: str) -> None:
    with FakeMetadata() as metadata:
        with WorkerRig(fake, tmp_path, slots=2, cloud=cloud, metadata_url=metadata.url, **QUICK) as rig:
            saving = fake.script(1, wait="never", saves="half a film")
            plain = fake.script(2, wait="never")
            rig.runner.wait_started(1)
            rig.runner.wait_started(2)
            since = metadata.take_back(cloud)
            rig.join()
            assert time.monotonic() - since < 5.0
        assert rig.exit_code == 0
    returned, given = fake.report_of(saving), fake.report_of(plain)
    assert returned is not None and (returned.outcome, returned.failure) == ("returned", "preempted")
    assert [(file.name, file.kind, file.meta) for file in returned.files] == [
        ("checkpoint.partial", "checkpoint", {"done": 0.5})
    ]
    assert fake.seen.files["1.1", "checkpoint.partial"] == b"half a film"
    assert given is not None and (given.outcome, given.failure, given.files) == ("returned", "preempted", [])
    assert "takes this Spot" in fake.seen.syncs[-1][1].leaving
    assert fake.seen.syncs[-1][1].want == 0
    assert rig.scratch_folders() == []


def test_what_ends_in_time_is_delivered(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, **(QUICK | {"notice_finish_s": 5.0})) as rig:
        ref = fake.script(1, wait="gate", files={"a.png": "pixels"})
        rig.runner.wait_started(1)
        rig.inbox.put(SIGNALLED)
        fake.wait_for(lambda: fake.seen.syncs[-1][1].leaving)
        rig.runner.gates["gate"].set()
        rig.join()
    report = fake.report_of(ref)
    assert report is not None and report.outcome == "done"


def test_nothing_new_is_taken_after_a_notice(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, **(QUICK | {"notice_finish_s": 5.0})) as rig:
        fake.script(1, wait="gate")
        rig.runner.wait_started(1)
        rig.inbox.put(SIGNALLED)
        fake.wait_for(lambda: fake.seen.syncs[-1][1].leaving)
        fake.script(2)
        time.sleep(0.2)
        rig.runner.gates["gate"].set()
        rig.join()
    assert [ref.task for _, ref in fake.seen.leased] == [1]


def test_a_renderer_that_does_not_stop_holds_nobody_up(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, **QUICK) as rig:
        ref = fake.script(1, wait="gate", deaf=True)
        rig.runner.wait_started(1)
        since = time.monotonic()
        rig.inbox.put(SIGNALLED)
        fake.wait_for(lambda: fake.report_of(ref))
        assert time.monotonic() - since < 3.0
        rig.join()
    report = fake.report_of(ref)
    assert report is not None and (report.outcome, report.failure) == ("returned", "preempted")


def test_a_checkpoint_that_cannot_be_delivered_does_not_keep_the_lease(fake: FakeScheduler, tmp_path: Path) -> None:
    fake.put_status = 507
    with WorkerRig(fake, tmp_path, **QUICK) as rig:
        ref = fake.script(1, wait="never", saves="half a film")
        rig.runner.wait_started(1)
        rig.inbox.put(SIGNALLED)
        fake.wait_for(lambda: fake.report_of(ref))
        rig.join()
    report = fake.report_of(ref)
    assert report is not None and (report.outcome, report.files) == ("returned", [])


def test_an_advice_lets_what_runs_finish(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, **QUICK) as rig:
        ref = fake.script(1, wait="gate", files={"a.png": "pixels"})
        rig.runner.wait_started(1)
        rig.inbox.put(Notice("leave soon", urgent=False, grace_s=60.0))
        fake.wait_for(lambda: fake.seen.syncs[-1][1].leaving == "leave soon")
        time.sleep(1.0)  # longer than an urgent notice allows
        assert fake.report_of(ref) is None
        rig.runner.gates["gate"].set()
        rig.join()
    report = fake.report_of(ref)
    assert report is not None and report.outcome == "done"


def test_a_notice_after_an_advice_hurries(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, **QUICK) as rig:
        ref = fake.script(1, wait="never")
        rig.runner.wait_started(1)
        rig.inbox.put(Notice("leave soon", urgent=False, grace_s=600.0))
        rig.inbox.put(SIGNALLED)
        rig.join(5.0)
    report = fake.report_of(ref)
    assert report is not None and report.outcome == "returned"


def test_a_drain_that_takes_too_long_saves_as_well(fake: FakeScheduler, tmp_path: Path) -> None:
    """SIGTERM on a studio machine: the same checkpoint, once `drain_s` is over."""
    with WorkerRig(fake, tmp_path, drain_s=0.2) as rig:
        ref = fake.script(1, wait="never", saves="half a film")
        rig.runner.wait_started(1)
        rig.inbox.put(Command.LEAVE)
        rig.join()
    report = fake.report_of(ref)
    assert report is not None and [file.kind for file in report.files] == ["checkpoint"]


def test_the_worker_is_gone_before_its_time_limit(fake: FakeScheduler, tmp_path: Path) -> None:
    clock = ManualClock(0.0)
    limits = {"life_s": 1000.0, "life_lead_s": 120.0, "life_margin_s": 45.0, "cloud": "gce"}
    with FakeMetadata() as metadata:
        settings = QUICK | limits | {"metadata_url": metadata.url}
        with WorkerRig(fake, tmp_path, clock=clock, **settings) as rig:
            ref = fake.script(1, wait="never", saves="half a film")
            rig.runner.wait_started(1)
            clock.advance(836.0)
            until(lambda: "near" in rig.agent.state.leaving)
            assert fake.report_of(ref) is None, "what runs may go on to the margin"
            clock.advance(120.0)
            until(lambda: clock.advance(0.1) or rig.exit_code is not None)
            rig.join()
    report = fake.report_of(ref)
    assert report is not None and report.outcome == "returned"
    assert clock.uptime() < 1000.0


def test_a_cloud_worker_gives_signs_of_life_and_a_studio_worker_none(fake: FakeScheduler, tmp_path: Path) -> None:
    with FakeMetadata() as metadata, WorkerRig(fake, tmp_path, cloud="gce", metadata_url=metadata.url) as rig:
        fake.wait_for(lambda: fake.seen.syncs)
        deadline = time.monotonic() + 5
        while (pulse := read_pulse(rig.settings.data)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert pulse.contact_s <= pulse.beat_s
    with WorkerRig(fake, tmp_path / "studio") as rig:
        fake.wait_for(lambda: len(fake.seen.hellos) == 2)
        time.sleep(0.3)
    assert read_pulse(rig.settings.data) is None


def test_the_instance_is_named_when_joining(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, instance="i-0abc", intent="burst-7"):
        fake.wait_for(lambda: fake.seen.hellos)
    assert (fake.seen.hellos[0]["instance"], fake.seen.hellos[0]["intent"]) == ("i-0abc", "burst-7")


def test_a_batch_system_speaks_with_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    import queue
    import signal

    from worker.bootstrap import install_signals

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    inbox: Any = queue.SimpleQueue()
    try:
        install_signals(inbox, child=False, batch=True)
        assert threading.current_thread() is threading.main_thread()
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert [inbox.get(timeout=5), inbox.get(timeout=5)] == [SIGNALLED, SIGNALLED]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
