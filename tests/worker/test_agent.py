"""The whole agent with real threads and real HTTP, against a scheduler that can be broken in every way."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_scheduler import FakeScheduler
from worker_rig import WorkerRig

from scheduler.protocol.work import Input, Scene, TaskRef
from worker.agent import Command
from worker.clock import ManualClock


@pytest.fixture
def fake() -> Iterator[FakeScheduler]:
    with FakeScheduler() as scheduler:
        yield scheduler


def scripted(
    fake: FakeScheduler, task: int, attempt: int = 1, *, lease: dict[str, Any] | None = None, **script: Any
) -> TaskRef:
    return fake.add(task, attempt=attempt, renderer="scripted", settings=script, **(lease or {}))


def test_files_are_staged_with_their_hash_before_the_report(fake: FakeScheduler, tmp_path: Path) -> None:
    ref = scripted(fake, 1, files={"a.0001.png": "pixels", "a.0002.png": "more"}, lines=3)
    with WorkerRig(fake, tmp_path):
        fake.wait_for(lambda: fake.report_of(ref))
    report = fake.report_of(ref)
    assert report is not None and report.outcome == "done" and report.seconds > 0
    assert [(file.name, file.size, file.frame, file.meta) for file in report.files] == [
        ("a.0001.png", 6, 1, {"from": 1}),
        ("a.0002.png", 4, 1, {"from": 1}),
    ]
    assert report.files[0].hash == hashlib.sha256(b"pixels").hexdigest()
    assert fake.seen.files["1.1", "a.0001.png"] == b"pixels"
    assert fake.seen.logs["1.1"].decode() == "line 0\nline 1\nline 2\n"
    assert max(when for when, *_ in fake.seen.puts) <= fake.seen.reports[0][0]


def test_a_report_and_the_wish_for_more_travel_together(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path):
        fake.wait_for(lambda: fake.seen.syncs)
        for task in range(1, 21):
            fake.add(task)
        fake.wait_for(lambda: len(fake.seen.reports) == 20)
    exchanges = [sync for _, sync in fake.seen.syncs if sync.reports and sync.want]
    assert len(exchanges) >= 5
    assert all(sync.wait_s == 0 for sync in exchanges)
    assert sorted(fake.outcomes()) == list(range(1, 21))


def test_prefetch_holds_one_lease_more_once_tasks_are_short(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        scripted(fake, 1)
        fake.wait_for(lambda: 1 in fake.outcomes())
        for task in (2, 3, 4):
            scripted(fake, task, wait=f"gate-{task}")
        rig.runner.wait_started(2)
        fake.wait_for(lambda: len(fake.seen.leased) == 3)
        assert rig.runner.started == [1, 2]
        rig.runner.gates["gate-2"].set()
        rig.runner.wait_started(3)
        rig.runner.gates["gate-3"].set()
        rig.runner.gates["gate-4"].set()
        fake.wait_for(lambda: len(fake.outcomes()) == 4)


def test_a_first_long_task_takes_no_second_lease(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        scripted(fake, 1, wait="gate")
        scripted(fake, 2)
        rig.runner.wait_started(1)
        fake.wait_for(lambda: fake.seen.syncs[-1][1].running and fake.seen.syncs[-1][1].wait_s)
        assert fake.seen.syncs[-1][1].want == 0
        assert len(fake.seen.leased) == 1


def test_rendering_goes_on_while_files_travel(fake: FakeScheduler, tmp_path: Path) -> None:
    fake.put_status = 507
    with WorkerRig(fake, tmp_path) as rig:
        first = scripted(fake, 1, files={"a.png": "x"})
        fake.wait_for(lambda: fake.seen.puts)
        scripted(fake, 2)
        rig.runner.wait_started(2)
        assert fake.report_of(first) is None
        fake.put_status = 0
        fake.wait_for(lambda: len(fake.outcomes()) == 2)


def test_new_work_starts_at_once(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        fake.wait_for(lambda: fake.seen.syncs)
        waits: list[float] = []
        for task in range(1, 11):
            added = time.monotonic()
            scripted(fake, task)
            rig.runner.wait_started(task)
            waits.append(time.monotonic() - added)
            fake.wait_for(lambda task=task: task in fake.outcomes())
    assert sorted(waits)[len(waits) // 2] < 0.05


def test_a_cancel_arrives_while_the_poll_is_parked(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        ref = scripted(fake, 1, wait="never")
        rig.runner.wait_started(1)
        fake.wait_for(lambda: fake.seen.syncs[-1][1].running and fake.seen.syncs[-1][1].wait_s)
        told = time.monotonic()
        fake.cancel(ref)
        with rig.runner.changed:
            assert rig.runner.changed.wait_for(lambda: 1 in rig.runner.ended, 5)
        assert time.monotonic() - told < 0.5
        scripted(fake, 2)
        fake.wait_for(lambda: 2 in fake.outcomes())
        assert fake.report_of(ref) is None
    assert rig.scratch_folders() == []


def test_a_task_that_takes_too_long_is_stopped_and_fails_for_the_user(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path):
        ref = scripted(fake, 1, wait="never", lease={"timeout_s": 0.3})
        fake.wait_for(lambda: fake.report_of(ref))
    report = fake.report_of(ref)
    assert report is not None
    assert (report.outcome, report.failure) == ("failed", "user")
    assert "took longer than timeout_s" in report.message


def test_a_task_that_cannot_be_stopped_is_given_up_and_the_others_run(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, slots=2, stuck_s=0.3) as rig:
        ref = scripted(fake, 1, wait="late", deaf=True, lease={"timeout_s": 0.2})
        fake.wait_for(lambda: fake.report_of(ref))
        scripted(fake, 2)
        fake.wait_for(lambda: 2 in fake.outcomes())
        assert rig.runner.ended == [2]
        rig.runner.gates["late"].set()
    assert rig.scratch_folders() == []


def test_a_users_failure_and_a_bug_are_told_apart(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path):
        user = scripted(fake, 1, fail="The camera 'cam2' does not exist.")
        bug = scripted(fake, 2, bug="index out of range")
        unknown = fake.add(3, renderer="mental-ray")
        fake.wait_for(lambda: len(fake.outcomes()) == 3)
    for ref, failure, words, exit_code in (
        (user, "user", "The camera 'cam2' does not exist.", 3),
        (bug, "infra", "RuntimeError: index out of range", None),
        (unknown, "infra", "mental-ray", None),
    ):
        report = fake.report_of(ref)
        assert report is not None
        assert (report.outcome, report.failure, report.exit_code) == ("failed", failure, exit_code)
        assert words in report.message
    assert b"Traceback" in fake.seen.logs["2.1"] and b"_play" in fake.seen.logs["2.1"]


def test_an_outage_loses_nothing(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, slots=2, spool_after_s=0.0) as rig:
        refs = [
            scripted(fake, task, wait=f"gate-{task}", files={f"f.{task}.png": str(task)}, lines=1) for task in (1, 2)
        ]
        rig.runner.wait_started(1)
        rig.runner.wait_started(2)
        fake.down = True
        for task in (2, 1):
            rig.runner.gates[f"gate-{task}"].set()
            with rig.runner.changed:
                assert rig.runner.changed.wait_for(lambda task=task: task in rig.runner.ended, 5)
            _until(lambda task=task: task in [ref.task for ref in rig.supervisor.staff.deliveries.parked()])
        assert [each.lease.task for each in rig.supervisor.staff.spool.all()] == [2, 1]
        assert not fake.seen.reports
        fake.down = False
        fake.wait_for(lambda: len(fake.outcomes()) == 2)
        _until(lambda: not rig.supervisor.staff.spool.all())
    assert [report.task for _, report in fake.seen.reports] == [2, 1], "in the order in which it was finished"
    assert all(fake.report_of(ref) is not None for ref in refs)
    assert fake.seen.files["1.1", "f.1.png"] == b"1"
    assert fake.seen.logs["2.1"] == b"line 0\n"
    assert rig.scratch_folders() == []


def test_work_survives_a_restart_during_an_outage(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        ref = scripted(fake, 1, wait="gate", files={"a.png": "kept"}, lines=2)
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
        ref = scripted(fake, 1, wait="gate", files={"a.png": "x"})
        rig.runner.wait_started(1)
        fake.stale.add(ref)
        rig.runner.gates["gate"].set()
        scripted(fake, 2, files={"b.png": "y"})
        fake.wait_for(lambda: 2 in fake.outcomes())
        assert fake.report_of(ref) is None
        assert ("1.1", "a.png") not in fake.seen.files
    assert rig.scratch_folders() == []


def test_nothing_is_published_past_the_fence_until_the_scheduler_was_heard(fake: FakeScheduler, tmp_path: Path) -> None:
    clock = ManualClock()
    with WorkerRig(fake, tmp_path, clock=clock) as rig:
        ref = scripted(fake, 1, wait="gate", files={"a.png": "late"})
        rig.runner.wait_started(1)
        fake.sync_down = True
        clock.advance(18.5)  # lease 20 s, margin 2 s; storage can still be reached
        rig.runner.gates["gate"].set()
        _until(rig.supervisor.staff.spool.all)
        assert not fake.seen.puts
        fake.sync_down = False
        _until(lambda: clock.advance(0.02) or fake.report_of(ref))
        assert fake.seen.files["1.1", "a.png"] == b"late"
        rig.inbox.put(_leave())
        _until(lambda: clock.advance(0.02) or rig.exit_code == 0)


def test_leases_are_renewed_while_all_slots_render(tmp_path: Path) -> None:
    with FakeScheduler(lease_s=1.0, renew_s=0.2) as fake, WorkerRig(fake, tmp_path, poll_wait_s=30.0) as rig:
        ref = scripted(fake, 1, wait="gate")
        rig.runner.wait_started(1)

        def renewals() -> list[float]:
            return [when for when, sync in fake.seen.syncs if any(each.task == ref.task for each in sync.running)]

        fake.wait_for(lambda: len(renewals()) >= 8)
        gaps = [later - earlier for earlier, later in zip(renewals(), renewals()[1:], strict=False)]
        assert max(gaps) < 0.8
        assert fake.seen.syncs[-1][1].running[0].note == "half way"


def test_a_drained_worker_finishes_asks_for_nothing_and_stays(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        scripted(fake, 1)
        fake.wait_for(lambda: 1 in fake.outcomes())
        scripted(fake, 2, wait="gate")
        waiting = scripted(fake, 3)
        rig.runner.wait_started(2)
        fake.wait_for(lambda: len(fake.seen.leased) == 3)
        fake.set_drain(True)
        scripted(fake, 4)
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
        scripted(fake, 1)
        fake.wait_for(lambda: 1 in fake.outcomes())
        running = scripted(fake, 2, wait="gate", files={"a.png": "x"})
        waiting = scripted(fake, 3)
        rig.runner.wait_started(2)
        fake.wait_for(lambda: len(fake.seen.leased) == 3)
        rig.inbox.put(_leave())
        fake.wait_for(lambda: fake.report_of(waiting))
        rig.runner.gates["gate"].set()
        rig.join()
    assert rig.exit_code == 0
    assert fake.outcomes() == {1: "done", 2: "done", 3: "returned"}
    assert fake.report_of(running) is not None and rig.runner.closed


def test_what_does_not_finish_in_time_is_returned_as_preempted(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, drain_s=0.1) as rig:
        ref = scripted(fake, 1, wait="never")
        rig.runner.wait_started(1)
        assert rig.drain() == 0
    report = fake.report_of(ref)
    assert report is not None and (report.outcome, report.failure) == ("returned", "preempted")


def test_a_second_signal_returns_everything_at_once(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, drain_s=600.0, stop_s=0.3) as rig:
        ref = scripted(fake, 1, wait="late", deaf=True)
        rig.runner.wait_started(1)
        rig.inbox.put(_leave())
        rig.inbox.put(_leave())
        fake.wait_for(lambda: fake.report_of(ref))
        rig.join()
        report = fake.report_of(ref)
        assert report is not None and (report.outcome, report.failure) == ("returned", "preempted")
    assert rig.scratch_folders() == []


def test_a_worker_without_disk_space_asks_for_nothing(fake: FakeScheduler, tmp_path: Path) -> None:
    fake.add(1)
    with WorkerRig(fake, tmp_path, scratch_min_free_gib=1e9) as rig:
        fake.wait_for(lambda: fake.parked_want() == 0)
        assert "free some, or lower scratch_min_free_gib" in rig.agent.state.blocked
        fake.wait_for(lambda: any(sync.blocked == rig.agent.state.blocked for _, sync in fake.seen.syncs))
        assert all(sync.want == 0 for _, sync in fake.seen.syncs)


def test_resources_come_from_storage_once_and_by_name(fake: FakeScheduler, tmp_path: Path) -> None:
    scene, partial = b"v 0 0 0\n" * 1000, b"half a frame"
    scene_hash, partial_hash = (hashlib.sha256(data).hexdigest() for data in (scene, partial))
    fake.blobs = {scene_hash: scene, partial_hash: partial}
    lease = {
        "scene": Scene(blob=scene_hash, name="mesh.obj", blob_size=len(scene)),
        "inputs": [Input(partial_hash, len(partial), "part.npz", {"weight": 2})],
    }
    with WorkerRig(fake, tmp_path) as rig:
        for task in (1, 2):
            scripted(fake, task, lease=lease)
            work = rig.runner.wait_started(task)
            assert work.scene_path is not None and work.scene_path.name == "mesh.obj"
            assert work.scene_path.read_bytes() == scene
            assert work.inputs[0].path.read_bytes() == partial and work.inputs[0].meta == {"weight": 2}
        fake.wait_for(lambda: len(fake.outcomes()) == 2)
        fake.wait_for(lambda: scene_hash in fake.seen.syncs[-1][1].cached)
    assert sorted(hash_ for hash_, _ in fake.seen.downloads) == sorted([scene_hash, partial_hash])


def test_a_missing_resource_is_nobodys_fault_but_the_farms(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        gone = scripted(fake, 1, lease={"scene": Scene(blob="0" * 64, name="a.obj")})
        missing = scripted(fake, 2, lease={"scene": Scene(path=str(tmp_path / "typo.obj"))})
        unmounted = scripted(fake, 3, lease={"scene": Scene(path=str(tmp_path / "mnt" / "a.obj"))})
        fake.wait_for(lambda: len(fake.outcomes()) == 3)
    failures = [report.failure for ref in (gone, missing, unmounted) if (report := fake.report_of(ref))]
    assert failures == ["infra", "user", "infra"]
    assert rig.runner.started == []


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
        ref = scripted(fake, 1, files={"a.png": "x"}, lines=5)
        fake.wait_for(lambda: fake.report_of(ref))
    report = fake.report_of(ref)
    assert report is not None and report.outcome == "done"


def test_a_report_the_scheduler_cannot_read_does_not_hold_up_the_others(fake: FakeScheduler, tmp_path: Path) -> None:
    fake.unreadable = "cursed"
    with WorkerRig(fake, tmp_path, slots=2) as rig:
        bad = scripted(fake, 1, wait="gate", fail="a cursed message")
        good = scripted(fake, 2, wait="gate", fail="a plain message", odd=True)
        rig.runner.wait_started(1)
        rig.runner.wait_started(2)
        rig.runner.gates["gate"].set()
        fake.wait_for(lambda: fake.report_of(good))
        _until(lambda: not rig.agent.state.held)
    report = fake.report_of(good)
    assert report is not None and report.message == "a plain message\ufffd?"
    assert fake.report_of(bad) is None


def test_a_scheduler_that_lets_no_poll_wait_is_not_flooded(fake: FakeScheduler, tmp_path: Path) -> None:
    """As one that stops, or that has drained the worker, may answer."""
    fake.impatient = True
    with WorkerRig(fake, tmp_path):
        fake.wait_for(lambda: fake.seen.syncs)
        began = len(fake.seen.syncs)
        threading.Event().wait(0.5)
        assert len(fake.seen.syncs) - began < 12
        fake.add(1)
        fake.wait_for(lambda: 1 in fake.outcomes())


def test_a_parked_wish_that_is_out_of_date_is_replaced(fake: FakeScheduler, tmp_path: Path) -> None:
    """A poll was parked while the slot was busy; then the slot is free and there is no work."""
    with WorkerRig(fake, tmp_path) as rig:
        scripted(fake, 1, wait="gate")
        rig.runner.wait_started(1)
        fake.wait_for(lambda: fake.parked_want() == 0)
        rig.runner.gates["gate"].set()
        fake.wait_for(lambda: 1 in fake.outcomes())
        fake.wait_for(fake.parked_want)
        asked = len(fake.seen.syncs)
        added = time.monotonic()
        scripted(fake, 2)
        rig.runner.wait_started(2)
        assert time.monotonic() - added < 0.5
        fake.wait_for(lambda: 2 in fake.outcomes())
        assert len(fake.seen.syncs) - asked < 8


def _leave() -> Any:
    return Command.LEAVE


def _until(what: Any, timeout_s: float = 10.0) -> None:
    """For conditions inside the worker, which nothing announces: bounded, on a short beat."""
    beat, end = threading.Event(), time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        beat.wait(0.01)


def test_an_idle_worker_gets_ready_and_a_rendering_one_does_not(
    fake: FakeScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.supervisor.IDLE_LOOK_S", 0.01)
    scripted(fake, 1, wait="gate")
    with WorkerRig(fake, tmp_path) as rig, rig.runner.changed:
        assert rig.runner.changed.wait_for(lambda: rig.runner.started == [1], 10)
        before = rig.runner.ready
        assert not rig.runner.changed.wait_for(lambda: rig.runner.ready > before + 1, 0.2)
        rig.runner.gates["gate"].set()
        assert rig.runner.changed.wait_for(lambda: rig.runner.ready > before + 1, 10)
