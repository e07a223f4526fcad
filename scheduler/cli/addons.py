"""`addons build`: an add-on's zip for an artist's program, into the current folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.session import Cli


def build(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="PROGRAM", help="blender, houdini, maya or nuke")],
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="folder to write to  [the current one]")] = None,
) -> None:
    """Build the add-on for a program and print the path of its zip."""
    from scheduler.addons.packing import build as build_addon
    from scheduler.cli.hashing import written_whole

    built = build_addon(name)
    folder = (to or Path.cwd()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / built.addon.file_name
    with written_whole(path) as file:
        file.write(built.content)
    if cli.output.as_json:
        return cli.output.data({"addon": name, "path": str(path), "hash": built.hash, "size": len(built.content)})
    cli.output.line(str(path))
    return None
