"""`estimate`, `estimates`: when a job will finish, what it costs, and why; how good such forecasts have been."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scheduler.cli.jobs import JobArgument
from scheduler.cli.output import Column, money
from scheduler.cli.session import Cli
from scheduler.cli.times import duration, parse_time
from scheduler.clock import SystemClock

STEP_COLUMNS = (
    Column("Step"),
    Column("Waiting", right=True),
    Column("Running", right=True),
    Column("A frame takes", right=True),
    Column("80 % take", right=True),
    Column("Known from", wrap=True),
)
ACCURACY_COLUMNS = (
    Column("Forecasts"),
    Column("Judged", right=True),
    Column("Median error", right=True),
    Column("Intervals that held", right=True),
)


def estimate(cli: Cli, job: JobArgument) -> None:
    """Say when a job will finish, how sure that is, and what it rests on."""
    data = cli.client.get(f"/jobs/{job}/estimate")
    if cli.output.as_json:
        return cli.output.data(data)
    if cli.output.quiet:
        return cli.output.line(data["finish"] or "")
    now = SystemClock().now()
    cli.output.fields(
        [
            ("job", f"{data['jobID']}  {data['status']}"),
            ("finish", moment(data["finish"], now)),
            ("earliest", moment(data["low"], now)),
            ("latest", moment(data["high"], now)),
            ("known from", data["basis"]),
            ("deadline", moment(data["deadline"], now)),
            ("slack", slack(data["slack_s"])),
            *cost_fields(data.get("cost") or {}),
        ]
    )
    if data["steps"]:
        cli.output.table(STEP_COLUMNS, [step_row(step) for step in data["steps"]])
    return None


def estimates(cli: Cli) -> None:
    """Say how good the forecasts of jobs that have succeeded since were."""
    data = cli.client.get("/estimates/accuracy")
    if cli.output.as_json:
        return cli.output.data(data)
    groups = [("all", data)]
    groups += [(f"{group['from']:.0%} to {group['to']:.0%} done", group) for group in data["by_share"]]
    groups += [(group["renderer"], group) for group in data["by_renderer"]]
    rows = [accuracy_row(name, group) for name, group in groups if group["count"]]
    cli.output.table(ACCURACY_COLUMNS, rows, empty="No forecast has been judged yet: no job has succeeded since.")
    return None


def step_row(step: Mapping[str, Any]) -> list[object]:
    """A step as a row of `STEP_COLUMNS`."""
    frame = step["frame"]
    between = f"{seconds(frame['low_s'])} to {seconds(frame['high_s'])}"
    return [step["kind"], step["waiting"], step["running"], seconds(frame["mid_s"]), between, frame["basis"]]


def accuracy_row(name: str, group: Mapping[str, Any]) -> list[object]:
    """A group of forecasts as a row of `ACCURACY_COLUMNS`."""
    return [name, group["count"], f"{group['median_error']:.0%}", f"{group['coverage']:.0%}"]


def cost_fields(cost: Mapping[str, Any]) -> list[tuple[str, object]]:
    """What a job costs and where, as named values; nothing of a farm that does not say."""
    if not cost:
        return []
    usd, cap = cost["usd"], cost["cost_cap_usd"]
    told = "not known" if usd is None else usd_range(usd)
    spent = f", {money(cost['spent_usd'])} of it spent" if cost["spent_usd"] and usd is not None else ""
    return [
        ("cost", f"{told}{spent}"),
        ("cost cap", None if cap is None else money(cap)),
        ("where", [share_line(share) for share in cost["pools"]]),
        ("note", cost["note"] or None),
    ]


def usd_range(usd: Mapping[str, float]) -> str:
    """`2.10 USD (1.40 to 3.20 USD)`, or one number where that is all."""
    if money(usd["low"]) == money(usd["high"]):
        return money(usd["likely"])
    return f"{money(usd['likely'])} ({usd['low']:.2f} to {money(usd['high'])})"


def share_line(share: Mapping[str, Any]) -> str:
    """`onprem: 40 tasks, 1.2 machine-hours, 0.00 USD`."""
    parts = [f"{share['tasks']:g} tasks"]
    if share["machine_hours"] is not None:
        parts.append(f"{share['machine_hours']:.2f} machine-hours")
    if share["usd"] is not None:
        parts.append(money(share["usd"]))
    return f"{share['pool']}: {', '.join(parts)}"


def moment(text: str | None, now: datetime) -> str:
    """A time to come as `in 3 h (2026-01-01 12:00)`; empty for None."""
    at = parse_time(text)
    if at is None:
        return ""
    ahead = (at - now).total_seconds()
    told = f"in {duration(ahead)}" if ahead >= 0 else f"{duration(-ahead)} ago"
    return f"{told} ({at.astimezone():%Y-%m-%d %H:%M})"


def slack(slack_s: float | None) -> str:
    """Seconds to the deadline as `3 h to spare` or `2 h late`; empty for None."""
    if slack_s is None:
        return ""
    return f"{duration(slack_s)} to spare" if slack_s >= 0 else f"{duration(-slack_s)} late"


def seconds(value: float) -> str:
    """A duration, with a decimal where it is short."""
    return f"{value:.1f} s" if value < 10 else duration(value)
