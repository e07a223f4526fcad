"""Maya's ways to fail: every one is told in words, with the right class, and leaves nothing that runs."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_render import installed
from hypothesis import given
from hypothesis import strategies as st

from worker.clock import SystemClock
from worker.runners.base import RenderCancelled
from worker.runners.maya import MayaRunner, failures

WITHIN_S = 60.0


@pytest.mark.parametrize(
    ("fakes", "settings", "failure", "words"),
    [
        (["nothing"], {}, "infra", "said that it was done, and frame 1 is missing"),
        (["silent"], {}, "infra", "frame 1 is missing"),
        (["licence"], {"engine": "arnold"}, "licence", "got no licence"),
        (["no-maya-licence"], {}, "licence", "got no licence"),
        (["watermark"], {"engine": "arnold"}, "licence", "thrown away: .*watermark"),
        (["crash"], {}, "infra", "crashed"),
        (["dies"], {}, "infra", "SIGSEGV"),
        (["partial"], {}, "infra", "is not whole"),
        (["region"], {"width": 32, "height": 18}, "user", "16×18 pixels instead of 32×18"),
        ([], {"camera": "shotcam"}, "user", "no camera of that name.*shotcam"),
        ([], {"layer": "hero"}, "user", "no render layer of that name.*hero"),
    ],
)
def test_a_failure_is_told(bench, fakes: list[str], settings: dict[str, Any], failure: str, words: str) -> None:
    failed = bench.fail(bench.scene(*fakes), settings=settings)
    assert failed.failure == failure, failed.message
    assert re.search(words, failed.message), failed.message


def test_frames_after_the_first_are_missed(bench) -> None:
    failed = bench.fail(bench.scene("stop-after 3"), frames=list(range(1, 13)))
    assert "frames 4, 5, 6, 7, 8 and 4 more are missing" in failed.message


def test_a_refusal_by_one_licence_server_is_none_when_the_next_says_yes(bench) -> None:
    (made,) = bench.run(bench.scene("second-server"), settings={"engine": "arnold"})
    assert made.frame == 1


@pytest.mark.parametrize(
    ("lines", "spoiled"),
    [
        (["| [licensing] license for arnold expires in 5 days"], False),
        (["| [licensing] no license found"], True),
        (["| [licensing] no license found", "| [licensing] authorized ArnoldPro"], False),
        (["| [licensing] authorized ArnoldPro", "ERROR | [licensing] connection lost"], False),
        (["| [licensing] authorized ArnoldPro", "WARNING | rendering with watermarks"], True),
        (["plug-in mtoa was not found on MAYA_PLUG_IN_PATH", "Error: anything else"], False),
    ],
)
def test_whole_frames_are_thrown_away_only_for_a_lost_licence(lines: list[str], spoiled: bool) -> None:
    assert (failures.spoiled(lines, 0) is not None) is spoiled


def test_a_scene_needs_a_maya_that_is_not_older(bench, tmp_path) -> None:
    failed = bench.fail(bench.scene(year="2026"), version="2026")
    assert failed.failure == "infra" and "needs Maya 2026 or later; this worker has 2024" in failed.message
    both = [installed(tmp_path / "b", "2026"), installed(tmp_path / "b", "2027"), installed(tmp_path / "b", "2022")]
    bench.runner = MayaRunner(both, environment=bench.runner._setup.environment)
    bench.run(bench.scene(year="2026"), version="2026")
    assert any(line.startswith("Maya 2026 (") for line in bench.log), "the lowest that fits"


def test_an_engine_that_is_not_installed(bench, tmp_path) -> None:
    bench.runner = MayaRunner([installed(tmp_path / "b", "2025", "file sw")], environment={})
    failed = bench.fail(bench.scene(), settings={"engine": "arnold"})
    assert failed.failure == "infra" and "with the engine arnold; this worker has 2025 (file, sw)" in failed.message


def test_a_missing_scene_and_a_split(bench, tmp_path) -> None:
    assert "is not there" in bench.fail(tmp_path / "gone.ma").message
    assert "rendered whole" in bench.fail(bench.scene(), partial=True).message


def test_a_worker_may_refuse_what_the_farm_does_not_trust(bench) -> None:
    environment = {**bench.runner._setup.environment, "OUTFIELD_MAYA__UNTRUSTED": "refuse"}
    program = bench.runner.mayas()[0].render
    bench.runner = MayaRunner([program], environment=environment)
    failed = bench.fail(bench.scene())
    assert failed.failure == "user" and "only Maya scenes that the farm trusts" in failed.message
    assert bench.run(bench.scene(), trusted=True)


def hanging(bench, scene: Path, stop) -> list[int]:
    """Render until it hangs, then `stop`; the processes that hung."""
    pids: list[int] = []

    def on_line(line: str) -> None:
        if line.startswith("hanging "):
            pids.extend(int(word) for word in line.split()[1:])
            stop()

    bench.on_line = on_line
    return pids


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        if not alive:
            return True
        threading.Event().wait(0.05)
    return False


def test_cancelling_ends_maya_and_all_it_has_started(bench) -> None:
    scene = bench.scene("hang")
    pids = hanging(bench, scene, bench.cancelled.set)
    with pytest.raises(RenderCancelled):
        bench.run(scene)
    assert len(pids) == 2 and gone(pids)


def test_a_time_limit_ends_maya(bench) -> None:
    class Clock(SystemClock):
        """Jumps when it is told to."""

        ahead_s = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.ahead_s

    clock = Clock()
    bench.runner._clock = clock
    scene = bench.scene("hang")
    pids = hanging(bench, scene, lambda: setattr(clock, "ahead_s", 4000.0))
    failed = bench.fail(scene, timeout_s=3600.0)
    assert failed.failure == "user" and "timeout_s (3600 s)" in failed.message and gone(pids)


def test_closing_the_runner_ends_maya(bench) -> None:
    scene = bench.scene("hang")
    pids = hanging(bench, scene, lambda: threading.Thread(target=bench.runner.close).start())
    assert bench.fail(scene).failure == "infra"
    assert gone(pids)


@given(
    st.lists(st.text(max_size=80), max_size=20), st.integers(-64, 255), st.lists(st.integers(), min_size=1, max_size=9)
)
def test_every_end_has_a_sentence(lines: list[str], code: int, missing: list[int]) -> None:
    failed = failures.failed(lines, code, missing, "rendering frame 1")
    assert failed.message.startswith("Maya ") and failed.failure in ("user", "infra", "licence")
