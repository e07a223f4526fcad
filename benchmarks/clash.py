"""Two shows whose deliveries clash in a simulated month: what naive earliest-deadline-first does to the later one, and
what shares do. One show alone is replayed beside it: there the farm's formula must be plain priority order.

    python benchmarks/clash.py [--seeds 5] [--workers 50] [--days 30] [--json] [--plot OUT.png]

Prints, for each seed and in sum, the deadlines that each show missed under both orders, and the margin.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from scheduler.simulation.engine import simulate
from scheduler.simulation.generating import SHOW_NAMES, MonthSpec, generate
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.planner import Variant
from scheduler.simulation.plotting import plot
from scheduler.simulation.variants import read_ordering
from scheduler.simulation.workload import prepare

EARLIER, LATER = SHOW_NAMES[:2]
NAIVE, SHARED = "edf", f"shares.{EARLIER}=1,shares.{LATER}=1"


def missed(outcome: Outcome, project: str) -> int:
    """Deadlines that a project has missed."""
    return sum(1 for job in outcome.jobs if job.missed and job.project == project)


def late_hours(outcome: Outcome, project: str) -> float:
    """Hours by which a project's jobs were late, all together."""
    return sum(max(0.0, job.late_s or 0.0) for job in outcome.jobs if job.project == project) / 3600


def clash(spec: MonthSpec) -> tuple[dict[str, Any], list[Outcome], str | None]:
    """One month under both orders."""
    work = prepare(generate(spec))
    outcomes = [simulate(work, Variant(name, read_ordering(name))) for name in (NAIVE, SHARED)]
    told: dict[str, Any] = {"seed": spec.seed, "jobs": len(work.jobs), "tasks": work.task_count}
    for name, outcome in zip(("edf", "shares"), outcomes, strict=True):
        told[name] = {show: missed(outcome, show) for show in (EARLIER, LATER)}
        told[name] |= {f"{show} late h": round(late_hours(outcome, show)) for show in (EARLIER, LATER)}
    return told, outcomes, work.trace.farm.origin


def one_show(spec: MonthSpec) -> bool:
    """Whether the order of first leases is the same under the farm's formula and under plain priority."""
    work = prepare(generate(spec))
    formula, plain = (simulate(work, Variant(name, read_ordering(name))) for name in ("default", "priority"))
    return formula.started == plain.started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path)
    wanted = parser.parse_args()
    rows: list[dict[str, Any]] = []
    started_s = time.perf_counter()
    for seed in range(1, wanted.seeds + 1):
        told, outcomes, origin = clash(MonthSpec(days=wanted.days, seed=seed, workers=wanted.workers))
        rows.append(told)
        if wanted.plot and seed == 1:
            plot(wanted.plot, outcomes, origin)
    naive, shared = (sum(row[name][LATER] for row in rows) for name in ("edf", "shares"))
    both = [sum(row[name][EARLIER] + row[name][LATER] for row in rows) for name in ("edf", "shares")]
    alone = one_show(MonthSpec(shows=1, days=wanted.days, seed=1, workers=wanted.workers, deadlines=0))
    result = {
        "runs": rows,
        "later_missed_edf": naive,
        "later_missed_shares": shared,
        "later_margin": round(1 - shared / naive, 4) if naive else None,
        "all_missed_edf": both[0],
        "all_missed_shares": both[1],
        "one_show_is_priority_order": alone,
        "seconds": round(time.perf_counter() - started_s, 1),
    }
    if wanted.json:
        print(json.dumps(result))
        return
    for row in rows:
        edf, shares = row["edf"], row["shares"]
        print(
            f"seed {row['seed']}: {row['jobs']} jobs, {row['tasks']} tasks; missed {EARLIER} {edf[EARLIER]} → "
            f"{shares[EARLIER]}, {LATER} {edf[LATER]} → {shares[LATER]}; "
            f"{LATER} late {edf[f'{LATER} late h']} → {shares[f'{LATER} late h']} h"
        )
    print(f"{LATER}, the later show, misses {naive} deadlines under edf and {shared} with shares:", end=" ")
    print(f"{result['later_margin']:.1%} fewer; both shows together {both[0]} and {both[1]}")
    print(f"one show: the formula leases in plain priority order: {'yes' if alone else 'NO'}")


if __name__ == "__main__":
    main()
