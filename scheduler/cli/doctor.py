"""`doctor`: looks at this installation and says what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.exits import ExitCode
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.clock import SystemClock

if TYPE_CHECKING:
    from scheduler.cli.checks import Check
    from scheduler.settings import Settings

EGRESS_COLUMNS = (Column("Address"), Column("Called by"), Column("What for", wrap=True), Column("Setting"))
COLUMNS = (Column("Check"), Column("", status=True), Column("Found", wrap=True), Column("Next step", wrap=True))


def doctor(
    cli: Cli,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="outfield.toml to read, and no other")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="the farm's data folder")] = None,
    egress: Annotated[bool, typer.Option("--egress", help="list what this farm calls beyond the studio")] = False,
) -> ExitCode:
    """Check this installation; exits with 1 if something is broken.

    If a server is named, the way to it is checked too.
    """
    from scheduler.settings import load_settings

    flags = {"server.data": data.expanduser().absolute() if data else None}
    settings = load_settings(file=config, flags=flags).settings
    if egress:
        return show_egress(cli, settings)
    found = examine(cli, settings)
    if cli.output.as_json:
        cli.output.data([vars(check) for check in found])
    else:
        cli.output.table(COLUMNS, [(check.name, check.level.value, check.found, check.hint) for check in found])
    return ExitCode.FAILED if any(check.level.value == "fail" for check in found) else ExitCode.OK


def show_egress(cli: Cli, settings: Settings) -> ExitCode:
    """The addresses that a firewall has to let through, and no others."""
    from scheduler.cli.egress import allowed_egress

    found = allowed_egress(settings)
    if cli.output.as_json:
        cli.output.data([vars(one) for one in found])
    else:
        rows = [(f"{one.host}:{one.port}", one.who, one.why, one.setting) for one in found]
        cli.output.table(EGRESS_COLUMNS, rows, empty="This farm calls nothing beyond the studio.")
    return ExitCode.OK


def examine(cli: Cli, settings: Settings) -> list[Check]:
    """Every check, in the order in which trouble should be mended."""
    from scheduler.cli import checks

    server = settings.server
    found = [
        checks.packages(),
        checks.sqlite(),
        checks.data_folder(server.data, settings.limits.free_min_bytes),
        checks.token_file(server.data),
        checks.output_roots(server.output_roots),
        checks.clock(server.data, SystemClock().now),
        checks.address(settings),
        *checks.renderers(),
        checks.compiled_kernels(_numba_cache()),
    ]
    if cli.options.names_a_server:
        found.append(checks.scheduler_at(cli.connection))
    return found


def _numba_cache() -> Path:
    """As a worker of this machine would set it; Numba itself knows what the environment says."""
    from worker.settings import load_worker_settings, prepare_environment

    prepare_environment(load_worker_settings({"server": "http://127.0.0.1"}))
    from numba.core import config

    return Path(str(getattr(config, "CACHE_DIR")))  # noqa: B009 - made at run time, unknown to type checkers
