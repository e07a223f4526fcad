"""`cap`: the most that a job may cost."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler.cli.bulk import each
from scheduler.cli.exits import ExitCode, Usage
from scheduler.cli.jobs import JobArgument
from scheduler.cli.session import Cli

UsdArgument = Annotated[float | None, typer.Argument(metavar="[USD]", min=0, help="0: only where it is free")]
NoneFlag = Annotated[bool, typer.Option("--none", help="no bound any more")]


def cap(cli: Cli, job: JobArgument, usd: UsdArgument = None, none: NoneFlag = False) -> ExitCode:
    """Change the most that a job may cost in pools with a price."""
    if (usd is None) != none:
        raise Usage("Say how many US dollars the job may cost, or --none.")
    return each(cli, [job], lambda job: cli.client.post(f"/jobs/{job}/cost_cap", {"cost_cap_usd": usd}))
