"""The whole agent with real threads and real HTTP: what becomes of a task and of what it makes."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from fake_scheduler import FakeScheduler
from worker_rig import WorkerRig

from scheduler.protocol.work import Input, Scene


def test_files_are_staged_with_their_hash_before_the_report(fake: FakeScheduler, tmp_path: Path) -> None:
    ref = fake.script(1, files={"a.0001.png": "pixels", "a.0002.png": "more"}, lines=3)
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


def test_rendering_goes_on_while_files_travel(fake: FakeScheduler, tmp_path: Path) -> None:
    fake.put_status = 507
    with WorkerRig(fake, tmp_path) as rig:
        first = fake.script(1, files={"a.png": "x"})
        fake.wait_for(lambda: fake.seen.puts)
        fake.script(2)
        rig.runner.wait_started(2)
        assert fake.report_of(first) is None
        fake.put_status = 0
        fake.wait_for(lambda: len(fake.outcomes()) == 2)


def test_a_cancel_arrives_while_the_poll_is_parked(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        ref = fake.script(1, wait="never")
        rig.runner.wait_started(1)
        fake.wait_for(lambda: fake.seen.syncs[-1][1].running and fake.seen.syncs[-1][1].wait_s)
        told = time.monotonic()
        fake.cancel(ref)
        with rig.runner.changed:
            assert rig.runner.changed.wait_for(lambda: 1 in rig.runner.ended, 5)
        assert time.monotonic() - told < 0.5
        fake.script(2)
        fake.wait_for(lambda: 2 in fake.outcomes())
        assert fake.report_of(ref) is None
    assert rig.scratch_folders() == []


def test_a_task_that_takes_too_long_is_stopped_and_fails_for_the_user(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path):
        ref = fake.script(1, wait="never", lease={"timeout_s": 0.3})
        fake.wait_for(lambda: fake.report_of(ref))
    report = fake.report_of(ref)
    assert report is not None
    assert (report.outcome, report.failure) == ("failed", "user")
    assert "took longer than timeout_s" in report.message


def test_a_task_that_cannot_be_stopped_is_given_up_and_the_others_run(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path, slots=2, stuck_s=0.3) as rig:
        ref = fake.script(1, wait="late", deaf=True, lease={"timeout_s": 0.2})
        fake.wait_for(lambda: fake.report_of(ref))
        fake.script(2)
        fake.wait_for(lambda: 2 in fake.outcomes())
        assert rig.runner.ended == [2]
        rig.runner.gates["late"].set()
    assert rig.scratch_folders() == []


def test_a_users_failure_and_a_bug_are_told_apart(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path):
        user = fake.script(1, fail="The camera 'cam2' does not exist.")
        bug = fake.script(2, bug="index out of range")
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
            fake.script(task, lease=lease)
            work = rig.runner.wait_started(task)
            assert work.scene_path is not None and work.scene_path.name == "mesh.obj"
            assert work.scene_path.read_bytes() == scene
            assert work.inputs[0].path.read_bytes() == partial and work.inputs[0].meta == {"weight": 2}
        fake.wait_for(lambda: len(fake.outcomes()) == 2)
        fake.wait_for(lambda: scene_hash in fake.seen.syncs[-1][1].cached)
    assert sorted(hash_ for hash_, _ in fake.seen.downloads) == sorted([scene_hash, partial_hash])


def test_a_missing_resource_is_nobodys_fault_but_the_farms(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        gone = fake.script(1, lease={"scene": Scene(blob="0" * 64, name="a.obj")})
        missing = fake.script(2, lease={"scene": Scene(path=str(tmp_path / "typo.obj"))})
        unmounted = fake.script(3, lease={"scene": Scene(path=str(tmp_path / "mnt" / "a.obj"))})
        fake.wait_for(lambda: len(fake.outcomes()) == 3)
    failures = [report.failure for ref in (gone, missing, unmounted) if (report := fake.report_of(ref))]
    assert failures == ["infra", "user", "infra"]
    assert rig.runner.started == []


def test_an_idle_worker_gets_ready_and_a_rendering_one_does_not(
    fake: FakeScheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.supervisor.IDLE_LOOK_S", 0.01)
    fake.script(1, wait="gate")
    with WorkerRig(fake, tmp_path) as rig, rig.runner.changed:
        assert rig.runner.changed.wait_for(lambda: rig.runner.started == [1], 10)
        before = rig.runner.ready
        assert not rig.runner.changed.wait_for(lambda: rig.runner.ready > before + 1, 0.2)
        rig.runner.gates["gate"].set()
        assert rig.runner.changed.wait_for(lambda: rig.runner.ready > before + 1, 10)
