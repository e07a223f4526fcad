"""`shotgrid outbox`, `retry`, `drop`: what the farm writes to production's tracker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from scheduler.cli.bulk import each
from scheduler.cli.exits import ExitCode
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.cli.times import ago
from scheduler.clock import SystemClock

COLUMNS = (
    Column("ID", right=True),
    Column("Job"),
    Column("What"),
    Column("Status", status=True),
    Column("Tries", right=True),
    Column("Queued"),
    Column("Words", wrap=True),
)
OPEN = "PENDING,CONFLICT,REFUSED"
LIST_MAX = 1000
MessagesArgument = Annotated[
    list[str], typer.Argument(metavar="ID...", help="messages, see `outfield shotgrid outbox`")
]


def outbox(
    cli: Cli,
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="messages about this job only")] = None,
    everything: Annotated[bool, typer.Option("--all", help="what was sent or dropped as well")] = False,
    limit: Annotated[int, typer.Option(min=1, max=LIST_MAX, metavar="N", help="newest messages")] = 100,
) -> None:
    """List what still has to be told to ShotGrid, and what it refused or holds otherwise."""
    query: dict[str, Any] = {"limit": limit}
    if not everything:
        query["status"] = OPEN
    if job:
        query["job"] = job
    rows = cli.client.get(f"/priorities/outbox?{urlencode(query)}")
    if cli.output.as_json:
        return cli.output.data(rows)
    now = SystemClock().now()
    table = [
        [row["id"], row["jobID"], what(row), row["status"], row["tries"], ago(row["created_at"], now), row["error"]]
        for row in rows
    ]
    cli.output.table(COLUMNS, table, empty="Nothing waits to be told to ShotGrid.")
    return None


def retry(cli: Cli, ids: MessagesArgument) -> ExitCode:
    """Deliver messages again; a conflict that was shown is then overwritten."""
    return each(cli, ids, lambda message: cli.client.post(f"/priorities/outbox/{message}/retry", {"action": "retry"}))


def drop(cli: Cli, ids: MessagesArgument) -> ExitCode:
    """Never deliver messages; they stay in the list."""
    return each(cli, ids, lambda message: cli.client.post(f"/priorities/outbox/{message}/retry", {"action": "drop"}))


def what(row: Mapping[str, Any]) -> str:
    """What a message is about, in a few words."""
    if row["kind"] == "version":
        return f"Version {row['version_id']}" if row["version_id"] else "Version"
    task = f"Task {row['task_id']}" if row["task_id"] else "Task"
    return f"{task} → {row['wanted']}"
