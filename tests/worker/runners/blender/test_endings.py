"""How a Blender ends: told to, by itself, or because its worker is gone. Nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from blend_scenes import gone

from worker.clock import ManualClock
from worker.runners.base import RenderCancelled, RenderFailed
from worker.runners.blender import BlenderRunner

WORKER = """
import sys, threading
from pathlib import Path
from scheduler.protocol.work import Lease, Scene
from worker.runners.base import Reporter, Work
from worker.runners.blender import BlenderRunner

program, scene, folder = sys.argv[1:]
runner = BlenderRunner([program], folder=Path(folder))
lease = Lease(task=1, attempt=1, secret="", job="1", kind="render", renderer="blender", frames=[1], format="png",
              settings={}, scene=Scene(path="s"))
scratch = Path(folder, "scratch")
scratch.mkdir()
threading.Timer(300, lambda: sys.exit(1)).start()
runner.run(Work(lease, scratch, Path(scene)), Reporter(lambda f, n: print(n, flush=True), print, threading.Event()))
"""


class Running:
    """A task in a thread of its own, which lasts until something is done about it."""

    def __init__(self, bench: Any, **lease: Any) -> None:
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self.rendering = threading.Event()
        self._bench = bench
        reporter = bench.reporter()
        reporter.progress = self._on_progress
        work = bench.work("long", **lease)
        threading.Thread(target=self._run, args=(bench.runner, work, reporter), daemon=True).start()
        assert self.rendering.wait(60), "it never began"

    def pid(self) -> int:
        (session,) = self._bench.runner._slots._running
        return session.pid

    def _on_progress(self, fraction: float, note: str) -> None:
        if note.startswith("frame"):
            self.rendering.set()

    def _run(self, runner: BlenderRunner, work: Any, reporter: Any) -> None:
        try:
            runner.run(work, reporter)
        except (RenderFailed, RenderCancelled) as error:
            self.error = error
        self.ended.set()


def test_cancelling_ends_the_whole_tree_at_once(bench: Any) -> None:
    task = Running(bench)
    pid = task.pid()
    bench.cancelled.set()
    assert task.ended.wait(0.5)
    assert isinstance(task.error, RenderCancelled)
    assert gone(pid, 0.1)
    assert bench.frame("many").exists(), "the next task works"


def test_a_task_ends_at_its_time_limit(program: Path, bench: Any, tmp_path: Path) -> None:
    clock = ManualClock()
    bench.runner = BlenderRunner([program], folder=tmp_path / "private", clock=clock)
    task = Running(bench, timeout_s=60.0)
    clock.advance(59.0)
    assert not task.ended.wait(0.3)
    clock.advance(2.0)
    assert task.ended.wait(0.5)
    assert isinstance(task.error, RenderFailed)
    assert "timeout_s (60 s)" in task.error.message
    assert task.error.failure == "user"
    bench.runner.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_blender_that_dies_is_replaced(bench: Any, number: signal.Signals) -> None:
    task = Running(bench)
    os.kill(task.pid(), number)
    assert task.ended.wait(10)
    assert isinstance(task.error, RenderFailed)
    assert task.error.failure == "infra"
    assert "while rendering frame 1" in task.error.message
    assert ("memory" if number == signal.SIGKILL else "crashed (SIGSEGV)") in task.error.message
    assert bench.frame("many").exists(), "the next task works"


def test_an_idle_blender_that_dies_is_replaced(bench: Any) -> None:
    bench.frame("many")
    pid = bench.pid()
    os.kill(pid, signal.SIGKILL)
    assert gone(pid, 5)
    assert bench.frame("many").exists()
    assert bench.pid() != pid


def test_a_killed_worker_leaves_no_blender(program: Path, scenes: dict[str, Path], tmp_path: Path) -> None:
    argv = [sys.executable, "-c", WORKER, str(program), str(scenes["long"]), str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[4]) as worker:
        assert worker.stdout is not None
        assert any(line.startswith("frame 1") for line in worker.stdout), "it never began"
        children = [child.pid for child in psutil.Process(worker.pid).children(recursive=True)]
        assert children
        worker.kill()
        worker.wait()
        assert all(gone(pid, 5) for pid in children)
    assert list(tmp_path.glob("outfield-blender-*")), "a killed worker cannot clear up"
    BlenderRunner([program], folder=tmp_path).close()
    assert not list(tmp_path.glob("outfield-blender-*")), "the next one does it"


def test_closing_leaves_nothing(program: Path, bench: Any, tmp_path: Path) -> None:
    runner = BlenderRunner([program], folder=tmp_path / "private")
    bench.runner = runner
    bench.frame("many")
    pid = bench.pid()
    runner.close()
    assert gone(pid, 0.5)
    assert not list((tmp_path / "private").iterdir())
    with pytest.raises(RenderCancelled):
        bench.frame("many")


def test_a_blender_that_nobody_needs_is_ended(program: Path, bench: Any, tmp_path: Path) -> None:
    clock = ManualClock()
    bench.runner = BlenderRunner([program], folder=tmp_path / "private", clock=clock)
    bench.frame("many", job="00009")
    pid = bench.pid()
    clock.advance(800)
    assert bench.runner.warm() == ["00009"]
    clock.advance(800)
    assert bench.runner.warm() == []
    assert gone(pid, 0.5)
    bench.runner.close()
