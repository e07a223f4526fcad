"""Ambient occlusion against the plain C program beside this file: `python benchmarks/ao.py`.

Prints the ratios and the mean values as JSON and fails if a gate is missed: one thread at least 20 times as fast as C,
two threads at least 1.8 times as fast as one, means equal within 0.002. Absolute times drift with the machine's load,
so runs alternate (A B A B) and medians are compared. Threads are compared by their quickest runs, because on two cores
a third process (see `load_1min`) takes from two threads what one thread would not miss; they still need an idle moment.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from worker.runners.kernel.bench import bench_ao

SOURCE = Path(__file__).with_name("ao_reference.c")
COMPILE = ("gcc", "-O3", "-march=native", "-ffast-math")

SPEEDUP_MIN = 20.0
TWO_THREADS_MIN = 1.8
MEAN_DIFFERENCE_MAX = 0.002


def build_reference(folder: Path) -> Path:
    """Compiles the C program."""
    program = folder / "ao_reference"
    subprocess.run([*COMPILE, str(SOURCE), "-o", str(program), "-lm"], check=True)
    return program


def run_reference(program: Path, size: int, subsamples: int, ao_samples: int, repeat: int) -> dict[str, Any]:
    """One run of the C program: wall times in ms and the image's mean."""
    numbers = [str(n) for n in (size, subsamples, ao_samples, repeat)]
    return json.loads(subprocess.run([str(program), *numbers], check=True, capture_output=True).stdout)


def compare(size: int, subsamples: int, ao_samples: int, rounds: int) -> dict[str, Any]:
    """Alternates C, one thread and two threads `rounds` times; medians in ms, ratios, means."""
    times: dict[str, list[float]] = {"c": [], "t1": [], "t2": []}
    means: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        program = build_reference(Path(folder))
        for _ in range(rounds):
            runs = {
                "c": run_reference(program, size, subsamples, ao_samples, 2),
                "t1": bench_ao(size, subsamples, ao_samples, threads=1, repeat=9),
                "t2": bench_ao(size, subsamples, ao_samples, threads=2, repeat=9),
            }
            for name, run in runs.items():
                times[name] += run["ms"]
                means[name] = run["mean"]
    median = {name: statistics.median(ms) for name, ms in times.items()}
    return {
        "ms": {name: round(ms, 2) for name, ms in median.items()},
        "c_over_t1": round(median["c"] / median["t1"], 1),
        "t1_over_t2": round(min(times["t1"]) / min(times["t2"]), 2),
        "mean": {name: round(mean, 5) for name, mean in means.items()},
        "load_1min": round(os.getloadavg()[0], 1),
        "mean_difference": round(abs(means["t1"] - means["c"]), 5),
    }


def missed(result: dict[str, Any]) -> list[str]:
    """The gates that a result misses."""
    gates = {
        f"one thread is {result['c_over_t1']} times C, not {SPEEDUP_MIN}": result["c_over_t1"] >= SPEEDUP_MIN,
        f"two threads are {result['t1_over_t2']} times one, not {TWO_THREADS_MIN}": result["t1_over_t2"]
        >= TWO_THREADS_MIN,
        f"means differ by {result['mean_difference']}": result["mean_difference"] <= MEAN_DIFFERENCE_MAX,
    }
    return [text for text, passed in gates.items() if not passed]


def main() -> int:
    """Runs the comparison; 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--subsamples", type=int, default=2)
    parser.add_argument("--ao-samples", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    result = compare(args.size, args.subsamples, args.ao_samples, args.rounds)
    print(json.dumps(result))
    for fault in missed(result):
        print(f"missed: {fault}", file=sys.stderr)
    return 1 if missed(result) else 0


if __name__ == "__main__":
    sys.exit(main())
