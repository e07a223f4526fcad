"""`budget`: what may be spent, what was, what is reserved; and what jobs, shots and shows have cost."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from scheduler.cli.output import Column
from scheduler.cli.session import Cli

COLUMNS = (
    Column("Budget"),
    Column("USD", right=True),
    Column("Period"),
    Column("Spent", right=True),
    Column("Reserved", right=True),
    Column("Free", right=True),
    Column("Used", right=True),
    Column("USD/h now", right=True),
    Column("Forecast", right=True),
    Column("Gone at"),
    Column("At the cap"),
)
COST_COLUMNS = (
    Column("Of"),
    Column("USD", right=True),
    Column("Without result", right=True),
    Column("Core-hours", right=True),
    Column("Attempts", right=True),
    Column("Without result", right=True),
)


class CostsBy(StrEnum):
    """What costs can be summed by."""

    POOL = "pool"
    SHOW = "show"
    SHOT = "shot"
    JOB = "job"
    ATTEMPT = "attempt"


def budget(
    cli: Cli,
    by: Annotated[CostsBy | None, typer.Option(help="what work has cost instead, summed by this")] = None,
    job: Annotated[str | None, typer.Option(metavar="ID", help="the costs of this job")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="costs from then on, e.g. 2026-01-31")] = None,
) -> None:
    """Show the budgets with what is spent, reserved and left; or with --by or --job what work has cost."""
    if by is not None or job is not None or since is not None:
        return _costs(cli, by or (CostsBy.JOB if job else CostsBy.SHOW), job, since)
    data = cli.client.get("/budgets")
    if cli.output.as_json:
        return cli.output.data(data)
    empty = "No budget is set; [budgets.farm] in outfield.toml sets one."
    cli.output.table(COLUMNS, [budget_row(row) for row in data], empty=empty)
    return None


def budget_row(row: Mapping[str, Any]) -> list[object]:
    """A budget as a row of `COLUMNS`."""
    used = row["spent_usd"] / row["usd"] if row["usd"] else 1.0
    return [
        row["budget"],
        f"{row['usd']:.2f}",
        row["period"],
        f"{row['spent_usd']:.2f}",
        f"{row['reserved_usd']:.2f}",
        f"{row['free_usd']:.2f}",
        f"{used:.0%}",
        f"{row['usd_per_hour']:.2f}",
        "" if row["forecast_usd"] is None else f"{row['forecast_usd']:.2f}",
        row["runs_out_at"],
        row["at_cap"],
    ]


def _costs(cli: Cli, by: CostsBy, job: str | None, since: str | None) -> None:
    asked = "project" if by is CostsBy.SHOW else by.value
    data = cli.client.get("/costs", {"by": asked, "job": job, "since": since})
    if cli.output.as_json:
        return cli.output.data(data)
    rows = [
        [
            row["name"] or "-",
            f"{row['usd']:.2f}",
            f"{row['retries_usd']:.2f}",
            f"{row['core_hours']:.1f}",
            row["attempts"],
            row["retries"],
        ]
        for row in data
    ]
    cli.output.table(COST_COLUMNS, rows, empty="Nothing has been rendered yet.")
    return None
