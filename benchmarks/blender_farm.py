"""What the farm costs: 24 light frames through one worker, against `blender -b FILE -a` and one Blender per frame.

Two farms take part: one as it comes, whose idle worker has an empty Blender standing by once it has rendered with one,
and one without (`OUTFIELD_BLENDER__SPARE=0`), which starts Blender for the job. Neither has the scene open. The time
counts from `POST /new_job` to the job's SUCCEEDED, every frame verified and at its path. All take turns in one run.

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
SETTLE_S = 5.0
"""After a job, the worker's next Blender starts; it must not take time from whoever has its turn."""

PLAIN, STANDBY, COLD, PER_FRAME = "blender -a", "farm", "farm, no standby", "blender per frame"


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


def start_farm(data: Path, root: Path, scene: Path, *, standby: bool) -> RunningFarm:
    """A farm with one worker that has rendered with Blender before."""
    environment = {**os.environ, "OUTFIELD_BLENDER__SPARE": str(int(standby))}
    farm = RunningFarm(data, workers=1, flags=("--output-root", str(root)), environment=environment)
    farm.succeed(farm.submit(scene=str(scene), frames="1"))
    return farm


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blender", default=shutil.which("blender"))
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {PLAIN: [], STANDBY: [], COLD: [], PER_FRAME: []}
    with tempfile.TemporaryDirectory(prefix="outfield-bench-") as name:
        folder = Path(name)
        options = SceneOptions(width=320, height=180, samples=4, end=FRAMES)
        scene = make_scenes(Path(arguments.blender), folder, {"light": options})["light"]
        farms = {
            STANDBY: start_farm(folder / "a", folder, scene, standby=True),
            COLD: start_farm(folder / "b", folder, scene, standby=False),
        }
        for number in range(arguments.rounds):
            time.sleep(SETTLE_S)
            times[PLAIN].append(blender_animation(arguments.blender, scene, folder))
            for key, farm in farms.items():
                times[key].append(farm_job(farm, scene, folder))
            if number == 0:
                times[PER_FRAME].append(blender_per_frame(arguments.blender, scene, folder))
        for farm in farms.values():
            farm.stop()
    report(times)


def report(times: dict[str, list[float]]) -> None:
    """Print the times and the ratios."""
    medians = {key: statistics.median(values) for key, values in times.items()}
    for key, values in times.items():
        print(f"{key:18s} median {medians[key]:6.2f} s   all {[round(value, 2) for value in values]}")
    for key in (STANDBY, COLD):
        # Round by round, because the machine's speed drifts more between rounds than the farm costs.
        ratios = [farm / plain for farm, plain in zip(times[key], times[PLAIN], strict=True)]
        shown = [round(ratio, 3) for ratio in ratios]
        print(f"{key} / {PLAIN}, round by round: median {statistics.median(ratios):.3f} (at most 1.10)   all {shown}")
        print(f"{key} / {PER_FRAME}: {medians[key] / medians[PER_FRAME]:.3f} (at most 0.5)")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
