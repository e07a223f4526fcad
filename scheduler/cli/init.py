"""`init`: what a farm that serves HTTPS needs before its first start: an authority, and settings that say so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.exits import Usage
from scheduler.cli.session import Cli, data_folder
from scheduler.clock import SystemClock

SETTINGS = """# Written by `outfield init`. Every key is in docs/reference/settings.md.
[server]
data = {data}
host = {host}

[farm]
name = {name}

[server.tls]
enabled = true
names = [{names}]
workers = "certificate"    # beside its token, a worker shows a certificate of this farm's authority
"""


def init(
    cli: Cli,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="the farm's data folder")] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="address to listen on")] = "0.0.0.0",  # noqa: S104
    name: Annotated[str, typer.Option(metavar="NAME", help="what the farm is called")] = "outfield",
    dns: Annotated[list[str] | None, typer.Option(metavar="NAME", help="name that machines call it by")] = None,
) -> None:
    """Prepare a farm that serves HTTPS: its authority, its settings, what to do next.

    Writes DIR/outfield.toml and the authority in DIR/tls; what is there already stays. Start the farm with
    `outfield up --config DIR/outfield.toml`.
    """
    from scheduler.security.authority import open_authority

    folder = (data or data_folder()).expanduser().absolute()
    settings = folder / "outfield.toml"
    if settings.exists():
        raise Usage(f"{settings} is there already.", hint="Change it by hand, or choose another --data folder.")
    authority = open_authority(folder / "tls", name, SystemClock().now())
    names = ", ".join(_quoted(one) for one in dns or ())
    text = SETTINGS.format(data=_quoted(str(folder)), host=_quoted(host), name=_quoted(name), names=names)
    settings.write_text(text)
    said = {"settings": str(settings), "ca_file": str(authority.ca_file), "ca_pin": authority.pin}
    if cli.output.as_json:
        return cli.output.data(said)
    cli.output.line(authority.pin)
    cli.output.note(f"The farm: outfield up --config {settings}")
    cli.output.note(f"People:   export OUTFIELD_CA_FILE={authority.ca_file}")
    cli.output.note(f"Workers:  outfield worker --server https://... --join CODE --ca-pin {authority.pin}")
    return None


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a part of TOML's."""
    import json

    return json.dumps(text, ensure_ascii=True)
