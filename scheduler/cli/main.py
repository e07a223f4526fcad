"""The entry of the console script `outfield`: which verbs there are, and the options that may stand before a verb."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import scheduler
from scheduler import ownership
from scheduler.cli.catalogue import VERBS
from scheduler.cli.exits import ExitCode
from scheduler.cli.groups import new_app
from scheduler.cli.options import JsonFlag, QuietFlag, SharedOptions

app = new_app(VERBS, name="outfield")


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        print(f"outfield {scheduler.__version__}")
        raise typer.Exit


EnvServerOption = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", envvar="OUTFIELD_SERVER", help="scheduler's URL"),
]
EnvTokenOption = Annotated[
    str | None,
    typer.Option("--token", metavar="T", envvar="OUTFIELD_TOKEN", help="access token"),
]
EnvProfileOption = Annotated[
    str | None,
    typer.Option("--profile", metavar="P", envvar="OUTFIELD_PROFILE", help="entry of clients.toml"),
]
EnvCaFileOption = Annotated[
    str | None,
    typer.Option("--ca-file", metavar="FILE", envvar="OUTFIELD_CA_FILE", help="certificates to trust besides"),
]
VersionFlag = Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="print the version")]


@app.callback()
def shared(
    context: typer.Context,
    *,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    server: EnvServerOption = None,
    token: EnvTokenOption = None,
    profile: EnvProfileOption = None,
    ca_file: EnvCaFileOption = None,
    version: VersionFlag = False,  # noqa: ARG001 - its callback does it
) -> None:
    """Outfield is a render farm: submit scenes, watch them render, look after the machines."""
    given = {"server": server, "token": token, "profile": profile, "ca_file": ca_file}
    surroundings = {name for name in given if _from_environment(context, name)}
    context.obj = SharedOptions(
        json=json,
        quiet=quiet,
        **{name: value for name, value in given.items() if name not in surroundings},
        **{f"env_{name}": given[name] for name in surroundings},
    )


def _from_environment(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "ENVIRONMENT"


def main() -> None:
    """Run `outfield`. Refuses to when another distribution has put its own packages under our names."""
    found = ownership.findings()
    if found and "doctor" not in sys.argv[1:2]:
        for finding in found:
            print(f"outfield: {finding.found}.\n  {finding.hint}", file=sys.stderr)
        sys.exit(int(ExitCode.FAILED))
    app(prog_name="outfield")


if __name__ == "__main__":
    main()
