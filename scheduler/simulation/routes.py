"""Routing in a replay: the farm's own router, with the facts that rules may ask for taken from the virtual farm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from scheduler.routing.facts import Facts, now_facts
from scheduler.routing.route import HOME_POOL, RouteRequest
from scheduler.routing.router import JobFacts, RouteItem, Router
from scheduler.routing.rules import EMPTY_BOOK, RuleBook
from scheduler.routing.sieve import Placement
from scheduler.routing.vocabulary import ENDLESS_S
from scheduler.simulation.fleet import Fleet
from scheduler.simulation.queueing import JobRun, StepRun

DEFAULT_ORIGIN = "2026-01-05T00:00:00+00:00"
"""Wall time of second 0 of a trace that does not say: a Monday, midnight UTC."""

MINUTE_S = 60.0
"""Rules see times that run by the minute; finer ones would only make the router forget what it knows."""


class Routes:
    """Routes whole queues under one book of rules. Rules that ask for budgets see none set."""

    def __init__(self, book: RuleBook | None, origin: str | None) -> None:
        self._router = Router(book or EMPTY_BOOK)
        self._moving = self._router.moving_paths
        self._origin = datetime.fromisoformat(origin or DEFAULT_ORIGIN)
        self._known: dict[JobRun, tuple[RouteRequest, JobFacts]] = {}

    @property
    def ask_of_home(self) -> bool:
        """Whether some rule reads when a job would end at home."""
        return any(read.pool == HOME_POOL for read in self._router.book.reads)

    @property
    def depend_on_time(self) -> bool:
        """Whether some rule reads what changes with time."""
        return any(read.fact.pace != "fixed" for read in self._router.book.reads)

    def place(
        self, steps: Sequence[StepRun], fleet: Fleet, running: Mapping[str, int], now_s: float
    ) -> list[Placement]:
        """Where these steps may run, in their order. `running` are the busy slots of each pool."""
        before, self._known = self._known, {}
        items: list[RouteItem] = []
        for step in steps:
            job = step.job
            known = before.get(job) or self._known.get(job) or _fixed(job)
            self._known[job] = known
            items.append(RouteItem(*known, self._moving_of(job, fleet, now_s) if self._moving else ()))
        shared = Facts(pools=_pool_facts(fleet, running), now=now_facts(self._origin + timedelta(seconds=now_s)))
        return self._router.place_all(items, fleet.routed(), shared)

    def _moving_of(self, job: JobRun, fleet: Fleet, now_s: float) -> list[Any]:
        """The facts that change, those that some rule reads, in the router's order."""
        has = job.deadline_s is not None
        to_go_s = _minutes(job.deadline_s - now_s) if job.deadline_s is not None else ENDLESS_S
        known: dict[str, Any] = {
            "job.priority": job.priority,
            "job.boost": job.work.line.boost,
            "job.age_s": _minutes(now_s - job.work.submitted_s),
            "job.has_deadline": has,
            "job.deadline_s": to_go_s,
            "job.deadline": self._iso(job.deadline_s) if job.deadline_s is not None else "",
        }
        if job.finish_s is not None:
            left_s = _minutes(job.finish_s - now_s)
            known |= {f"estimate.{name}": left_s for name in ("finish_s", "low_s", "high_s")}
            known |= {"estimate.known": True, "estimate.basis": "simulation"}
            for pool in fleet.pools if has else ():
                known[f"job.deadline_slack_s({pool})"] = to_go_s - left_s
        if has and not job.home_unknown:
            # As on the farm: with everything at home, so that sending a job away does not call it back.
            stays_s = -ENDLESS_S if job.home_finish_s is None else to_go_s - _minutes(job.home_finish_s - now_s)
            known[f"job.deadline_slack_s({HOME_POOL})"] = stays_s
        return [known.get(path) for path in self._moving]

    def _iso(self, at_s: float) -> str:
        return (self._origin + timedelta(seconds=at_s)).isoformat()


def _fixed(job: JobRun) -> tuple[RouteRequest, JobFacts]:
    line, needs = job.work.line, job.work.needs
    facts = {
        "id": line.job,
        "name": line.name or line.job,
        "owner": line.owner,
        "renderer": line.renderer,
        "frames": line.frame_count,
        "tasks": job.outcome.tasks,
        "cloud": line.cloud,
        "project": line.project,
        "shot": line.shot,
        "pools": line.pools,
        "requires": {
            "vcpus": needs.vcpus,
            "memory_gib": needs.memory_gib,
            "gpus": needs.gpus,
            "tags": needs.tags,
        },
        "tracking": {"project": line.project, "shot": line.shot},
    }
    return RouteRequest(needs, line.pools, line.cloud), JobFacts(facts)


def _pool_facts(fleet: Fleet, running: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {}
    for name, pool in fleet.pools.items():
        slots, busy = int(pool.there.value), running.get(name, 0)
        facts[name] = {
            "backend": pool.spec.backend or name,
            "workers": pool.workers,
            "slots": slots,
            "running": busy,
            "free": max(0, slots - busy),
            "workers_max": pool.spec.workers_max,
            "price_usd_per_hour": pool.spec.price_usd_per_hour,
        }
    return facts


def _minutes(seconds: float) -> float:
    return seconds // MINUTE_S * MINUTE_S
