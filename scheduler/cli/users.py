"""`user ls`, `show`, `grant` and `boost`: users' points, where a farm deals in them."""

from __future__ import annotations

import uuid
from typing import Annotated
from urllib.parse import quote

import typer

from scheduler.cli.bulk import each
from scheduler.cli.exits import ExitCode
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.cli.times import ago
from scheduler.clock import SystemClock

COLUMNS = (
    Column("User"),
    Column("Points", right=True),
    Column("Earned", right=True),
    Column("Granted", right=True),
    Column("Spent", right=True),
    Column("Workers", right=True),
)
ENTRY_COLUMNS = (
    Column("When"),
    Column("What"),
    Column("Points", right=True),
    Column("Left", right=True),
    Column("Job"),
    Column("Worker"),
    Column("Note", wrap=True),
)
ENTRIES, ENTRIES_MAX = 20, 1000

UserArgument = Annotated[str, typer.Argument(metavar="NAME", help="user")]
PointsArgument = Annotated[float, typer.Argument(metavar="POINTS", min=0, help="how many")]


def ls(cli: Cli) -> None:
    """List the users with their points."""
    rows = cli.client.get("/users")
    if cli.output.as_json:
        return cli.output.data(rows)
    table = [
        [row["user"], *(f"{row[name]:g}" for name in ("balance", "earned", "granted", "spent")), row["workers"]]
        for row in rows
    ]
    cli.output.table(COLUMNS, table, empty="There are no users.")
    return None


def show(
    cli: Cli,
    user: UserArgument,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=ENTRIES_MAX, help="bookings to list")] = ENTRIES,
) -> None:
    """Show a user's points and what became of them."""
    account = cli.client.get(f"/users/{quote(user, safe='')}", {"limit": limit})
    if cli.output.as_json:
        return cli.output.data(account)
    if cli.output.quiet:
        return cli.output.line(f"{account['balance']:g}")
    now = SystemClock().now()
    cli.output.fields([(name, account[name]) for name in ("user", "balance", "earned", "granted", "spent", "workers")])
    rows = [
        [
            ago(entry["at"], now),
            entry["kind"],
            f"{entry['points']:+g}",
            f"{entry['balance']:g}",
            entry["jobID"],
            entry["worker"],
            entry["note"],
        ]
        for entry in account["entries"]
    ]
    cli.output.table(ENTRY_COLUMNS, rows, empty="Nothing was booked yet.")
    return None


def grant(
    cli: Cli,
    user: UserArgument,
    points: PointsArgument,
    note: Annotated[str, typer.Option(metavar="TEXT", help="what for")] = "",
) -> ExitCode:
    """Give a user points."""
    body, key = {"points": points, "note": note}, uuid.uuid4().hex
    return each(cli, [user], lambda name: cli.client.post(f"/users/{quote(name, safe='')}/grant", body, key=key))


def boost(
    cli: Cli, job: Annotated[str, typer.Argument(metavar="ID", help="jobID")], points: PointsArgument
) -> ExitCode:
    """Spend points of your own to raise a job's priority.

    They come back if the job is canceled before it starts.
    """
    key = uuid.uuid4().hex
    return each(cli, [job], lambda name: cli.client.post(f"/jobs/{name}/boost", {"points": points}, key=key))
