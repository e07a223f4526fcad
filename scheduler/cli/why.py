"""`why`: the rank of a job with its parts, its route with its reasons, and why each waiting task waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.cli.jobs import JobArgument
from scheduler.cli.output import Column, Output
from scheduler.cli.session import Cli

POOL_COLUMNS = (Column("Pool"), Column("Allowed"), Column("Reason", wrap=True))
WAITING_COLUMNS = (Column("Tasks", right=True), Column("Why they wait", wrap=True))
FAILURE_COLUMNS = (Column("Tasks", right=True), Column("What failed", wrap=True))


def why(cli: Cli, job: JobArgument) -> None:
    """Explain a job: its rank, where it may run, what its tasks wait for."""
    data = cli.client.get(f"/jobs/{job}/why")
    if cli.output.as_json:
        return cli.output.data(data)
    explain(cli.output, data)
    return None


def explain(output: Output, data: Mapping[str, Any]) -> None:
    """Print an explanation for people."""
    rank, route = data["rank"], data["route"]
    output.fields([("job", data.get("job")), ("status", data.get("status")), ("rank", rank_line(rank))])
    output.table(POOL_COLUMNS, [pool_row(pool) for pool in route.get("pools", [])], empty="There is no pool.")
    waiting = [(group["tasks"], group["reason"]) for group in data.get("waiting", [])]
    output.table(WAITING_COLUMNS, waiting, empty="Nothing waits.")
    failures = [(group["tasks"], group["message"]) for group in data.get("failures") or []]
    if failures:
        output.table(FAILURE_COLUMNS, failures)
    estimate = data.get("estimate") or {}
    if estimate.get("finish"):
        between = f" (between {estimate['low']} and {estimate['high']})" if estimate.get("low") else ""
        output.line(f"Expected to finish {estimate['finish']}{between}, from {estimate.get('basis')}.")


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
