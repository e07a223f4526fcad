"""`demo`: a farm in a temporary folder renders a turntable, a still and, where Blender is, a .blend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.exits import ExitCode
from scheduler.cli.session import Cli


def demo(
    cli: Cli, to: Annotated[Path | None, typer.Option(metavar="DIR", help="where frames go  [./outfield-demo]")] = None
) -> ExitCode:
    """Render a short animation and a still on a farm in a temporary folder.

    Where Blender is installed, it renders a .blend too. Prints the frames, a contact sheet and how long it took.
    """
    from scheduler.cli.demo_run import run_demo

    return run_demo(cli.output, (to or Path("outfield-demo")).expanduser().absolute())
