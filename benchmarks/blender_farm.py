"""What the farm costs: 24 light frames through one worker, against `blender -b FILE -a` and one Blender per frame.

The farm is up and its worker is idle and has no Blender open: the time counts from `POST /new_job` to the job's
SUCCEEDED, with every frame verified and at its path. All three take turns in one run.

    python benchmarks/blender_farm.py [--rounds 3] [--blender PATH]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from blend_scenes import SceneOptions, make_scenes
from running_farm import RunningFarm

FRAMES = 24


def blender_animation(blender: str, scene: Path, folder: Path) -> float:
    """Seconds of one Blender for the whole animation."""
    started = time.perf_counter()
    command = [blender, "-b", str(scene), "-o", f"{folder}/a_####", "-s", "1", "-e", str(FRAMES), "-a"]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def blender_per_frame(blender: str, scene: Path, folder: Path) -> float:
    """Seconds of one Blender start for each frame."""
    started = time.perf_counter()
    for frame in range(1, FRAMES + 1):
        command = [blender, "-b", str(scene), "-o", f"{folder}/f_####", "-f", str(frame)]
        subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def farm_job(farm: RunningFarm, scene: Path, folder: Path) -> float:
    """Seconds from the submission to SUCCEEDED."""
    # A copy of the scene, so that no Blender has it open from the round before.
    own = folder / f"scene{time.monotonic_ns()}.blend"
    shutil.copy(scene, own)
    started = time.perf_counter()
    output = str(folder / f"farm{own.stem}" / "####.png")
    job = farm.submit(scene=str(own), frames=f"1-{FRAMES}", output=output, format="png")
    wait_for(farm, job)
    return time.perf_counter() - started


def wait_for(farm: RunningFarm, job: str) -> None:
    """Wait for the job by the event stream: asking again and again would be a load of its own."""
    with farm.client.stream("GET", "/events", params={"job": job}, headers={"Last-Event-ID": "0"}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and '"SUCCEEDED"' in line:
                return
            if line.startswith("data:") and '"FAILED"' in line:
                raise RuntimeError(line)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blender", default=shutil.which("blender"))
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {"blender -a": [], "farm": [], "blender per frame": []}
    with tempfile.TemporaryDirectory(prefix="outfield-bench-") as name:
        folder = Path(name)
        options = SceneOptions(width=320, height=180, samples=4, end=FRAMES)
        scene = make_scenes(Path(arguments.blender), folder, {"light": options})["light"]
        farm = RunningFarm(folder / "data", workers=1, flags=("--output-root", name), environment=dict(os.environ))
        farm.succeed(farm.submit(renderer="null"))
        for number in range(arguments.rounds):
            times["blender -a"].append(blender_animation(arguments.blender, scene, folder))
            times["farm"].append(farm_job(farm, scene, folder))
            if number == 0:
                times["blender per frame"].append(blender_per_frame(arguments.blender, scene, folder))
        farm.stop()
    medians = {key: statistics.median(values) for key, values in times.items()}
    for key, values in times.items():
        print(f"{key:18s} median {medians[key]:6.2f} s   all {[round(value, 2) for value in values]}")
    # Round by round, because the machine's speed drifts more between rounds than the farm costs.
    ratios = [farm / plain for farm, plain in zip(times["farm"], times["blender -a"], strict=True)]
    shown = [round(ratio, 3) for ratio in ratios]
    print(f"farm / blender -a, round by round: median {statistics.median(ratios):.3f} (at most 1.10)   all {shown}")
    print(f"farm / one Blender per frame: {medians['farm'] / medians['blender per frame']:.3f} (at most 0.5)")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
