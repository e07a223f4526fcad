"""`logs`: what a task's attempt wrote, and more of it as it is written."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from scheduler.cli.session import Cli

FOLLOW_S = 1.0
ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})


def logs(
    cli: Cli,
    task: Annotated[int, typer.Argument(metavar="TASK", min=1, help="task, see `outfield jobs ID`")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until the task ends")] = False,
    attempt: Annotated[int | None, typer.Option(min=1, metavar="N", help="which attempt  [the newest]")] = None,
) -> None:
    """Print the log of a task."""
    from threading import Event

    if cli.output.as_json and not follow:
        return _as_json(cli, task, attempt)
    pause = Event()
    current, offset = attempt, 0
    while True:
        found: dict[str, Any] = cli.client.get(f"/tasks/{task}")
        newest = int(found["attempt"])
        if attempt is None and current != newest:
            current, offset = newest, 0
        ended = found["status"] in ENDED or (attempt is not None and attempt < newest)
        offset = _print_rest(cli, task, current, offset)
        if not follow or ended:
            return None
        pause.wait(FOLLOW_S)


def _as_json(cli: Cli, task: int, attempt: int | None) -> None:
    found: dict[str, Any] = cli.client.get(f"/tasks/{task}")
    number, log = attempt or int(found["attempt"]), bytearray()
    while part := cli.client.part(f"/tasks/{task}/log", {"attempt": number, "offset": len(log)}):
        log += part
    cli.output.data({"task": task, "attempt": number, "log": log.decode("utf-8", "replace")})


def _print_rest(cli: Cli, task: int, attempt: int | None, offset: int) -> int:
    """Print the log from `offset` bytes on; returns where it ends now."""
    while True:
        part = cli.client.part(f"/tasks/{task}/log", {"attempt": attempt or None, "offset": offset})
        if not part:
            return offset
        sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        offset += len(part)
