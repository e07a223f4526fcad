"""The dead-man timer: whatever becomes of the worker, the machine ends when nobody needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_metadata import FakeMetadata
from fake_scheduler import JOIN_CODE, FakeScheduler

from worker.clock import ManualClock, SystemClock
from worker.cloud.pulse import Pulse, read_pulse, write_pulse
from worker.dead_man import Patience, main, watch, why_end

PATIENCE = Patience(life_s=5000, start_s=900, dead_s=120, unreachable_s=600, idle_s=1800)


@pytest.mark.parametrize(
    ("pulse", "now_s", "why"),
    [
        (None, 900, ""),
        (None, 901, "no worker came"),
        (None, 5001, "has lived"),
        (Pulse(2000, 2000, 2000), 2050, ""),
        (Pulse(2000, 2000, 2000), 2121, "no sign"),
        (Pulse(2000, 1400, 2000), 2001, "not reached"),
        (Pulse(2000, 2000, 199), 2000, "no work"),
        (Pulse(2000, 2000, 201), 2000, ""),
        (Pulse(5000, 5000, 5000), 5000.5, "has lived"),
    ],
)
def test_when_the_machine_ends(pulse: Pulse | None, now_s: float, why: str) -> None:
    said = why_end(pulse, now_s, PATIENCE)
    assert why in said
    assert bool(said) is bool(why)


def test_nought_means_for_ever() -> None:
    assert why_end(None, 1e9, Patience(0, 0, 0, 0, 0)) == ""
    assert why_end(Pulse(0, 0, 0), 1e9, Patience(0, 0, 0, 0, 0)) == ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"beat_s": "x", "contact_s": 1, "busy_s": 1}'])
def test_a_sign_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pulse.json").write_text(text)
    assert read_pulse(tmp_path) is None


def test_it_looks_until_there_is_a_reason(tmp_path: Path) -> None:
    clock, ended = ManualClock(1000.0), []
    write_pulse(tmp_path, Pulse(1000, 1000, 1000))

    def look() -> int:
        return watch(tmp_path, PATIENCE, lambda why: ended.append(why) or 7, clock=clock, every_s=0.01, stop=stop)

    stop, codes = threading.Event(), []
    thread = threading.Thread(target=lambda: codes.append(look()))
    thread.start()
    time.sleep(0.1)
    assert ended == []
    clock.advance(121.0)
    thread.join(5)
    assert (codes, len(ended)) == ([7], 1)
    stop.set()
    assert look() == 0


def test_a_command_that_fails_is_told_from_one_that_works(tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--every-s", "0.01", "--life-s", "0.001", "--"]
    assert main([*words, "true"]) == 0
    assert main([*words, "false"]) == 3
    assert main([*words, str(tmp_path / "no-such-program")]) == 3


@pytest.mark.processes
def test_a_machine_whose_worker_is_killed_ends(tmp_path: Path) -> None:
    """A real worker, a real timer, and a command that leaves a note in place of `shutdown -h now`."""
    note, data = tmp_path / "ended", tmp_path / "data"
    with FakeScheduler() as fake, FakeMetadata() as metadata:
        given = {"server": fake.url, "join": JOIN_CODE, "data": data, "cache": tmp_path / "cache", "cloud": "gce"}
        given |= {"metadata_url": metadata.url, "renderers": "null"}
        environment = os.environ | {f"OUTFIELD_WORKER__{key.upper()}": str(value) for key, value in given.items()}
        worker = subprocess.Popen(
            [sys.executable, "-m", "scheduler.cli.main", "worker"], env=environment, stderr=subprocess.DEVNULL
        )
        now_s = SystemClock().uptime()
        timer = subprocess.Popen(
            [
                sys.executable, "-m", "worker.dead_man", "--data", str(data), "--every-s", "0.2",
                "--start-s", str(now_s + 60), "--dead-s", "5", "--", "touch", str(note),
            ],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 30
            while read_pulse(data) is None:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert timer.poll() is None and not note.exists()
            worker.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            _, said = timer.communicate(timeout=20)
        finally:
            for each in (worker, timer):
                each.kill()
                each.wait()
    assert note.exists()
    assert 2.0 < time.monotonic() - killed < 15.0
    assert "its worker gave no sign for 5 s" in said
