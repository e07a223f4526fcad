"""`cloud ls`, `cloud reap`: what the farm has launched beyond its own machines, and what nobody wants there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.cli.times import ago, duration, parse_time
from scheduler.clock import SystemClock

COLUMNS = (
    Column("Instance"),
    Column("Pool"),
    Column("Status", status=True),
    Column("Machine"),
    Column("Place"),
    Column("Worker"),
    Column("Launched"),
    Column("Ends in", right=True),
    Column("USD/h", right=True),
    Column("USD", right=True),
    Column("Why", wrap=True),
)
REAPED_COLUMNS = (Column("Instance"), Column("Pool"), Column("Intent"), Column("Why", wrap=True))
LAUNCH_COLUMNS = (
    Column("Launch"),
    Column("Pool"),
    Column("Status", status=True),
    Column("Instances", right=True),
    Column("Reserved", right=True),
    Column("Made"),
    Column("Why", wrap=True),
)

PoolOption = Annotated[str | None, typer.Option(metavar="NAME", help="this pool only")]


def ls(
    cli: Cli,
    pool: PoolOption = None,
    every: Annotated[bool, typer.Option("--all", help="with those that are gone")] = False,
    launches: Annotated[bool, typer.Option("--launches", help="the launches instead of the instances")] = False,
) -> None:
    """List the instances that the farm has launched, with what they cost, and troubles with their providers."""
    if launches:
        return _launches(cli, pool)
    data = cli.client.get("/cloud/instances", {"pool": pool, "gone": "true" if every else None})
    if cli.output.as_json:
        return cli.output.data(data)
    now = SystemClock().now()
    cli.output.table(COLUMNS, [instance_row(row, now) for row in data["instances"]], empty="No instance is there.")
    for desk in data["pools"]:
        _tell_of(cli, desk)
    return None


def reap(
    cli: Cli,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be ended")] = False,
) -> None:
    """End instances that carry the farm's label and that nobody wants; it happens each minute by itself, too."""
    answer = cli.client.post("/cloud/reap", {"dry_run": dry_run})
    if cli.output.as_json:
        return cli.output.data(answer.data)
    rows = [[row["instance"], row["pool"], row["intent"], row["reason"]] for row in answer.data]
    cli.output.table(REAPED_COLUMNS, rows)
    cli.output.note(answer.message)
    return None


def instance_row(row: Mapping[str, Any], now: datetime) -> list[object]:
    """An instance as a row of `COLUMNS`."""
    ends_at, gone = parse_time(row["ends_at"]), row["status"] == "GONE"
    left_s = (ends_at - now).total_seconds() if ends_at is not None else 0.0
    return [
        row["instance"],
        row["pool"],
        row["status"],
        row["machine"],
        row["place"],
        row["worker"],
        ago(row["launched_at"], now),
        "" if gone else duration(max(0.0, left_s)),
        f"{row['price_usd_per_hour']:.3f}",
        f"{row['usd']:.2f}",
        row["reason"],
    ]


def _launches(cli: Cli, pool: str | None) -> None:
    data = cli.client.get("/cloud/launches", {"pool": pool})
    if cli.output.as_json:
        return cli.output.data(data)
    now = SystemClock().now()
    rows = [
        [
            row["intent"],
            row["pool"],
            row["status"],
            f"{row['expected']}/{row['count']}",
            f"{row['reserved_usd']:.2f}",
            ago(row["created_at"], now),
            row["error"] or "; ".join(row["reasons"]),
        ]
        for row in data
    ]
    cli.output.table(LAUNCH_COLUMNS, rows, empty="Nothing has been launched.")
    return None


def _tell_of(cli: Cli, desk: Mapping[str, Any]) -> None:
    """What is not well with a pool's provider, on stderr."""
    if desk["trouble"]:
        cli.output.note(f"{desk['pool']}: {desk['trouble']['message']} [{desk['trouble']['code']}]")
    if desk["strangers"]:
        names = ", ".join(one["instance"] for one in desk["strangers"])
        cli.output.note(f"{desk['pool']}: nobody ordered {names}; `outfield cloud reap` ends them (reap is off).")
