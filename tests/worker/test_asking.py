"""How the agent asks for work and keeps in touch: few calls, and no time lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from fake_scheduler import FakeScheduler
from worker_rig import WorkerRig


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
        fake.script(1)
        fake.wait_for(lambda: 1 in fake.outcomes())
        for task in (2, 3, 4):
            fake.script(task, wait=f"gate-{task}")
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
        fake.script(1, wait="gate")
        fake.script(2)
        rig.runner.wait_started(1)
        fake.wait_for(lambda: fake.seen.syncs[-1][1].running and fake.seen.syncs[-1][1].wait_s)
        assert fake.seen.syncs[-1][1].want == 0
        assert len(fake.seen.leased) == 1


def test_new_work_starts_at_once(fake: FakeScheduler, tmp_path: Path) -> None:
    with WorkerRig(fake, tmp_path) as rig:
        fake.wait_for(lambda: fake.seen.syncs)
        waits: list[float] = []
        for task in range(1, 11):
            added = time.monotonic()
            fake.script(task)
            rig.runner.wait_started(task)
            waits.append(time.monotonic() - added)
            fake.wait_for(lambda task=task: task in fake.outcomes())
    assert sorted(waits)[len(waits) // 2] < 0.05


def test_leases_are_renewed_while_all_slots_render(tmp_path: Path) -> None:
    with FakeScheduler(lease_s=1.0, renew_s=0.2) as fake, WorkerRig(fake, tmp_path, poll_wait_s=30.0) as rig:
        ref = fake.script(1, wait="gate")
        rig.runner.wait_started(1)

        def renewals() -> list[float]:
            return [when for when, sync in fake.seen.syncs if any(each.task == ref.task for each in sync.running)]

        fake.wait_for(lambda: len(renewals()) >= 8)
        gaps = [later - earlier for earlier, later in zip(renewals(), renewals()[1:], strict=False)]
        assert max(gaps) < 0.8
        assert fake.seen.syncs[-1][1].running[0].note == "half way"


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
        fake.script(1, wait="gate")
        rig.runner.wait_started(1)
        fake.wait_for(lambda: fake.parked_want() == 0)
        rig.runner.gates["gate"].set()
        fake.wait_for(lambda: 1 in fake.outcomes())
        fake.wait_for(fake.parked_want)
        asked = len(fake.seen.syncs)
        added = time.monotonic()
        fake.script(2)
        rig.runner.wait_started(2)
        assert time.monotonic() - added < 0.5
        fake.wait_for(lambda: 2 in fake.outcomes())
        assert len(fake.seen.syncs) - asked < 8
