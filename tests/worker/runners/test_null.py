"""The renderer that does nothing, and the registry that finds it."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scheduler.protocol.work import Lease, Scene
from worker.runners.base import RenderCancelled, Reporter, Work
from worker.runners.null import NullRunner
from worker.runners.registry import RunnerRegistry


def run(sleep_s: float, cancelled: threading.Event) -> list[object]:
    lease = Lease(1, 1, "s", "00001", "render", "null", [1], "png", {"sleep_s": sleep_s}, Scene())
    reporter = Reporter(progress=lambda _share, _note: None, log=lambda _line: None, cancelled=cancelled)
    return list(NullRunner().run(Work(lease, Path()), reporter))


def test_it_makes_nothing() -> None:
    assert run(0.0, threading.Event()) == []
    assert run(0.01, threading.Event()) == []


@pytest.mark.parametrize("sleep_s", [0.0, 3600.0])
def test_a_cancel_ends_it_at_once(sleep_s: float) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(RenderCancelled):
        run(sleep_s, cancelled)


def test_a_runner_is_made_once_and_closed_with_the_registry() -> None:
    registry = RunnerRegistry(["null"])
    assert registry.get("null") is registry.get("null")
    assert registry.warm() == []
    registry.close()


def test_the_registry_imports_no_renderer_before_it_is_needed() -> None:
    program = (
        "import sys, worker.bootstrap, worker.runners.registry\n"
        "print(sorted({'numba', 'numpy', 'kernels', 'worker.runners.blender', 'pysqlite3'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
