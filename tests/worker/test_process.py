"""A worker as a process: signals, SIGKILL, a dying parent, and the life after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_scheduler import JOIN_CODE, FakeScheduler

pytestmark = pytest.mark.processes

SUPPORT = Path(__file__).parents[1] / "support"
END_S = 15.0

PROGRAM = """
import sys
sys.path.insert(0, {support!r})
import worker.runners.registry as registry
from scripted_runner import SPECS
registry.RUNNERS = SPECS
registry.RunnerRegistry.__init__.__defaults__ = ((), SPECS)
from worker.bootstrap import run
from worker.settings import load_worker_settings
sys.exit(run(load_worker_settings({{}})))
"""


class WorkerProcess:
    """`outfield worker` without the CLI, with the scripted runner."""

    def __init__(
        self, fake: FakeScheduler, folder: Path, *, launcher: tuple[str, ...] = (), **settings: object
    ) -> None:
        given = {"server": fake.url, "join": JOIN_CODE, "data": folder / "data", "cache": folder / "cache"}
        given |= {"backoff_base_s": 0.02, "backoff_cap_s": 0.1, "scratch_min_free_gib": 0, **settings}
        environment = {f"OUTFIELD_WORKER__{key.upper()}": str(value) for key, value in given.items()}
        command = [*launcher, sys.executable, "-c", PROGRAM.format(support=str(SUPPORT))]
        self.folder, self.log = folder, folder / "worker.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=log)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        return self.process.wait(END_S)

    def scratch(self) -> list[Path]:
        return list((self.folder / "data" / "scratch").iterdir())


@pytest.fixture
def processes() -> Iterator[list[WorkerProcess]]:
    started: list[WorkerProcess] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait(END_S)


def named(fake: FakeScheduler) -> set[int]:
    """Tasks that the worker has named in its latest sync: it has them."""
    return {each.task for each in fake.seen.syncs[-1][1].running} if fake.seen.syncs else set()


def test_sigterm_drains(fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path) -> None:
    processes.append(worker := WorkerProcess(fake, tmp_path))
    fake.add(1)
    fake.wait_for(lambda: 1 in fake.outcomes(), END_S)
    fake.add(2, renderer="null", settings={"sleep_s": 0.6})
    fake.add(3, renderer="null")
    fake.wait_for(lambda: named(fake) == {2, 3})
    worker.signal(signal.SIGTERM)
    assert worker.exit_code() == 0
    assert fake.outcomes() == {1: "done", 2: "done", 3: "returned"}
    assert worker.scratch() == []


def test_a_second_signal_ends_it_at_once(fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path) -> None:
    processes.append(worker := WorkerProcess(fake, tmp_path))
    fake.add(1, settings={"sleep_s": 600.0})
    fake.wait_for(lambda: named(fake) == {1}, END_S)
    worker.signal(signal.SIGTERM)
    fake.wait_for(lambda: fake.seen.syncs[-1][1].want == 0)
    worker.signal(signal.SIGINT)
    assert worker.exit_code() == 0
    assert fake.outcomes() == {1: "returned"}


def test_after_a_kill_the_next_life_says_what_became_of_its_leases(
    fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path
) -> None:
    processes.append(first := WorkerProcess(fake, tmp_path, slots=1))
    fake.add(1)
    fake.wait_for(lambda: 1 in fake.outcomes(), END_S)
    running = fake.add(2, settings={"sleep_s": 600.0})
    waiting = fake.add(3)
    fake.wait_for(lambda: named(fake) == {2, 3})
    first.signal(signal.SIGKILL)
    first.exit_code()
    assert first.scratch(), "there is something to sweep"
    processes.append(second := WorkerProcess(fake, tmp_path, join=""))
    fake.wait_for(lambda: fake.report_of(running) and fake.report_of(waiting), END_S)
    lost, returned = fake.report_of(running), fake.report_of(waiting)
    assert lost is not None and (lost.outcome, lost.failure) == ("failed", "lost")
    assert returned is not None and returned.outcome == "returned"
    assert len(fake.seen.hellos) == 1
    fake.add(4)
    fake.wait_for(lambda: 4 in fake.outcomes())
    second.signal(signal.SIGTERM)
    assert second.exit_code() == 0 and second.scratch() == []


def test_finished_work_survives_a_kill(fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path) -> None:
    fake.put_status = 507
    processes.append(first := WorkerProcess(fake, tmp_path, spool_after_s=0))
    ref = fake.add(1, renderer="scripted", settings={"files": {"a.png": "costly"}})
    fake.wait_for(lambda: fake.seen.puts, END_S)
    first.signal(signal.SIGKILL)
    first.exit_code()
    fake.put_status = 0
    processes.append(WorkerProcess(fake, tmp_path))
    fake.wait_for(lambda: fake.report_of(ref), END_S)
    assert fake.seen.files["1.1", "a.png"] == b"costly"
    assert fake.outcomes() == {1: "done"}


def test_a_task_that_kills_its_worker_is_told_apart(
    fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path
) -> None:
    processes.append(first := WorkerProcess(fake, tmp_path))
    ref = fake.add(1, renderer="scripted", settings={"die": True})
    assert first.exit_code() == -signal.SIGKILL
    processes.append(WorkerProcess(fake, tmp_path))
    fake.wait_for(lambda: fake.report_of(ref), END_S)
    report = fake.report_of(ref)
    assert report is not None and report.failure == "lost" and "died or was killed" in report.message


def test_a_worker_drains_when_its_parent_dies(
    fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path
) -> None:
    shell = 'OUTFIELD_WORKER__PARENT_PID=$$ "$@" & echo $! > "$0"; wait'
    launcher = ("sh", "-c", shell, str(tmp_path / "pid"))
    processes.append(worker := WorkerProcess(fake, tmp_path, launcher=launcher, orphan_drain_s=0.1))
    ref = fake.add(1, settings={"sleep_s": 600.0})
    fake.wait_for(lambda: named(fake) == {1}, END_S)
    worker.process.kill()  # the shell, which is the worker's parent
    fake.wait_for(lambda: fake.report_of(ref), END_S)
    assert fake.outcomes() == {1: "returned"}
    _wait_gone(int((tmp_path / "pid").read_text()))


def test_a_worker_without_a_valid_code_says_what_to_do(
    fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path
) -> None:
    processes.append(worker := WorkerProcess(fake, tmp_path, join="WRONG"))
    assert worker.exit_code() == 4
    assert "start the worker with --join CODE" in worker.log.read_text()


def test_two_workers_do_not_share_a_data_folder(
    fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path
) -> None:
    processes.append(WorkerProcess(fake, tmp_path))
    fake.wait_for(lambda: fake.seen.syncs, END_S)
    processes.append(second := WorkerProcess(fake, tmp_path, lock_wait_s=0.2))
    assert second.exit_code() == 1
    assert "give this one a folder of its own" in second.log.read_text()


def test_a_worker_waits_for_a_scheduler_that_is_not_up_yet(
    fake: FakeScheduler, processes: list[WorkerProcess], tmp_path: Path
) -> None:
    fake.down = True
    processes.append(worker := WorkerProcess(fake, tmp_path))
    end = time.monotonic() + END_S
    while "join_waits" not in worker.log.read_text():
        assert time.monotonic() < end and worker.process.poll() is None
        os.sched_yield()
    fake.down = False
    fake.wait_for(lambda: fake.seen.syncs, END_S)
    worker.signal(signal.SIGTERM)
    assert worker.exit_code() == 0


def _wait_gone(pid: int) -> None:
    """Wait until a process that is nobody's child here has gone."""
    handle = os.pidfd_open(pid)
    try:
        import select

        assert select.select([handle], [], [], END_S)[0], "the worker did not end"
    finally:
        os.close(handle)
