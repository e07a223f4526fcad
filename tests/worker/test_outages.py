"""The whole agent against a scheduler that is away, forgets it, or does not understand it."""

from __future__ import annotations

from pathlib import Path

from fake_scheduler import FakeScheduler
from waiting import until
from worker_rig import WorkerRig

from worker.clock import ManualClock
from worker.parts import Command


def test_an_outage_loses_nothing(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, slots=2, spool_after_s=0.0) as rig:
        refs = [fake.script(task, wait=f"gate-{task}", files={f"f.{task}.png": str(task)}, lines=1) for task in (1, 2)]
        rig.runner.wait_started(1)
        rig.runner.wait_started(2)
        fake.down = True
        for task in (2, 1):
            rig.runner.gates[f"gate-{task}"].set()
            with rig.runner.changed:
                assert rig.runner.changed.wait_for(lambda task=task: task in rig.runner.ended, 5)
            until(lambda task=task: task in [ref.task for ref in rig.supervisor.staff.deliveries.parked()])
        assert [each.lease.task for each in rig.supervisor.staff.spool.all()] == [2, 1]
        assert not fake.seen.reports
        fake.down = False
        fake.wait_for(lambda: len(fake.outcomes()) == 2)
        until(lambda: not rig.supervisor.staff.spool.all())
    assert [report.task for _, report in fake.seen.reports] == [2, 1], "in the order in which it was finished"
    assert all(fake.report_of(ref) is not None for ref in refs)
    assert fake.seen.files["1.1", "f.1.png"] == b"1"
    assert fake.seen.logs["2.1"] == b"line 0\n"
    assert rig.scratch_folders() == []


def test_work_survives_a_restart_during_an_outage(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        ref = fake.script(1, wait="gate", files={"a.png": "kept"}, lines=2)
        rig.runner.wait_started(1)
        fake.down = True
        rig.runner.gates["gate"].set()
        assert rig.drain() == 0
    fake.down = False
    with WorkerRig(fake, tmp_path):
        fake.wait_for(lambda: fake.report_of(ref))
    assert fake.seen.files["1.1", "a.png"] == b"kept"
    assert fake.seen.logs["1.1"] == b"line 0\nline 1\n"
    assert len(fake.seen.hellos) == 1, "a restarted worker is the same worker"


def test_stale_work_is_dropped_and_never_reported(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        ref = fake.script(1, wait="gate", files={"a.png": "x"})
        rig.runner.wait_started(1)
        fake.stale.add(ref)
        rig.runner.gates["gate"].set()
        fake.script(2, files={"b.png": "y"})
        fake.wait_for(lambda: 2 in fake.outcomes())
        assert fake.report_of(ref) is None
        assert ("1.1", "a.png") not in fake.seen.files
    assert rig.scratch_folders() == []


def test_nothing_is_published_past_the_fence_until_the_scheduler_was_heard(fake: FakeScheduler, tmp_path: Path) -> None:
    clock = ManualClock()
    with WorkerRig(fake, tmp_path, clock=clock) as rig:
        ref = fake.script(1, wait="gate", files={"a.png": "late"})
        rig.runner.wait_started(1)
        fake.sync_down = True
        clock.advance(18.5)  # lease 20 s, margin 2 s; storage can still be reached
        rig.runner.gates["gate"].set()
        until(rig.supervisor.staff.spool.all)
        assert not fake.seen.puts
        fake.sync_down = False
        until(lambda: clock.advance(0.02) or fake.report_of(ref))
        assert fake.seen.files["1.1", "a.png"] == b"late"
        rig.inbox.put(Command.LEAVE)
        until(lambda: clock.advance(0.02) or rig.exit_code == 0)


def test_a_worker_that_was_forgotten_joins_again(tmp_path: Path) -> None:
    with FakeScheduler(renew_s=0.2) as fake, WorkerRig(fake, tmp_path):
        fake.wait_for(lambda: fake.seen.syncs)
        fake.token = "token-2"
        fake.wait_for(lambda: len(fake.seen.hellos) == 2)
        fake.add(1)
        fake.wait_for(lambda: 1 in fake.outcomes())


def test_a_worker_that_was_forgotten_and_has_no_code_goes_and_says_why(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        fake.wait_for(lambda: fake.seen.syncs)
        rig.drain()
    fake.token = "token-2"
    with WorkerRig(fake, tmp_path, join="") as rig:
        rig.join()
        assert rig.exit_code == 4


def test_a_log_the_scheduler_refuses_does_not_cost_the_result(fake: FakeScheduler, tmp_path: Path) -> None:
    fake.log_status = 500
    with WorkerRig(fake, tmp_path):
        ref = fake.script(1, files={"a.png": "x"}, lines=5)
        fake.wait_for(lambda: fake.report_of(ref))
    report = fake.report_of(ref)
    assert report is not None and report.outcome == "done"


def test_a_report_the_scheduler_cannot_read_does_not_hold_up_the_others(fake: FakeScheduler, tmp_path: Path) -> None:
    fake.unreadable = "cursed"
    with WorkerRig(fake, tmp_path, slots=2) as rig:
        bad = fake.script(1, wait="gate", fail="a cursed message")
        good = fake.script(2, wait="gate", fail="a plain message", odd=True)
        rig.runner.wait_started(1)
        rig.runner.wait_started(2)
        rig.runner.gates["gate"].set()
        fake.wait_for(lambda: fake.report_of(good))
        until(lambda: not rig.agent.state.held)
    report = fake.report_of(good)
    assert report is not None and report.message == "a plain message\ufffd?"
    assert fake.report_of(bad) is None
