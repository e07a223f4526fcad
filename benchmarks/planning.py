"""What a tick and a `why` cost on a full farm: 10,000 jobs in the real store, 200 rules, deadlines, shares, estimates.

The tick is the running scheduler's own: load every step from the database, look around, rank, route, take over. `why`
is asked of the running service for jobs all over the queue.

    python benchmarks/planning.py [--jobs 10000] [--rules 200] [--ticks 15] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).parent))

from farms import LooseFarm
from routing import POOLS, PROJECTS, written_rules

from scheduler.bootstrap.running import calm_collector
from scheduler.domain.states import JobStatus
from scheduler.service.rulekeeping import NewRules, replace_rules
from scheduler.settings import AwsPool, PolicySettings
from scheduler.store.tables import Job, Step
from scheduler.store.transaction import Transaction

WORKERS = 40
ASKED = 100
THREAD_SWITCH_S = 0.001


def fill(farm: LooseFarm, jobs: int) -> None:
    """Jobs of one step with 24 ready tasks each, as the tables have them; no tick looks at single tasks."""
    pick, now_s = random.Random(5), farm.farm.now_s()

    def change(tx: Transaction) -> None:
        for number in range(jobs):
            project = PROJECTS[min(len(PROJECTS) - 1, int(pick.paretovariate(0.8)))]
            row = Job(
                name=f"sh{number % 400:03d}_light_v{number:05d}", status=JobStatus.QUEUED, owner=f"user{number % 60}",
                priority=pick.randrange(101), renderer="null", frames="1-24", frame_count=24, format="png",
                output=None, scene={}, settings={}, requires={"vcpus": 1, "memory_gib": pick.choice((0.0, 8.0, 32.0))},
                tracking={"project": project, "shot": f"sh{number % 400:03d}"}, extra={"night": number % 5 == 0},
                payload={}, pools=[], project=project, submitted_at=now_s - pick.randrange(80_000),
                deadline=None if number % 4 == 0 else now_s + pick.gauss(20_000, 60_000),
                tracked_priority=pick.randrange(101) if number % 3 == 0 else None,
                tracked_at=now_s if number % 3 == 0 else None, cloud=pick.choice(("allow", "prefer", "never")),
            )  # fmt: skip
            tx.session.add(row)
            tx.session.flush()
            tx.session.add(Step(job_id=row.id or 0, name="render", kind="render", ready=24))

    farm.store.write(change)


def run(jobs: int, rules: int, ticks: int) -> dict[str, Any]:
    """Milliseconds of ticks and of answers to `why`."""
    with tempfile.TemporaryDirectory() as folder:
        farm = LooseFarm(Path(folder))
        pools = {name: AwsPool(region="eu-west-1", price_usd_per_hour=0.14) for name in POOLS[1:]}
        policy = PolicySettings(shares={PROJECTS[1]: 2.0, PROJECTS[2]: 1.0})
        farm.farm.settings = farm.settings.model_copy(update={"pools": pools, "policy": policy})
        fill(farm, jobs)
        for number in range(WORKERS):
            farm.join(f"w{number}")
        text = json.dumps({"rules": written_rules(rules)})
        farm.run(replace_rules(farm.farm, NewRules(text, "json", "bench")))
        farm.run(farm.services.forecaster.run())
        told = measure(farm, ticks)
        farm.close()
    return {"jobs": jobs, "rules": rules} | told


def measure(farm: LooseFarm, ticks: int) -> dict[str, Any]:
    """A cold tick, warm ticks a second apart, and a hundred times `why`."""
    spans: list[float] = []
    for tick in range(ticks + 1):
        farm.clock.advance(1.0)
        if tick == 1:
            calm_collector()  # as the running scheduler does after its first plan
        started = time.perf_counter()
        farm.run(farm.tick.run())
        spans.append((time.perf_counter() - started) * 1000)
    numbers = [step.card.job for step in farm.farm.live.plan.steps]
    asked: list[float] = []
    for job in random.Random(1).sample(numbers, min(ASKED, len(numbers))):
        started = time.perf_counter()
        why = farm.run(asyncio.wait_for(farm.services.explainer.why_job(job), 60))
        asked.append((time.perf_counter() - started) * 1000)
        assert why["waiting"], why
    return {
        "tick_cold_ms": round(spans[0], 1),
        "tick_median_ms": round(statistics.median(spans[1:]), 1),
        "tick_worst_ms": round(max(spans[1:]), 1),
        "why_median_ms": round(statistics.median(asked), 1),
        "why_worst_ms": round(max(asked), 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--ticks", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    sys.setswitchinterval(THREAD_SWITCH_S)  # as the running scheduler does
    told = run(arguments.jobs, arguments.rules, arguments.ticks)
    if arguments.json:
        print(json.dumps(told))
        return
    for name, value in told.items():
        print(f"{name:16s} {value}")
    print("limits: a tick under 100 ms, `why` under 200 ms")


if __name__ == "__main__":
    main()
