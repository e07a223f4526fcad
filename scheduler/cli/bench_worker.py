"""`bench worker`: how powerful this machine is, and telling the farm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.exits import Usage
from scheduler.cli.output import Column
from scheduler.cli.session import Cli

if TYPE_CHECKING:
    from scheduler.cli.client import Answer

REPEAT_MAX = 1000
COLUMNS = (Column("Renderer"), Column("Threads", right=True), Column("Speed", right=True), Column("Rating", right=True))


def worker(
    cli: Cli,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, metavar="N", help="vCPUs  [all]")] = None,
    repeat: Annotated[int, typer.Option(min=1, max=REPEAT_MAX, metavar="N", help="pictures for each number")] = 100,
    blender: Annotated[bool, typer.Option(help="measure Blender too, where there is one")] = True,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="data folder of the worker  [the user's]")] = None,
    send: Annotated[bool, typer.Option("--send", help="tell the farm the rating of this machine's worker")] = False,
    worker_id: Annotated[str | None, typer.Option("--worker", metavar="ID", help="send it for this worker")] = None,
) -> None:
    """Measure the power of this machine as a worker.

    The rating is what one of its vCPUs does against one of the reference machine's: 2 renders twice as fast. It is kept
    in the worker's data folder; with --send the farm has it at once, else when the worker joins.
    """
    from worker.settings import load_worker_settings, prepare_environment

    settings = load_worker_settings({"server": "http://127.0.0.1", "data": data.absolute() if data else None})
    prepare_environment(settings)
    from worker.probe import vcpus
    from worker.runners.power import measure_power, save_power

    measured = measure_power(threads or vcpus(), repeat, blender=blender)
    file = save_power(settings.data, measured)
    if cli.output.as_json:
        cli.output.data(measured)
    else:
        cli.output.line(f"rating {measured['rating']:.3f} for each of {measured['vcpus']} vCPUs")
        if not cli.output.quiet:
            cli.output.table(COLUMNS, power_rows(measured))
        if measured["blender"] is not None and "problem" in measured["blender"]:
            cli.output.warn(f"Blender was not measured: {measured['blender']['problem']}")
    cli.output.note(f"kept in {file}")
    if send or worker_id:
        cli.output.note(_send(cli, settings.data, worker_id, measured).message)


def power_rows(measured: Mapping[str, Any]) -> list[list[object]]:
    """What was measured as rows of `COLUMNS`."""
    rows: list[list[object]] = [
        ["kernel", row["threads"], f"{row['rays_per_s'] / 1e6:,.0f} million rays/s", ""]
        for row in measured["kernel"]["threads"]
    ]
    rows[-1][3] = f"{measured['kernel']['rating']:.3f}"
    found = measured["blender"]
    if found is not None and "problem" not in found:
        speed = f"{found['samples_per_s'] / 1e6:,.2f} million samples/s"
        rows.append([f"blender {found['version']}", found["threads"], speed, f"{found['rating']:.3f}"])
    return rows


def _send(cli: Cli, data: Path, worker_id: str | None, measured: Mapping[str, Any]) -> Answer:
    """As an admin for the worker that is named, else as the worker whose data folder this is."""
    bench = {name: value for name, value in measured.items() if name != "rating"}
    body = {"rating": measured["rating"], "bench": bench}
    if worker_id is not None:
        return cli.client.post(f"/workers/{worker_id}/rating", body)
    from scheduler.cli.client import Client
    from scheduler.cli.connection import Connection
    from worker.identity import load_identity

    known = load_identity(data)
    if known is None:
        raise Usage(
            f"No worker has joined a farm from {data}.",
            hint="Name its folder with --data DIR, or the worker with --worker ID and an admin's token.",
        )
    client = Client(Connection(known.server, known.token, cli.connection.ca_file))
    try:
        return client.post(f"/workers/{known.worker}/rating", body)
    finally:
        client.close()
