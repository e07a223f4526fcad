"""How good estimates are on replayed traces, and how long a forecast of a long queue takes.

A studio of three shows is replayed on a virtual clock (tests/support/render_traces.py: lognormal frame times by show,
shot and frame, drift between iterations, outliers, machines of four powers, urgent jobs that come later); every half
hour all finish times are foretold from what has been seen so far, and judged when the jobs end.

    python benchmarks/estimates.py [--seeds 8] [--steps 10000] [--slots 500]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from render_traces import replayed

from scheduler.domain.accuracy import by_share, judge
from scheduler.domain.estimating import FrameTime
from scheduler.domain.forecasting import QueuedStep, forecast
from scheduler.domain.slots import SlotGroup

ROUNDS = 7


def forecast_ms(steps: int, slots: int, tasks: int) -> tuple[float, float]:
    """Milliseconds of one forecast of so many steps, of the processor's time and of the clock on the wall."""
    rng = random.Random(1)
    queue = []
    for number in range(steps):
        mid_s = rng.lognormvariate(5, 1)
        frame = FrameTime(mid_s, mid_s / 1.5, mid_s * 1.5, 0.3, 10, "frames", 0.2)
        queue.append(QueuedStep(number, number, 0, rng.randint(1, 2 * tasks), frame, ("home",)))
    groups = {"home": SlotGroup(slots)}
    wall, cpu = [], []
    for _round in range(ROUNDS):
        started, spent = time.perf_counter(), time.process_time()
        forecast(queue, groups, 0.0)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - spent)
    return 1000 * min(cpu), 1000 * statistics.median(wall)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=500)
    arguments = parser.parse_args()
    forecasts = []
    for seed in range(arguments.seeds):
        told = replayed(seed)
        found = judge(told)
        print(f"trace {seed}: {found.count:6d} forecasts, error {found.median_error:.1%}, held {found.coverage:.1%}")
        forecasts += told
    for (low, high), found in by_share(forecasts).items():
        share = f"{low:.0%} to {high:.0%} done"
        print(f"{share:>20}: {found.count:6d} forecasts, error {found.median_error:.1%}, held {found.coverage:.1%}")
    result = judge(forecasts)
    print(f"median error of the finish time {result.median_error:.1%} (promised: under 20 %)")
    print(f"80 % intervals that held {result.coverage:.1%} (promised: at least 75 %)")
    times = {tasks: forecast_ms(arguments.steps, arguments.slots, tasks) for tasks in (1, 10, 100, 1000)}
    for tasks, (cpu_ms, wall_ms) in times.items():
        print(
            f"forecast of {arguments.steps} steps of about {tasks} tasks on {arguments.slots} slots: "
            f"{cpu_ms:.0f} ms of the processor, {wall_ms:.0f} ms"
        )
    measured = {"median_error": result.median_error, "coverage": result.coverage, "forecast_ms": times[100][0]}
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
