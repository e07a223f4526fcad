"""`cloud plan`: how many workers each pool would be given now, why, what that costs, and which jobs need them."""

from __future__ import annotations

from typing import Any

from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.cli.times import duration, parse_time
from scheduler.clock import SystemClock

POOL_COLUMNS = (
    Column("Pool"),
    Column("Policy"),
    Column("Now", right=True),
    Column("Wanted", right=True),
    Column("Change"),
    Column("USD/h", right=True),
    Column("Then", right=True),
    Column("Why", wrap=True),
)
JOB_COLUMNS = (
    Column("Job"),
    Column("Pool"),
    Column("Stage"),
    Column("Work", right=True),
    Column("Starts in", right=True),
    Column("Why", wrap=True),
)


def plan(cli: Cli) -> None:
    """Say how many workers each pool would be given now, why, and which jobs need them.

    Changes nothing.
    """
    found = cli.client.get("/cloud/plan")
    if cli.output.as_json:
        return cli.output.data(found)
    cli.output.table(
        POOL_COLUMNS, [pool_row(pool) for pool in found["pools"]], empty="No pool of this farm is scaled (autoscale)."
    )
    if found["jobs"]:
        now_s = SystemClock().now().timestamp()
        cli.output.line("")
        cli.output.table(JOB_COLUMNS, [job_row(job, now_s) for job in found["jobs"]])
    return None


def pool_row(pool: dict[str, Any]) -> list[object]:
    """One pool."""
    workers, wanted = pool["workers"], pool["wanted"]
    now = str(workers["present"]) + (f" ({workers['starting']} starting)" if workers["starting"] else "")
    return [
        pool["pool"],
        pool["autoscale"],
        now,
        "" if wanted is None else wanted,
        change(pool),
        f"{pool['usd_per_hour']:.2f}",
        f"{pool['usd_per_hour_wanted']:.2f}",
        "; ".join(pool["reasons"]),
    ]


def change(pool: dict[str, Any]) -> str:
    """`+3`, `-2`, or nothing."""
    if pool["launch"]:
        return f"+{pool['launch']}"
    return f"-{len(pool['retire'])}" if pool["retire"] else ""


def job_row(job: dict[str, Any], now_s: float) -> list[object]:
    """One job that would be late at home."""
    starts = parse_time(job["starts_at"]) if job["starts_at"] else None
    return [
        job["jobID"],
        job["pool"],
        job["stage"],
        f"{job['work_hours']:.1f} h" if job["work_hours"] >= 1 else duration(job["work_hours"] * 3600),
        "" if starts is None else duration(max(0.0, starts.timestamp() - now_s)),
        job["reason"],
    ]
