"""`workers`, `drain`, `enable`: the machines of the farm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from scheduler.cli.bulk import each
from scheduler.cli.exits import ExitCode
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.cli.times import ago
from scheduler.clock import SystemClock

COLUMNS = (
    Column("Worker"),
    Column("Name"),
    Column("Pool"),
    Column("Status", status=True),
    Column("Running", right=True),
    Column("Cores", right=True),
    Column("Memory", right=True),
    Column("GPUs", right=True),
    Column("Power", right=True),
    Column("Reliable", right=True),
    Column("Renderers", wrap=True),
    Column("Seen"),
)
WorkersArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="worker IDs")]


def workers(
    cli: Cli, worker: Annotated[str | None, typer.Argument(metavar="ID", help="one worker in full")] = None
) -> None:
    """List the workers with what they have and what they run, or show one."""
    data = cli.client.get(f"/workers/{worker}" if worker else "/workers")
    if cli.output.as_json:
        return cli.output.data(data)
    now = SystemClock().now()
    found = [data] if worker else data
    rows = [worker_row(row, lambda at: ago(at, now)) for row in found]
    cli.output.table(COLUMNS, rows, empty="There is no worker. Start one with `outfield worker`.")
    if worker and not cli.output.quiet:
        _show_details(cli, data)
    return None


def drain(cli: Cli, ids: WorkersArgument) -> ExitCode:
    """Let workers finish what they run and take nothing new."""
    return each(cli, ids, lambda worker: cli.client.post(f"/workers/{worker}/drain"))


def enable(cli: Cli, ids: WorkersArgument) -> ExitCode:
    """Let workers take work again."""
    return each(cli, ids, lambda worker: cli.client.post(f"/workers/{worker}/enable"))


def worker_row(worker: Mapping[str, Any], when: Callable[[str | None], str]) -> list[object]:
    """A worker as a row of `COLUMNS`."""
    has = worker["capabilities"]
    versions: Mapping[str, list[str]] = has.get("renderers", {})
    return [
        worker["worker"],
        worker["name"],
        worker["pool"],
        "BLOCKED" if worker["blocked"] else worker["status"],
        f"{len(worker['running'])}/{worker['slots']}",
        has.get("vcpus"),
        f"{has['memory_gib']:.0f} GiB" if has.get("memory_gib") else "",
        has.get("gpus"),
        f"{worker['rating']:.2f}" if worker.get("rating") else "",
        f"{worker['reliability']:.1%}" if worker.get("succeeded") or worker.get("failed") else "",
        ", ".join(f"{name} {'/'.join(found)}".strip() for name, found in sorted(versions.items())),
        when(worker["last_seen_at"]),
    ]


def _show_details(cli: Cli, worker: Mapping[str, Any]) -> None:
    has = worker["capabilities"]
    details: dict[str, Any] = has.get("details", {})
    if worker["leaving"]:
        cli.output.fields([("is leaving", worker["leaving"])])
    if worker["blocked"]:
        cli.output.fields([("takes no work", worker["blocked"])])
    cli.output.fields([("tags", has.get("tags")), *sorted(details.items())])
