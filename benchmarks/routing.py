"""What routing a long queue costs: 10,000 jobs under 200 mixed rules, ranked and routed tick after tick.

The first tick knows nothing (cold); the later ones are a second apart, then a minute, while deadlines come nearer,
slots come and go, and priorities change. Every tick ranks all steps and routes all of them; nothing is skipped. As a
check, some routes are compared with those of `route`, which remembers nothing.

    python benchmarks/routing.py [--jobs 10000] [--rules 200] [--ticks 20] [--cpu] [--json]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from scheduler.domain import ranking
from scheduler.routing.facts import Facts, now_facts
from scheduler.routing.machines import Machine, Needs
from scheduler.routing.reading_rules import read_rules
from scheduler.routing.route import Pool, RouteRequest, route
from scheduler.routing.router import JobFacts, RouteItem, Router
from scheduler.routing.rules import RuleBook
from scheduler.routing.sieve import Placement
from scheduler.routing.vocabulary import Names

POOLS = ("onprem", "aws", "gce", "cluster", "branch")
PROJECTS = [f"Show{number:02d}" for number in range(40)]
START = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
CHECKED = 200
SLACK = "job.deadline_slack_s("


def written_rules(count: int) -> list[dict[str, Any]]:
    """Rules as studios write them: by show, slack, time of day, priority, size, owner, budget, tags."""
    pick = random.Random(7)

    def condition(number: int) -> str:
        show, hour = pick.choice(PROJECTS), pick.randrange(24)
        late = f'job.deadline_slack_s("{pick.choice(POOLS[:3])}") < {pick.randrange(-4, 9) * 1800}'
        return (
            f'job.tracking.project == "{show}"',
            f'{late} && job.cloud == "allow"',
            f'job.tracking.project == "{show}" && {late}',
            f"job.priority >= {pick.randrange(50, 100)}",
            f"now.hour >= {hour} || now.hour < {hour // 2}",
            f'job.metadata.night == true && now.time >= "{hour:02d}:30"',
            f'job.tracking.project == "{show}" && job.priority > {pick.randrange(100)} && now.weekday >= 6',
            f'job.name.startsWith("sh{number:03d}") && job.frames > {pick.randrange(200)}',
            f'job.owner in ["user{number}", "user{number + 1}"]',
            f"pools.onprem.free < {pick.randrange(40)} && job.age_s > {pick.randrange(1, 20) * 600}",
            f'budget.farm.left_usd > {pick.randrange(500)}.0 && job.renderer == "blender"',
            f'job.requires.memory_gib > {pick.choice((8, 32, 64))} && "gpu" in job.requires.tags',
        )[number % 12]

    def action(number: int) -> dict[str, Any]:
        pool = POOLS[1 + number % 4]
        return (
            {"allow": [pool]},
            {"forbid": [pool]},
            {"prefer": [pool]},
            {"cap": {"pool": pool, "slots": 1 + number % 30}},
            {"allow": [pool], "require_tags": [f"tag{number % 3}"]},
        )[number % 5]

    return [{"name": f"rule {n}", "when": condition(n), **action(n)} for n in range(count)]


class Queue:
    """A queue that moves: what the lead of a tick would know of each job."""

    def __init__(self, jobs: int) -> None:
        self.pick = random.Random(11)
        self.now_s = START.timestamp()
        self.jobs = [self._job(number) for number in range(jobs)]
        machines = [
            Machine(f"w{number}", 16, 64.0, 0, frozenset({"linux"}), {"blender": ("4.2",), "kernel": ("1",)})
            for number in range(40)
        ]
        self.pools = tuple(
            Pool(name, tuple(machines[place * 8 : place * 8 + 8]), backend, price)
            for place, (name, backend, price) in enumerate(
                zip(POOLS, ("onprem", "aws", "gce", "slurm", "site"), (0.0, 0.14, 0.2, 0.0, 0.0), strict=True)
            )
        )
        self.free = 12

    def _job(self, number: int) -> dict[str, Any]:
        pick, tags = self.pick, ("gpu",) if number % 7 == 0 else ()
        project = PROJECTS[min(len(PROJECTS) - 1, int(pick.paretovariate(0.8)))]
        needs = Needs(pick.choice(("blender", "kernel")), "", 1, pick.choice((0.0, 8.0, 32.0)), 0, tags)
        fixed = {
            "id": f"{number:05d}",
            "name": f"sh{number % 400:03d}_light_v{number:05d}",
            "owner": f"user{number % 60}",
            "renderer": needs.renderer,
            "frames": pick.randrange(1, 400),
            "cloud": pick.choice(("allow", "allow", "prefer", "never")),
            "project": project,
            "requires": {"memory_gib": needs.memory_gib, "tags": tags},
            "tracking": {"project": project, "shot": f"sh{number % 400:03d}"},
            "metadata": {"night": number % 5 == 0},
        }
        cloud = str(fixed["cloud"])
        deadline_s = None if number % 4 == 0 else self.now_s + pick.gauss(20_000, 60_000)
        left_s = pick.lognormvariate(8, 1.5)
        return {
            "step": number,
            "item": RouteItem(RouteRequest(needs, (), cloud), JobFacts(fixed)),
            "priority": pick.randrange(101),
            "submitted_s": self.now_s - pick.randrange(80_000),
            "spare_s": None if deadline_s is None else deadline_s - left_s,
        }

    def advance(self, seconds: float) -> None:
        """Time passes, a few slots come and go, a few priorities change, a few jobs end and others come."""
        self.now_s += seconds
        self.free = max(0, self.free + self.pick.randrange(-3, 4))
        for job in self.pick.sample(self.jobs, len(self.jobs) // 500):
            job["priority"] = self.pick.randrange(101)
        for place in self.pick.sample(range(len(self.jobs)), len(self.jobs) // 500):
            self.jobs[place] = self._job(self.jobs[place]["step"])

    def shared(self) -> Facts:
        """What is the same for all jobs."""
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now_s)).astimezone(ZONE)
        pools = {"onprem": {"free": self.free, "workers": 8}}
        return Facts(pools=pools, budget={"farm": {"left_usd": 250.0}}, now=now_facts(local))

    def items(self) -> list[RouteItem]:
        """The queue as the router takes it."""
        return [job["item"] for job in self.jobs]

    def moving(self, paths: tuple[str, ...]) -> dict[str, Any]:
        """What moves, a column for each path that some rule reads."""
        columns: dict[str, Any] = {}
        spare_s = np.array([job["spare_s"] for job in self.jobs], dtype=float) - self.now_s
        for path in paths:
            if path == "job.priority":
                columns[path] = [job["priority"] for job in self.jobs]
            elif path == "job.age_s":
                columns[path] = self.now_s - np.array([job["submitted_s"] for job in self.jobs], dtype=float)
            else:
                columns[path] = spare_s
        return columns

    def ranked(self) -> list[Any]:
        """All steps in their order."""
        steps = [ranking.RankInput(j["step"], j["step"], j["priority"], j["submitted_s"], 0) for j in self.jobs]
        policy = getattr(ranking, "Policy", None)
        if policy is None:
            return ranking.rank(steps, self.now_s)
        return ranking.rank(steps, policy(), {}, self.now_s)


def check(queue: Queue, router: Router, placements: list[Placement]) -> None:
    """The router's choice is that of `route`, which remembers nothing."""
    items, moving, shared = queue.items(), queue.moving(router.moving_paths), queue.shared()
    for place in random.Random(3).sample(range(len(items)), min(CHECKED, len(items))):
        item = items[place]
        row = {path: float(column[place]) for path, column in moving.items()}
        slack_s = {path[len(SLACK) : -1]: v for path, v in row.items() if path.startswith(SLACK) and not np.isnan(v)}
        job = {**item.job.facts.job, "priority": row["job.priority"], "age_s": row["job.age_s"]}
        facts = Facts(job=job, pools=shared.pools, budget=shared.budget, now=shared.now, slack_s=slack_s)
        told = route(item.request, queue.pools, router.book, facts)
        assert Placement(told.chosen, told.needs, told.caps) == placements[place], (place, told, placements[place])


def run(jobs: int, rules: int, ticks: int, clock: Callable[[], float]) -> dict[str, Any]:
    """Milliseconds of each part of each tick."""
    names = Names(frozenset(POOLS), frozenset({"farm"}))
    book = RuleBook(1, read_rules(json.dumps({"rules": written_rules(rules)}), "json", names))
    router, queue = Router(book), Queue(jobs)
    told: dict[str, list[float]] = {"rank_ms": [], "facts_ms": [], "route_ms": [], "tick_ms": []}
    gc.collect()
    gc.freeze()
    for tick in range(ticks + 1):
        if tick:
            queue.advance(1.0 if tick <= ticks // 2 else 61.0)
        times = [clock()]
        queue.ranked()
        times.append(clock())
        items, moving, shared = queue.items(), queue.moving(router.moving_paths), queue.shared()
        times.append(clock())
        placements = router.place_all(items, queue.pools, shared, moving)
        times.append(clock())
        for name, start, end in zip(told, (*times[:3], times[0]), (*times[1:], times[3]), strict=True):
            told[name].append((end - start) * 1000)
        check(queue, router, placements)
        if not tick:
            gc.freeze()  # what the first tick has learned stays; later collections need not look at it again
    return {
        "jobs": jobs,
        "rules": rules,
        "cold": {name: round(values[0], 1) for name, values in told.items()},
        "warm_median": {name: round(statistics.median(values[1:]), 1) for name, values in told.items()},
        "warm_worst": {name: round(max(values[1:]), 1) for name, values in told.items()},
        "troubles": len(router.troubles),
    }


def main() -> int:
    """Print the figures; exits with 1 if a later tick took 100 ms or more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--ticks", type=int, default=20)
    parser.add_argument("--cpu", action="store_true", help="processor time, where others use the machine too")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    told = run(wanted.jobs, wanted.rules, wanted.ticks, time.process_time if wanted.cpu else time.perf_counter)
    if wanted.json:
        print(json.dumps(told))
    else:
        print(f"{told['jobs']} jobs, {told['rules']} rules; milliseconds of a whole rank-and-route tick")
        for row in ("cold", "warm_median", "warm_worst"):
            print(f"  {row:12}", "  ".join(f"{name} {value:7.1f}" for name, value in told[row].items()))
    return int(told["warm_median"]["tick_ms"] >= 100)


if __name__ == "__main__":
    sys.exit(main())
