"""A worker that is to take nothing new, or to go."""

from __future__ import annotations

from pathlib import Path

from fake_scheduler import FakeScheduler
from worker_rig import WorkerRig

from worker.parts import Command


def test_a_drained_worker_finishes_asks_for_nothing_and_stays(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        fake.script(1)
        fake.wait_for(lambda: 1 in fake.outcomes())
        fake.script(2, wait="gate")
        waiting = fake.script(3)
        rig.runner.wait_started(2)
        fake.wait_for(lambda: len(fake.seen.leased) == 3)
        fake.set_drain(True)
        fake.script(4)
        fake.wait_for(lambda: fake.report_of(waiting))
        returned = fake.report_of(waiting)
        assert returned is not None and returned.outcome == "returned"
        rig.runner.gates["gate"].set()
        fake.wait_for(lambda: fake.outcomes().get(2) == "done")
        asked = len(fake.seen.syncs)
        fake.wait_for(lambda: len(fake.seen.syncs) > asked)
        assert all(sync.want == 0 for _, sync in fake.seen.syncs[asked:]), "it stays in touch and asks for nothing"
        fake.set_drain(False)
        fake.wait_for(lambda: 4 in fake.outcomes())


def test_leaving_hands_back_what_waits_and_finishes_what_runs(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        fake.script(1)
        fake.wait_for(lambda: 1 in fake.outcomes())
        running = fake.script(2, wait="gate", files={"a.png": "x"})
        waiting = fake.script(3)
        rig.runner.wait_started(2)
        fake.wait_for(lambda: len(fake.seen.leased) == 3)
        rig.inbox.put(Command.LEAVE)
        fake.wait_for(lambda: fake.report_of(waiting))
        rig.runner.gates["gate"].set()
        rig.join()
    assert rig.exit_code == 0
    assert fake.outcomes() == {1: "done", 2: "done", 3: "returned"}
    assert fake.report_of(running) is not None and rig.runner.closed


def test_what_does_not_finish_in_time_is_returned_as_preempted(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, drain_s=0.1) as rig:
        ref = fake.script(1, wait="never")
        rig.runner.wait_started(1)
        assert rig.drain() == 0
    report = fake.report_of(ref)
    assert report is not None and (report.outcome, report.failure) == ("returned", "preempted")


def test_a_second_signal_returns_everything_at_once(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, drain_s=600.0, stop_s=0.3) as rig:
        ref = fake.script(1, wait="late", deaf=True)
        rig.runner.wait_started(1)
        rig.inbox.put(Command.LEAVE)
        rig.inbox.put(Command.LEAVE)
        fake.wait_for(lambda: fake.report_of(ref))
        rig.join()
        report = fake.report_of(ref)
        assert report is not None and (report.outcome, report.failure) == ("returned", "preempted")
    assert rig.scratch_folders() == []
