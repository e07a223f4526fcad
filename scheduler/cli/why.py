"""`why`: the rank of a job with its parts, its route with its reasons, why each waiting task waits, when it will be
done, and what the tracker says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from scheduler.cli.estimates import cost_fields
from scheduler.cli.jobs import JobArgument
from scheduler.cli.output import Column, Output
from scheduler.cli.session import Cli
from scheduler.cli.times import duration

POOL_COLUMNS = (Column("Pool"), Column("Allowed"), Column("Reason", wrap=True))
WAITING_COLUMNS = (Column("Tasks", right=True), Column("Why they wait", wrap=True))
FAILURE_COLUMNS = (Column("Tasks", right=True), Column("What failed", wrap=True))


def why(
    cli: Cli, job: JobArgument, task: Annotated[int | None, typer.Option(metavar="N", help="one task of it")] = None
) -> None:
    """Explain a job: its rank, where it may run, what its tasks wait for."""
    data = cli.client.get(f"/tasks/{task}/why" if task is not None else f"/jobs/{job}/why")
    if cli.output.as_json:
        return cli.output.data(data)
    explain(cli.output, data)
    return None


def explain(output: Output, data: Mapping[str, Any]) -> None:
    """Print an explanation for people."""
    rank, route = data["rank"], data["route"]
    task = data.get("task")
    output.fields(
        [
            ("job", data.get("job")),
            ("status", data.get("status")),
            ("task", f"{task['task']} {task['status']}: {task['reason']}" if task else None),
            ("site", (data.get("site") or {}).get("words")),
            ("rank", rank_line(rank)),
            ("priority", priority_line(rank, data.get("override"))),
            ("deadline", deadline_line(rank)),
            ("finish", finish_line(data.get("estimate") or {})),
            *cost_fields(data.get("cost") or {}),
            ("tracker", tracker_line(data.get("tracking") or {})),
            ("rules", ", ".join(route.get("rules") or ()) or None),
        ]
    )
    output.table(POOL_COLUMNS, [pool_row(pool) for pool in route.get("pools", [])], empty="There is no pool.")
    waiting = [(group["tasks"], group["reason"]) for group in data.get("waiting", [])]
    output.table(WAITING_COLUMNS, waiting, empty="Nothing waits.")
    failures = [(group["tasks"], group["message"]) for group in data.get("failures") or []]
    if failures:
        output.table(FAILURE_COLUMNS, failures)


def priority_line(rank: Mapping[str, Any], override: Mapping[str, Any] | None) -> str | None:
    """Whose word the priority is; nothing to say where it is the job's own."""
    if override:
        until = f" until {override['expires_at']}" if override.get("expires_at") else ""
        return f"set to {override['priority']} by {override['author']}{until}: {override['reason']}"
    return "as the tracker says" if rank.get("priority_from") == "tracker" else None


def deadline_line(rank: Mapping[str, Any]) -> str | None:
    """`2026-12-01T18:00:00Z, 2 h to spare`."""
    if not rank.get("deadline"):
        return None
    slack_s = rank.get("slack_s")
    if slack_s is None:
        return str(rank["deadline"])
    return f"{rank['deadline']}, " + (
        f"{duration(slack_s)} to spare" if slack_s >= 0 else f"late by {duration(-slack_s)}"
    )


def finish_line(estimate: Mapping[str, Any]) -> str | None:
    """When it will be done, and from what that is known."""
    if not estimate.get("finish"):
        return estimate.get("basis")
    between = f" (between {estimate['low']} and {estimate['high']})" if estimate.get("low") else ""
    return f"{estimate['finish']}{between}, from {estimate.get('basis')}"


def tracker_line(tracking: Mapping[str, Any]) -> str | None:
    """What the tracker says and how old that is; nothing where there is no tracker."""
    if tracking.get("source") in (None, "job"):
        return None
    age_s = tracking.get("age_s")
    age = f"heard {duration(age_s)} ago" if age_s is not None else "not heard yet"
    stale = ", stale" if tracking.get("stale") else ""
    error = f" ({tracking['error']})" if tracking.get("error") else ""
    return f"{tracking.get('says') or 'nothing'}; {age}{stale}{error}"


def rank_line(rank: Mapping[str, Any]) -> str:
    """`3 of 7, score 50.2 = priority 50 + age 0.2`."""
    place = f"{rank['position']}" if rank.get("position") is not None else "not in the queue"
    if rank.get("position") is not None and rank.get("of"):
        place += f" of {rank['of']}"
    parts = " + ".join(f"{name} {_short(value)}" for name, value in (rank.get("parts") or {}).items())
    return f"{place}, score {_short(rank['score'])}" + (f" = {parts}" if parts else "")


def pool_row(pool: Mapping[str, Any]) -> list[object]:
    """A pool's verdict as a row of `POOL_COLUMNS`."""
    reason = str(pool.get("reason") or "").replace("_", " ")
    detail = pool.get("detail")
    return [pool["pool"], "yes" if pool["allowed"] else "no", f"{reason}: {detail}" if detail else reason]


def _short(value: Any) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, int | float) else str(value)
