"""A studio's quarter with rented machines: `deadline` against `twostate`, `demand` and no burst, misses and money side
by side, and against what nobody could have done for less knowing everything (`scheduler.simulation.hindsight`).

    python benchmarks/bursts.py [--seeds 5] [--workers 12] [--cloud 36] [--processes 2] [--json] [--plot OUT.png]

Two shows; every job may leave the house. Machines in the cloud boot for three minutes, fetch scenes for one, are paid
for by the second, and 5 % of them are taken back within an hour. Frame times are not known beforehand: forecasts are
off by a lognormal error by job (log-sd 0.25) that shrinks as the job's frames are done. Seeds are printed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from scheduler.domain.estimating import FrameTime
from scheduler.domain.scaling import Policy
from scheduler.routing.reading_rules import read_book
from scheduler.simulation.engine import simulate
from scheduler.simulation.foresight import TrueTimes
from scheduler.simulation.generating import MonthSpec, generate
from scheduler.simulation.hindsight import least_rent, least_rent_of
from scheduler.simulation.options import Options
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.planner import Variant
from scheduler.simulation.plotting import plot
from scheduler.simulation.queueing import StepRun
from scheduler.simulation.traces import Trace
from scheduler.simulation.workload import Workload, prepare

POLICIES = (Policy.NONE, Policy.TWOSTATE, Policy.DEMAND, Policy.DEADLINE)
OPEN = read_book('[[rules]]\nname = "every job may leave"\nallow = ["cloud"]\n', "toml", 1)
LOSS_PER_HOUR, TRANSFER_S = 0.05, 60.0
GUESS_SD, SEEN_SD = 0.25, 0.5
"""Log-sd of what is believed of a job that nobody has seen, and of one frame that tells of it."""


class Guesses:
    """Frame times as an estimator would tell them: off by an error of each job's own, less as more frames are done."""

    def __init__(self, seed: int) -> None:
        self._seed, self._true, self._errors = seed, TrueTimes(), dict[int, float]()

    def time_of(self, step: StepRun) -> FrameTime:
        """The true time, off by what is not known yet."""
        true, job = self._true.time_of(step), step.job.index
        error = self._errors.get(job)
        if error is None:
            error = self._errors[job] = random.Random(f"{self._seed}:{job}:guess").gauss(0.0, 1.0)
        done = len(step.work.seconds) - step.left
        doubt = (GUESS_SD**-2 + done / SEEN_SD**2) ** -0.5
        off = math.exp(error * doubt)
        return FrameTime(true.mid_s * off, true.low_s * off, true.high_s * off, true.spread, done, "a guess", doubt)


def quarter(spec: MonthSpec) -> Workload:
    """The trace, with a cloud that takes machines back."""
    trace = generate(spec)
    pools = tuple(
        msgspec.structs.replace(pool, loss_per_hour=LOSS_PER_HOUR, transfer_s=TRANSFER_S) if pool.workers_max else pool
        for pool in trace.farm.pools
    )
    return prepare(Trace(msgspec.structs.replace(trace.farm, pools=pools), trace.workers, trace.jobs))


def told(outcome: Outcome) -> dict[str, Any]:
    """What counts of a run."""
    cloud = next(pool for pool in outcome.pools if pool.pool == "cloud")
    missed = [job for job in outcome.jobs if job.missed]
    return {
        "missed": len(missed),
        "late_hours": round(sum(max(0.0, job.late_s or 0.0) for job in missed) / 3600, 1),
        "usd": round(outcome.usd, 2),
        "worker_hours": round(cloud.worker_s / 3600),
        "utilisation": round(cloud.utilisation, 3),
        "launched": cloud.launched,
        "lost": cloud.lost,
        "peak": cloud.workers_peak,
    }


def replay(spec: MonthSpec, policy: Policy) -> tuple[MonthSpec, Policy, dict[str, Any], Outcome]:
    """One quarter under one policy."""
    started_s = time.perf_counter()
    work = quarter(spec)
    options = Options(seed=spec.seed, estimator=Guesses(spec.seed))
    outcome = simulate(work, Variant(policy.value, book=OPEN, autoscale=policy), options)
    row = told(outcome) | {"jobs": len(work.jobs), "tasks": work.task_count}
    row["bound_usd"] = round(least_rent_of(work, outcome).usd, 2)
    row["bound_all_usd"] = round(least_rent(work, lambda _job: True).usd, 2)
    row["seconds"] = round(time.perf_counter() - started_s, 1)
    return spec, policy, row, outcome


def summed(rows: list[dict[str, Any]], policy: str) -> dict[str, float]:
    """A policy over all seeds."""
    mine = [row[policy] for row in rows]
    return {key: round(sum(row[key] for row in mine), 2) for key in ("missed", "late_hours", "usd", "bound_usd")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--workers", type=int, default=12)
    parser.add_argument("--cloud", type=int, default=36)
    parser.add_argument("--load", type=float, default=0.6)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    wanted = parser.parse_args()
    specs = [
        MonthSpec(
            days=wanted.days,
            seed=seed,
            workers=wanted.workers,
            load=wanted.load,
            cloud_workers=wanted.cloud,
            clash_days=5,
        )
        for seed in range(wanted.first, wanted.first + wanted.seeds)
    ]
    found: dict[int, dict[str, Any]] = {spec.seed: {"seed": spec.seed} for spec in specs}
    drawn: dict[str, Outcome] = {}
    with ProcessPoolExecutor(wanted.processes) as pool:
        runs = [pool.submit(replay, spec, policy) for spec in specs for policy in POLICIES]
        for run in runs:
            spec, policy, row, outcome = run.result()
            found[spec.seed][policy.value] = row
            if spec == specs[0]:
                drawn[policy.value] = outcome
            if not wanted.json:
                show(spec.seed, policy, row)
    rows = list(found.values())
    totals = {policy.value: summed(rows, policy.value) for policy in POLICIES}
    if wanted.plot:
        plot(wanted.plot, list(drawn.values()), generate(specs[0]).farm.origin)
    if wanted.json:
        print(json.dumps({"runs": rows, "totals": totals}))
        return
    conclude(totals, sum(row["none"]["jobs"] for row in rows))


def show(seed: int, policy: Policy, row: dict[str, Any]) -> None:
    """One run as a line."""
    print(
        f"seed {seed}  {policy.value:9s} missed {row['missed']:4d} of {row['jobs']}, {row['late_hours']:7.1f} h late; "
        f"USD {row['usd']:9.2f} ({row['worker_hours']} worker hours, {row['utilisation']:.0%} used, "
        f"{row['launched']} launched, {row['lost']} taken back, peak {row['peak']}); "
        f"at least {row['bound_usd']:.2f} for the same dates, {row['bound_all_usd']:.2f} for all",
        flush=True,
    )


def conclude(totals: dict[str, dict[str, float]], jobs: int) -> None:
    """The sums, side by side, and the target."""
    for name, row in totals.items():
        print(
            f"all     {name:9s} missed {row['missed']:4.0f} of {jobs}, {row['late_hours']:8.1f} h late in all; "
            f"USD {row['usd']:9.2f}; at least {row['bound_usd']:.2f} for the same dates"
        )
    deadline, demand = totals["deadline"], totals["demand"]
    part = deadline["usd"] / demand["usd"] if demand["usd"] else 0.0
    held = deadline["missed"] <= demand["missed"] and part < 0.6
    print(
        f"deadline costs {part:.1%} of demand and misses {deadline['missed']:.0f} against {demand['missed']:.0f}; "
        f"{deadline['usd'] / max(0.01, deadline['bound_usd']):.2f} times what hindsight would need for the same dates. "
        f"Target (no more misses, under 60 % of the cost): {'met' if held else 'NOT MET'}"
    )


if __name__ == "__main__":
    main()
