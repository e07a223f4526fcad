"""What the variants did, side by side: waiting, turnaround, deadlines, money, utilisation. Data in, plain values out.

Printing is the command line's, drawing is `plotting`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from scheduler.simulation.outcome import JobOutcome, Outcome
from scheduler.simulation.workload import Workload

HOUR_S = 3600.0
DIGITS = 3
"""Decimal places of what is reported, so that equal runs print equal bytes on every machine."""

NO_PROJECT = "(none)"


def report(work: Workload, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything that is printed with `--json`; times in seconds, money in US dollars."""
    trace = work.trace
    return {
        "trace": {
            "name": trace.farm.name,
            "origin": trace.farm.origin,
            "jobs": len(work.jobs),
            "tasks": work.task_count,
            "workers": sum(worker.count for worker in trace.workers),
            "work_slot_s": _round(sum(sum(step.seconds) for job in work.jobs for step in job.steps)),
        },
        "variants": [variant_report(outcome) for outcome in outcomes],
    }


def variant_report(outcome: Outcome) -> dict[str, Any]:
    """One variant."""
    return {
        "variant": outcome.variant,
        "ended_s": _round(outcome.ended_s),
        "plans": outcome.plans,
        "total": _group(outcome.jobs),
        "projects": _by(outcome.jobs, lambda job: job.project or NO_PROJECT),
        "owners": _by(outcome.jobs, lambda job: job.owner or NO_PROJECT),
        "pools": [
            {
                "pool": pool.pool,
                "utilisation": _round(pool.utilisation),
                "slot_hours": _round(pool.slot_s / HOUR_S),
                "worker_hours": _round(pool.worker_s / HOUR_S),
                "workers_peak": pool.workers_peak,
                "usd": _round(pool.usd),
            }
            for pool in outcome.pools
        ],
        "usd": _round(outcome.usd),
    }


def quantile(values: Sequence[float], part: float) -> float | None:
    """The value under which this part of the values lies (nearest rank); None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(part * len(ordered)) - 1))]


def _by(jobs: Iterable[JobOutcome], key: Callable[[JobOutcome], str]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[JobOutcome]] = {}
    for job in jobs:
        groups.setdefault(key(job), []).append(job)
    return {name: _group(groups[name]) for name in sorted(groups)}


def _group(jobs: Sequence[JobOutcome]) -> dict[str, Any]:
    waits = [job.started_s - job.submitted_s for job in jobs if job.started_s is not None]
    turnarounds = [
        job.ended_s - job.submitted_s for job in jobs if job.ended_s is not None and job.status == "SUCCEEDED"
    ]
    missed = [job for job in jobs if job.missed]
    late = [late_s for job in missed if (late_s := job.late_s) is not None]
    return {
        "jobs": len(jobs),
        "succeeded": sum(1 for job in jobs if job.status == "SUCCEEDED"),
        "failed": sum(1 for job in jobs if job.status == "FAILED"),
        "canceled": sum(1 for job in jobs if job.status == "CANCELED"),
        "never_placed": sum(1 for job in jobs if job.status == "WAITING"),
        "wait_s": {"median": _round(quantile(waits, 0.5)), "p90": _round(quantile(waits, 0.9))},
        "turnaround_s": {"median": _round(quantile(turnarounds, 0.5)), "p90": _round(quantile(turnarounds, 0.9))},
        "deadlines": {
            "set": sum(1 for job in jobs if job.deadline_s is not None and job.status != "CANCELED"),
            "missed": len(missed),
            "late_s": {
                "median": _round(quantile(late, 0.5)),
                "p90": _round(quantile(late, 0.9)),
                "total": _round(sum(late)),
            },
        },
        "slot_hours": _round(sum(job.slot_s for job in jobs) / HOUR_S),
        "wasted_slot_hours": _round(sum(job.wasted_s for job in jobs) / HOUR_S),
        "usd": _round(sum(job.usd for job in jobs)),
    }


ROW_TITLES = (
    "Variant", "Project", "Jobs", "Wait", "Wait p90", "Turnaround", "T. p90", "Missed", "Late", "Late p90",
    "Slot hours", "USD",
)  # fmt: skip
POOL_TITLES = ("Variant", "Pool", "Utilisation", "Worker hours", "Peak workers", "USD")


def rows(told: Mapping[str, Any], groups: str = "projects") -> list[list[str]]:
    """The report as rows of `ROW_TITLES`, a total last for each variant; `groups` is `projects` or `owners`."""
    found: list[list[str]] = []
    for variant in told["variants"]:
        lines = [*variant[groups].items()]
        if len(lines) != 1:
            lines.append(("all", variant["total"]))
        for position, (name, group) in enumerate(lines):
            found.append([variant["variant"] if position == 0 else "", name, *_cells(group)])
    return found


def pool_rows(told: Mapping[str, Any]) -> list[list[str]]:
    """The pools of every variant as rows of `POOL_TITLES`."""
    return [
        [
            variant["variant"] if position == 0 else "",
            pool["pool"],
            f"{pool['utilisation']:.1%}",
            f"{pool['worker_hours']:,.0f}",
            str(pool["workers_peak"]),
            f"{pool['usd']:,.2f}",
        ]
        for variant in told["variants"]
        for position, pool in enumerate(variant["pools"])
    ]


def in_words(seconds: float | None) -> str:
    """`95` as `2 min`, `9000` as `2.5 h`, `200000` as `2.3 d`; nothing for None."""
    if seconds is None:
        return ""
    for unit_s, name in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit_s or (name == "min" and seconds >= unit_s):
            value = seconds / unit_s
            return f"{value:.0f} {name}" if value >= 10 or name == "min" else f"{value:.1f} {name}"
    return f"{seconds:.0f} s"


def _cells(group: Mapping[str, Any]) -> list[str]:
    deadlines = group["deadlines"]
    return [
        str(group["jobs"]),
        in_words(group["wait_s"]["median"]),
        in_words(group["wait_s"]["p90"]),
        in_words(group["turnaround_s"]["median"]),
        in_words(group["turnaround_s"]["p90"]),
        f"{deadlines['missed']} of {deadlines['set']}",
        in_words(deadlines["late_s"]["median"]),
        in_words(deadlines["late_s"]["p90"]),
        f"{group['slot_hours']:,.0f}",
        f"{group['usd']:,.2f}",
    ]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
