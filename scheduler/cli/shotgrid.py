"""`shotgrid check`: is the tracker there, is the key right, and does the mapping fit the site?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.exits import ExitCode, Unreachable, Usage
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.errors import Denied

if TYPE_CHECKING:
    from scheduler.priorities.checking import FieldVerdict
    from scheduler.settings import LoadedSettings

COLUMNS = (
    Column("Field"),
    Column("For"),
    Column("", status=True),
    Column("Found", wrap=True),
    Column("Next step", wrap=True),
)


def check(
    cli: Cli,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="outfield.toml to read, and no other")] = None,
) -> ExitCode:
    """Check the connection to ShotGrid and the mapping of its fields.

    Exits with 1 if a field is missing, 4 if the key is refused, 5 if the site cannot be reached.
    """
    from scheduler.settings import load_settings

    loaded = load_settings(file=config)
    found = _examined(loaded)
    failed = any(verdict.level.value == "fail" for verdict in found)
    if cli.output.as_json:
        site = loaded.settings.shotgrid.url
        cli.output.data({"site": site, "ok": not failed, "fields": [vars(verdict) for verdict in found]})
    else:
        cli.output.note(f"{loaded.settings.shotgrid.url} accepts the script {loaded.settings.shotgrid.script_name}.")
        cli.output.table(COLUMNS, [(v.field, v.use, v.level.value, v.found, v.hint) for v in found])
    return ExitCode.FAILED if failed else ExitCode.OK


def _examined(loaded: LoadedSettings) -> list[FieldVerdict]:
    """Ask the site.

    Raises:
        Usage: no tracker is set.
        Denied: the key is missing or refused.
        Unreachable: the site does not answer as it should.
    """
    from scheduler.priorities import troubles
    from scheduler.priorities.checking import examine
    from scheduler.priorities.client import Site

    settings = loaded.settings.shotgrid
    if settings.url is None:
        raise Usage("No tracker is set.", code="no_tracker", hint="Set shotgrid.url in outfield.toml.")
    site = Site(settings)
    try:
        return examine(site, settings, loaded.origin)
    except troubles.Denied as error:
        raise Denied(error.message, code=error.code, hint=error.hint) from error
    except troubles.Trouble as error:
        hint = "Check shotgrid.url, and that this machine may reach it."
        raise Unreachable(error.message, code=error.code, hint=hint) from error
    finally:
        site.close()
