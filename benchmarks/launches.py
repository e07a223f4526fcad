"""What it takes to decide on a launch: look at every budget and reserve, with a month of instances behind it.

python benchmarks/launches.py [--instances 10000] [--launches 30] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from rented_farm import POOL, RentedFarm

from scheduler.domain.scaling import Scaling
from scheduler.store.instances import CloudInstance, LaunchIntent
from scheduler.store.transaction import Transaction

PER_INTENT = 10
TERMS = {"price_usd_per_hour": 3.6, "billing_s": 1.0, "life_s": 3600.0}
SHARES = {"Alpha": 0.5, "Beta": 0.5}
BUDGETS = {"farm": {"usd": 1e6, "period": "total"}, "Alpha": {"usd": 1e5, "period": "month"}}


def fill(farm: RentedFarm, instances: int) -> None:
    """Instances that are gone, ten of each launch, paid by two projects."""
    now_s = farm.farm.now_s()

    def change(tx: Transaction) -> None:
        for number in range(instances // PER_INTENT):
            intent = f"gone-{number}"
            tx.session.add(
                LaunchIntent(id=intent, pool=POOL, status="GONE", count=PER_INTENT, expected=PER_INTENT, settled=True,
                             reserved_usd=0.0, shares=SHARES, reasons=[], created_at=now_s, **TERMS)
            )  # fmt: skip
            for place in range(PER_INTENT):
                tx.session.add(
                    CloudInstance(pool=POOL, id=f"{intent}-{place}", intent=intent, status="GONE", launched_at=now_s,
                                  ended_at=now_s + 1000.0, usd=1.0, **TERMS)
                )  # fmt: skip

    farm.store.write(change)
    farm.clock.advance(2000.0)


def measure(farm: RentedFarm, launches: int) -> list[float]:
    """Seconds of each decision, from the call until intent and reservation are on disk."""
    took: list[float] = []
    for _launch in range(launches):
        started_s = time.perf_counter()
        done = farm.run(farm.launcher.apply(POOL, Scaling(POOL, 1, (), ("measured",))))
        took.append(time.perf_counter() - started_s)
        assert done.intent is not None, done
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--launches", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        farm = RentedFarm(Path(folder), budgets=BUDGETS)
        farm.start()
        fill(farm, options.instances)
        took = measure(farm, options.launches)
        farm.run(farm.launcher.idle())
        farm.close()
    found = {
        "instances": options.instances,
        "median_ms": round(statistics.median(took) * 1000, 1),
        "worst_ms": round(max(took) * 1000, 1),
    }
    print(json.dumps(found) if options.json else f"{options.instances} instances behind it: a launch is decided and "
          f"reserved in {found['median_ms']:.0f} ms (median), {found['worst_ms']:.0f} ms (worst)")  # fmt: skip


if __name__ == "__main__":
    main()
