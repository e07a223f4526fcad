"""`priorities`: what production wants against what the farm does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.cli.times import duration

COLUMNS = (
    Column("Job"),
    Column("Name", wrap=True),
    Column("Project"),
    Column("Shot"),
    Column("Status", status=True),
    Column("Place", right=True),
    Column("Wanted", right=True),
    Column("Age", right=True),
    Column("Prio", right=True),
    Column("By"),
    Column("Run", right=True),
    Column("Wait", right=True),
    Column("Differs", wrap=True),
)
LIMIT, LIMIT_MAX = 50, 1000


def priorities(
    cli: Cli,
    drift: Annotated[bool, typer.Option("--drift", help="only jobs where the farm differs from production")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LIMIT_MAX, help="how many jobs to list")] = LIMIT,
) -> None:
    """List what production wants against what the farm does.

    Unfinished jobs in the farm's order: what the tracker wants and how old that is, what counts and by whose say.
    """
    data = cli.client.get("/priorities", {"limit": limit, "drift": "true" if drift else None})
    if cli.output.as_json:
        return cli.output.data(data)
    cli.output.table(COLUMNS, [priority_row(row) for row in data["jobs"]], empty="There are no such jobs.")
    cli.output.note(_summary(data))
    return None


def priority_row(row: Mapping[str, Any]) -> list[object]:
    """A job as a row of `COLUMNS`."""
    wanted, counts, override = row["wanted"], row["effective"], row["override"]
    by = counts["source"]
    if override is not None:
        until = f" until {override['expires_at']}" if override["expires_at"] else ""
        by = f"{override['author']}: {override['reason']}{until}"
    boost = f"+{counts['boost']:g}" if counts["boost"] else ""
    return [
        row["jobID"],
        row["name"],
        row["project"],
        row["shot"],
        row["status"],
        row["position"],
        wanted["hold"] or wanted["priority"],
        "" if wanted["age_s"] is None else duration(wanted["age_s"]),
        f"{counts['priority']}{boost}",
        by,
        row["tasks"]["running"],
        row["tasks"]["waiting"],
        row["why"],
    ]


def _summary(data: Mapping[str, Any]) -> str:
    tracker = data["tracker"]
    said = f"{data['total']} jobs, {data['drifting']} differ from production's wish."
    if tracker["source"] is None and not tracker["jobs"]:
        return f"{said} No tracker is set up."
    stale = f", {tracker['stale']} not heard of for {duration(tracker['stale_after_s'])}" if tracker["stale"] else ""
    state = tracker["state"] or {}
    trouble = f" It is silent: {state['error']}" if state.get("error") else ""
    return f"{said} The tracker has spoken of {tracker['jobs']}{stale}.{trouble}"
