"""What the Blender runner costs: 24 light frames through it, against `blender -b FILE -a` and one start per frame.

    python benchmarks/blender_overhead.py [--repeat 5] [--frames 24] [--chunk 1] [--blender PATH]

Prints wall and processor time of each and the ratios; on a machine that others use, the best times say most. The
runner counts from nothing: discovery, start, loading, `chunk` frames per task, the check of every file, end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from blend_scenes import SceneOptions, make_scenes

from scheduler.protocol.work import Lease, Scene
from worker.runners.base import Reporter, Work
from worker.runners.blender import BlenderRunner


def through_runner(program: Path, scene: Path, frames: int, chunk: int, folder: Path) -> None:
    """All frames through a fresh runner, `chunk` of them per task."""
    runner = BlenderRunner([program], folder=folder)
    reporter = Reporter(lambda _fraction, _note: None, lambda _line: None, threading.Event())
    for task, first in enumerate(range(1, frames + 1, chunk)):
        lease = Lease(
            task=task,
            attempt=1,
            secret="",
            job="00001",
            kind="render",
            renderer="blender",
            frames=list(range(first, min(first + chunk, frames + 1))),
            format="png",
            settings={},
            scene=Scene(path=str(scene)),
        )
        scratch = folder / f"task-{task}"
        scratch.mkdir()
        runner.run(Work(lease, scratch, scene, threads=os.cpu_count() or 1), reporter)
    runner.close()
    check(folder, frames)


def in_one_run(program: Path, scene: Path, frames: int, folder: Path) -> None:
    """`blender -b FILE -a`."""
    blender(program, scene, "-o", f"{folder}/####", "-s", "1", "-e", str(frames), "-a")
    check(folder, frames)


def one_start_per_frame(program: Path, scene: Path, frames: int, folder: Path) -> None:
    """`blender -b FILE -f N` for each frame, as farms without a resident process do."""
    for frame in range(1, frames + 1):
        blender(program, scene, "-o", f"{folder}/####", "-f", str(frame))
    check(folder, frames)


def blender(program: Path, scene: Path, *options: str) -> None:
    """One run of Blender itself."""
    subprocess.run([program, "-b", scene, *options], capture_output=True, check=True)


def check(folder: Path, frames: int) -> None:
    """All frames must be there, or a time means nothing."""
    found = len(list(folder.rglob("*.png")))
    assert found == frames, f"{found} of {frames} frames"


def measure(act: Callable[[Path], None]) -> tuple[float, float]:
    """Wall and processor time in seconds, the latter of this process and all its children."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), cpu_s()
        act(Path(folder))
        return time.perf_counter() - wall, cpu_s() - cpu


def cpu_s() -> float:
    """Processor time so far, of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in used)


def main() -> None:
    """Measure each way in turn and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--chunk", type=int, default=1, help="frames per task")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--blender", type=Path, default=Path(shutil.which("blender") or "blender"))
    parser.add_argument("--per-frame", action="store_true", help="measure one start per frame too")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    options = SceneOptions(width=320, height=180, samples=given.samples, end=given.frames)
    scene = make_scenes(given.blender, folder, {"scene": options})["scene"]
    ways: dict[str, Callable[[Path], None]] = {
        "one_run": lambda out: in_one_run(given.blender, scene, given.frames, out),
        "runner": lambda out: through_runner(given.blender, scene, given.frames, given.chunk, out),
    }
    if given.per_frame:
        ways["start_per_frame"] = lambda out: one_start_per_frame(given.blender, scene, given.frames, out)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(given.repeat):
        for name, act in ways.items():  # in turn, so that a busy machine is busy for all
            times[name].append(measure(act))
    shutil.rmtree(folder)
    print(json.dumps({name: summary(values, times["one_run"]) for name, values in times.items()}, indent=1))


def summary(values: list[tuple[float, float]], base: list[tuple[float, float]]) -> dict[str, float]:
    """Median and best wall time, processor time, and each in relation to one run."""
    found: dict[str, float] = {}
    for name, pick, index in (("median", statistics.median, 0), ("best", min, 0), ("cpu", statistics.median, 1)):
        value = pick(item[index] for item in values)
        found[f"{name}_s"] = round(value, 3)
        found[f"{name}_ratio"] = round(value / pick(item[index] for item in base), 3)
    return found


if __name__ == "__main__":
    main()
